"""Phones, with a pronunciation lexicon between them and words."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from asr.errors import AsrError
from asr.files import atomic_write, read_lines
from asr.text.units import BEGINNING, BLANK, INSIDE, Spellings

_BEGINNING = "▁"  # before a word's first phone, as sentencepiece has it
_OFTEN = 50  # times; on dev-clean, 20 to 100 were equally good for 20 hours of speech
_VARIANT = re.compile(r"\(\d+\)$")  # cmudict's mark of a word's further pronunciations


class PhoneUnits:
    """The phones of a lexicon, each in two kinds: at a word's beginning, and later in it.

    Speech has nothing between words that a boundary could be heard in, but how a phone sounds
    depends on its place: so Kaldi's and others' lexicons mark it on the phone.

    Parameters
    ----------
    lexicon : iterable of (str, str)
        Words with their phones, which are parted by single spaces. Of a word's pronunciations the
        first is what `encode` takes; of the words with one pronunciation the first is what
        `decode` reads.
    symbols : sequence of str, optional
        The units of a network that is there already, in their order; by default those that the
        lexicon has.

    Raises
    ------
    AsrError
        A word has a phone that is not among `symbols`.
    """

    def __init__(self, lexicon: Iterable[tuple[str, str]], symbols: Sequence[str] | None = None
                 ) -> None:
        self.lexicon = list(dict.fromkeys(lexicon))
        self.vocabulary: Sequence[str] | None = list(dict.fromkeys(w for w, _ in self.lexicon))
        # In arrays, since every start of a recogniser waits for this.
        pronunciations = [phones for _, phones in self.lexicon]
        phones = " ".join(pronunciations).split(" ")
        self._lengths = np.array([1 + each.count(" ") for each in pronunciations])
        begins = np.zeros(len(phones), bool)
        begins[np.cumsum(self._lengths) - self._lengths] = True
        number = {phone: i for i, phone in enumerate(dict.fromkeys(phones))}
        kinds = [*number, *(_BEGINNING + phone for phone in number)]
        kind = np.fromiter(map(number.__getitem__, phones), np.int32, len(phones))
        kind[begins] += len(number)
        heard = np.flatnonzero(np.bincount(kind))
        self.symbols = list(symbols or ["<blank>", *sorted(kinds[i] for i in heard)])
        self.parts = np.array([BEGINNING if symbol.startswith(_BEGINNING) else INSIDE
                               for symbol in self.symbols], np.int8)
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._units = np.array([index.get(each, BLANK) for each in kinds], np.int32)[kind]
        strange = np.flatnonzero(self._units == BLANK)
        if len(strange):
            entry = int(np.searchsorted(np.cumsum(self._lengths), strange[0], "right"))
            place = "begins a word" if begins[strange[0]] else "is within a word"
            raise AsrError(f"`{' '.join(self.lexicon[entry])}`: the model knows no phone "
                           f"{phones[strange[0]]} that {place}; it was trained with "
                           f"{' '.join(self.symbols[1:])}")

    @cached_property
    def _ids(self) -> list[tuple[int, ...]]:
        """Units of each pronunciation."""
        units, ends = self._units.tolist(), np.cumsum(self._lengths).tolist()
        return [tuple(units[start:end]) for start, end in pairwise([0, *ends])]

    @cached_property
    def _spellings(self) -> dict[str, list[tuple[int, ...]]]:
        """Pronunciations of each word."""
        spellings: dict[str, list[tuple[int, ...]]] = {}
        for (word, _), ids in zip(self.lexicon, self._ids, strict=True):
            spellings.setdefault(word, []).append(ids)
        return spellings

    @cached_property
    def _words(self) -> dict[tuple[int, ...], str]:
        """The first word with each pronunciation."""
        words = (word for word, _ in reversed(self.lexicon))
        return dict(zip(reversed(self._ids), words, strict=True))

    @classmethod
    def load(cls, path: Path, normalise: Callable[[str], str] = str,
             symbols: Sequence[str] | None = None) -> "PhoneUnits":
        """Read a lexicon, see `read_pronunciations`.

        Parameters
        ----------
        normalise : callable
            Of `asr.text.normalise`: what is done to words; those that become several are left out.
        symbols : sequence of str, optional
            See `PhoneUnits`.

        Raises
        ------
        AsrError
            See `read_pronunciations` and `PhoneUnits`; or there is nothing in it.
        """
        lexicon = []
        for spelling, phones in read_pronunciations(path):
            word = normalise(spelling)
            if word and " " not in word:
                lexicon.append((word, phones))
        if not lexicon:
            raise AsrError(f"{path}: no pronunciations in it (a word and its phones a line)")
        try:
            return cls(lexicon, symbols)
        except AsrError as error:
            raise AsrError(f"{path}: {error}") from None

    def learnt_from(self, texts: Iterable[str]) -> "PhoneUnits":
        """The same for a network that is trained on these texts: more frequent words come first.

        Of words that are often in the texts the first pronunciation alone stays: it is what
        `encode` gives for them however they are said, so the network hears it in all of them, and
        the others would only be taken for other words.
        """
        counts = Counter(word for text in texts for word in text.split())
        entries = sorted(self.lexicon, key=lambda entry: -counts[entry[0]])
        first = dict(reversed(entries))
        return PhoneUnits([(word, phones) for word, phones in entries
                           if counts[word] < _OFTEN or phones == first[word]])

    def lines(self) -> Iterator[str]:
        """The lexicon as text: a word and its phones a line."""
        return (f"{word} {phones}\n" for word, phones in self.lexicon)

    def save(self, path: Path) -> None:
        """Write the lexicon."""
        with atomic_write(path) as file:
            file.writelines(self.lines())

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Indices of the first pronunciation of each word.

        Raises
        ------
        AsrError
            A word is not in the lexicon.
        """
        ids: list[int] = []
        for word in text.split():
            if word not in self._spellings:
                raise AsrError(f"`{word}` in {text!r} is not in the lexicon")
            ids += self._spellings[word][0]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The first word with each pronunciation; where there is none, with the nearest one."""
        words: list[list[int]] = [[]]
        for i in ids:
            if self.parts[i] == BEGINNING:
                words.append([])
            if i != BLANK:
                words[-1].append(i)
        return " ".join(self._words.get(tuple(word)) or self._nearest(tuple(word))
                        for word in words if word)

    @cached_property
    def _nearest(self) -> Callable[[tuple[int, ...]], str]:
        """The first word with the pronunciation that the fewest changes turn into these units.

        A phone is the same at a word's beginning and later.
        """
        from asr.text.nearest import Pronunciations  # numba takes a while to load

        kinds = [symbol.removeprefix(_BEGINNING) for symbol in self.symbols]
        phones = np.unique(kinds, return_inverse=True)[1].astype(np.int32)  # of each unit
        pronunciations = Pronunciations(phones[self._units], self._lengths)

        @lru_cache(2**16)
        def nearest(word: tuple[int, ...]) -> str:
            return self.lexicon[pronunciations.nearest(phones[list(word)])][0]

        return nearest

    def spellings(self, word: str) -> Sequence[Sequence[int]]:
        """All of a word's pronunciations."""
        return self._spellings.get(word, [])

    def spell(self, words: Sequence[str]) -> Spellings:
        """All pronunciations of all words."""
        number = {word: i for i, word in enumerate(words)}
        numbers = np.fromiter((number.get(word, -1) for word, _ in self.lexicon), np.int32)
        known = numbers >= 0
        return Spellings(self._units[np.repeat(known, self._lengths)], self._lengths[known],
                         numbers[known])

    def spellable(self, text: str) -> str:
        """The words that the lexicon has."""
        return " ".join(word for word in text.split() if word in self._spellings)


def read_pronunciations(path: Path) -> Iterator[tuple[str, str]]:
    """Words and phones of a lexicon: one pronunciation a line, as Kaldi's lexicon.txt and cmudict.

    Kaldi's entries for what is no word (`!SIL`, `<UNK>`, `[NOISE]`) are left out.

    Yields
    ------
    word, phones : str
        The phones are parted by single spaces.

    Raises
    ------
    AsrError
        There is no such file, a line has no phones, or a phone's name has a meaning already.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith(";;;") or not (fields := line.split(" #")[0].split()):
            continue
        spelling, *phones = fields
        if not phones:
            raise AsrError(f"{path}, line {number}: `{spelling}` has no phones")
        if spelling[0] in "!<[":
            continue
        if ((_BEGINNING in line or "<blank>" in line)  # in few: lexicons are long
                and any(phone == "<blank>" or phone.startswith(_BEGINNING) for phone in phones)):
            raise AsrError(f"{path}, line {number}: <blank>, or a phone that begins with "
                           f"{_BEGINNING}, which marks a word's first one")
        yield _VARIANT.sub("", spelling) if "(" in spelling else spelling, " ".join(phones)

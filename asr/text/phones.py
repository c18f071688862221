"""Phones, with a pronunciation lexicon between them and words."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from asr.errors import AsrError
from asr.files import atomic_write, read_lines
from asr.text.units import BLANK, WORD_BOUNDARY, parts_of

_VARIANT = re.compile(r"\(\d+\)$")  # cmudict's mark of a word's further pronunciations


class PhoneUnits:
    """The phones of a lexicon, with a word boundary between words; see `asr.text.units.Units`.

    Parameters
    ----------
    lexicon : sequence of (str, tuple of str)
        Words with their phones. Of a word's pronunciations the first is what `encode` takes; of
        the words with one pronunciation the first is what `decode` reads.
    """

    def __init__(self, lexicon: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        self.lexicon = list(dict.fromkeys(lexicon))
        phones = sorted({phone for _, pronunciation in lexicon for phone in pronunciation})
        self.symbols = ["<blank>", WORD_BOUNDARY, *phones]
        self.parts = parts_of(self.symbols)
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._spellings: dict[str, list[list[int]]] = {}
        self._words: dict[tuple[int, ...], str] = {}
        for word, pronunciation in self.lexicon:
            ids = [index[phone] for phone in pronunciation]
            self._spellings.setdefault(word, []).append(ids)
            self._words.setdefault(tuple(ids), word)

    @classmethod
    def load(cls, path: Path, normalise: Callable[[str], str] = str) -> "PhoneUnits":
        """Read a lexicon: a word and its phones a line, as Kaldi's lexicon.txt or cmudict has them.

        Parameters
        ----------
        normalise : callable
            Of `asr.text.normalise`: what is done to words; those that become several are left out.

        Raises
        ------
        AsrError
            There is no such file, a line has no phones, or a phone has the name of a unit that is
            none.
        """
        lexicon = []
        for number, line in enumerate(read_lines(path), start=1):
            if line.startswith(";;;") or not line.strip():
                continue
            spelling, *phones = line.split(" #")[0].split()
            word = normalise(_VARIANT.sub("", spelling))
            if not phones:
                raise AsrError(f"{path}, line {number}: `{spelling}` has no phones")
            if {"<blank>", WORD_BOUNDARY} & set(phones):
                raise AsrError(f"{path}, line {number}: <blank> and {WORD_BOUNDARY} are no phones")
            if word and " " not in word:
                lexicon.append((word, tuple(phones)))
        if not lexicon:
            raise AsrError(f"{path}: no pronunciations in it (a word and its phones a line)")
        return cls(lexicon)

    def by_frequency(self, texts: Iterable[str]) -> "PhoneUnits":
        """The same, with more frequent words of the texts first."""
        counts = Counter(word for text in texts for word in text.split())
        return PhoneUnits(sorted(self.lexicon, key=lambda entry: -counts[entry[0]]))

    def save(self, path: Path) -> None:
        """Write the lexicon."""
        with atomic_write(path) as file:
            file.writelines(f"{word} {' '.join(phones)}\n" for word, phones in self.lexicon)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Indices of the first pronunciation of each word, with boundaries between them.

        Raises
        ------
        AsrError
            A word is not in the lexicon.
        """
        ids: list[int] = []
        for word in text.split():
            if word not in self._spellings:
                raise AsrError(f"`{word}` in {text!r} is not in the lexicon")
            ids += [self.symbols.index(WORD_BOUNDARY)] * bool(ids) + self._spellings[word][0]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The first word with each pronunciation; where there is none, its phones in hyphens."""
        words: list[list[int]] = [[]]
        for i in ids:
            if self.symbols[i] == WORD_BOUNDARY:
                words.append([])
            elif i != BLANK:
                words[-1].append(i)
        return " ".join(self._words.get(tuple(word)) or "-".join(self.symbols[i] for i in word)
                        for word in words if word)

    def spellings(self, word: str) -> list[list[int]]:
        """All of a word's pronunciations."""
        return self._spellings.get(word, [])

    def spellable(self, text: str) -> str:
        """The words that the lexicon has."""
        return " ".join(word for word in text.split() if word in self._spellings)

"""Units: what the network's outputs stand for. Index 0 is CTC's blank."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from asr.errors import AsrError
from asr.files import atomic_write, read_lines

BLANK = 0
WORD_BOUNDARY = "|"  # stands for the space between words in units.txt

INSIDE, BETWEEN, BEGINNING = 0, 1, 2
"""A unit's part in words: within one, between two, or at the beginning of one."""


class Spellings(NamedTuple):
    """Words by their units; a word may be spelt in several ways, and several alike."""

    units: np.ndarray
    """Of all spellings in a row, int32."""
    lengths: np.ndarray
    """Of each spelling."""
    words: np.ndarray
    """Number of the word that each spelling is of, int32."""

    @classmethod
    def join(cls, spellings: Sequence[Sequence[int]], words: Sequence[int]) -> "Spellings":
        """Those of the words with these numbers."""
        lengths = np.fromiter(map(len, spellings), np.int64, len(spellings))
        return cls(np.fromiter(itertools.chain.from_iterable(spellings), np.int32), lengths,
                   np.array(words, np.int32))

    @classmethod
    def of(cls, words: Sequence[str], spellings: Callable[[str], Sequence[Sequence[int]]]
           ) -> "Spellings":
        """What a function gives for each word."""
        pairs = [(spelling, i) for i, word in enumerate(words) for spelling in spellings(word)]
        return cls.join([spelling for spelling, _ in pairs], [i for _, i in pairs])


class Units(Protocol):
    """What all kinds of units have: `CharacterUnits`, `BpeUnits`, `PhoneUnits`."""

    symbols: list[str]
    """Printable, in order of their index; `symbols[0]` is the blank."""
    parts: np.ndarray
    """Of each unit: `INSIDE`, `BETWEEN` or `BEGINNING`; shape = (V,), int8."""
    vocabulary: Sequence[str] | None
    """The only words that there are; None where any can be read off its units."""

    def __len__(self) -> int: ...

    def encode(self, text: str) -> list[int]:
        """Indices of a text's units; an `AsrError` where it has none."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of indices; blanks are skipped, spaces are folded."""

    def spellings(self, word: str) -> Sequence[Sequence[int]]:
        """All ways to spell a word, none where it has none."""

    def spell(self, words: Sequence[str]) -> Spellings:
        """All `spellings` of all words, which are numbered as they come."""

    def spellable(self, text: str) -> str:
        """What can be encoded of a text."""

    def save(self, path: Path) -> None:
        """Write the file that they can be loaded from."""


def parts_of(symbols: Iterable[str]) -> np.ndarray:
    """`Units.parts` of units with one between words."""
    return np.array([BETWEEN if s == WORD_BOUNDARY else INSIDE for s in symbols], np.int8)


def text_of(symbols: Sequence[str], ids: Iterable[int], space: str) -> str:
    """Symbols in a row, blanks left out, with spaces where `space` is, which are folded."""
    text = "".join(symbols[i] for i in ids if i != BLANK)
    return " ".join(text.replace(space, " ").split())


class CharacterUnits:
    """Characters, with a word boundary between words; see `Units`."""

    vocabulary: Sequence[str] | None = None

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols
        self.parts = parts_of(symbols)
        self._index = {" " if s == WORD_BOUNDARY else s: i for i, s in enumerate(symbols)}

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "CharacterUnits":
        """Every character that occurs, in code-point order after blank and word boundary."""
        characters = sorted(set().union(*(set(text) for text in texts)) - {" ", WORD_BOUNDARY})
        return cls(["<blank>", WORD_BOUNDARY, *characters])

    @classmethod
    def load(cls, path: Path) -> "CharacterUnits":
        """Read `units.txt`: one symbol a line, the blank first."""
        symbols = read_lines(path)
        if symbols[:1] != ["<blank>"] or WORD_BOUNDARY not in symbols \
                or len(set(symbols)) < len(symbols):
            raise AsrError(f"{path}: not a list of units (one a line, <blank> first, "
                           f"{WORD_BOUNDARY} for the space, none twice)")
        return cls(symbols)

    def save(self, path: Path) -> None:
        """Write `units.txt`."""
        with atomic_write(path) as file:
            file.write("".join(symbol + "\n" for symbol in self.symbols))

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Indices of a text's characters.

        Raises
        ------
        AsrError
            A character is not among the units.
        """
        try:
            return [self._index[character] for character in text]
        except KeyError as error:
            raise AsrError(f"{error.args[0]!r} in {text!r} is not among the units; normalise the "
                           "text") from None

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of indices; blanks are skipped, spaces are folded."""
        return text_of(self.symbols, ids, WORD_BOUNDARY)

    def spellings(self, word: str) -> list[list[int]]:
        """The word's characters, if all are units."""
        return [self.encode(word)] if self.spellable(word) == word else []

    def spell(self, words: Sequence[str]) -> Spellings:
        """All words that can be spelt."""
        return Spellings.of(words, self.spellings)

    def spellable(self, text: str) -> str:
        """The text without characters that are no units."""
        return "".join(character for character in text if character in self._index)


def frames_needed(ids: list[int]) -> int:
    """The least number of frames in which CTC can emit `ids`: one each, a blank in repeats.

    Graves et al. 2006, section 3: two equal neighbours are merged unless a blank parts them.
    """
    return len(ids) + sum(a == b for a, b in itertools.pairwise(ids))


def as_characters(sentence: str) -> str:
    """A sentence as a character model's text: `no one` becomes `n o | o n e`."""
    return " ".join(sentence.replace(" ", WORD_BOUNDARY))

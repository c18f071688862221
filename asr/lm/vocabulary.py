"""What a neural language model predicts: units that words are spelt in, and sentence ends."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

from pydantic import Field

from asr.config import Config
from asr.errors import AsrError
from asr.lm.arpa import CAPITAL_UNKNOWN
from asr.lm.ngram import SPECIAL, UNKNOWN
from asr.text.bpe import BpeUnits
from asr.text.units import BLANK, WORD_BOUNDARY, CharacterUnits

Kind = Literal["bpe", "words", "characters"]
BOUNDARY = BLANK
"""The unit before a sentence and after it; spellings do not hold the blank."""
_UNKNOWN_UNIT = 1  # of a vocabulary of words
_UNKNOWN_WORDS = (SPECIAL[UNKNOWN], CAPITAL_UNKNOWN)  # as texts mark them


class VocabularyConfig(Config):
    """Units of a training."""

    kind: Kind = "bpe"
    """Byte pairs, the most frequent words, or characters."""
    size: int = Field(1000, ge=2, le=1 << 18)
    """Number of byte pairs, with single characters and the boundary; or number of words, without
    the boundary and <unk>. There are fewer where the text has no more. Characters are always all
    that occur."""


class Vocabulary:
    """Words ↔ units, numbered from 0, which is `BOUNDARY`. A sentence is its words, one by one.

    Parameters
    ----------
    content : bytes
        What it is saved as: sentencepiece's model, or words or characters in order of their
        index, each on a line.

    Raises
    ------
    ValueError, RuntimeError
        `content` is no such thing.
    """

    def __init__(self, kind: Kind, content: bytes) -> None:
        self.kind = kind
        self.content = content
        self._units: BpeUnits | CharacterUnits | None = None
        if kind == "bpe":
            self._units = BpeUnits(content)
            self.symbols = self._units.symbols
        else:
            self.symbols = content.decode().split("\n")
            first = ["<blank>", WORD_BOUNDARY] if kind == "characters" else [SPECIAL[2], SPECIAL[0]]
            if self.symbols[:2] != first or len(set(self.symbols)) < len(self.symbols):
                raise ValueError(f"no list of {kind}")
            if kind == "characters":
                self._units = CharacterUnits(self.symbols)
        self._index = {word: i for i, word in enumerate(self.symbols) if i > _UNKNOWN_UNIT}
        self.spell = lru_cache(1 << 18)(self._spell)  # texts repeat their words

    @classmethod
    def from_counts(cls, config: VocabularyConfig, counts: Mapping[str, int]) -> "Vocabulary":
        """Learn from the words of a text and how often each occurs.

        Raises
        ------
        AsrError
            There is no word, or see `BpeUnits.from_counts`.
        """
        counts = {word: count for word, count in counts.items() if word not in _UNKNOWN_WORDS}
        if not counts:
            raise AsrError("all words of the text are <unk>; there is nothing to learn")
        if config.kind == "bpe":
            return cls("bpe", BpeUnits.from_counts(counts, config.size).model)
        if config.kind == "characters":
            symbols = CharacterUnits.from_texts(counts).symbols
        else:
            by_count = sorted(counts, key=lambda word: (-counts[word], word))
            symbols = [SPECIAL[2], SPECIAL[0], *by_count[:config.size]]
        return cls(config.kind, "\n".join(symbols).encode())

    def __len__(self) -> int:
        return len(self.symbols)

    def knows(self, word: str) -> bool:
        """Whether a word can be spelt; of a vocabulary of words, whether it is one of them."""
        if word in _UNKNOWN_WORDS:
            return False
        return word in self._index if self._units is None else self._units.spellable(word) == word

    def _spell(self, word: str) -> tuple[int, ...]:
        """Units of a word, none of them `BOUNDARY`.

        A word that a vocabulary of words lacks is <unk>. Characters that are no units are left
        out; nothing is left of <unk> then.
        """
        if self._units is None:
            return (self._index[word] if self.knows(word) else _UNKNOWN_UNIT,)
        if word in _UNKNOWN_WORDS:
            return ()
        units = self._units.encode(self._units.spellable(word))
        # A boundary before each word, the first too, as byte pairs have it.
        return (*([self.symbols.index(WORD_BOUNDARY)] if self.kind == "characters" else []), *units)

    def decode(self, units: Iterable[int]) -> str:
        """The words of a sequence of units."""
        if self._units is None:
            return " ".join(self.symbols[i] for i in units if i != BOUNDARY)
        return self._units.decode(units)

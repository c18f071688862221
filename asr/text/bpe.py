"""Byte-pair encoding (Sennrich et al. 2016), by sentencepiece: frequent strings within words."""

import importlib.util
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from asr.errors import AsrError, Untrainable
from asr.files import atomic_write
from asr.text.units import BEGINNING, BLANK, INSIDE, Spellings, text_of

_SPACE = "▁"  # sentencepiece's, at the beginning of a word's first piece
_LARGEST = 1 << 24  # bytes of a model's file


def _sentencepiece() -> ModuleType:
    if importlib.util.find_spec("sentencepiece") is None:
        raise AsrError("BPE units need sentencepiece: pip install 'asr[bpe]'")
    import sentencepiece

    return sentencepiece


class BpeUnits:
    """Pieces of words, see `asr.text.units.Units`; sentencepiece's <unk> is the blank."""

    vocabulary: Sequence[str] | None = None

    def __init__(self, model: bytes) -> None:
        self.model = model
        self._pieces = _sentencepiece().SentencePieceProcessor(model_proto=model)
        self.symbols = ["<blank>", *(self._pieces.id_to_piece(i)
                                     for i in range(1, self._pieces.get_piece_size()))]
        self.parts = np.array([BEGINNING if s.startswith(_SPACE) else INSIDE
                               for s in self.symbols], np.int8)

    @classmethod
    def from_texts(cls, texts: Iterable[str], size: int) -> "BpeUnits":
        """Learn from texts; see `from_counts`."""
        return cls.from_counts(Counter(word for text in texts for word in text.split()), size)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], size: int) -> "BpeUnits":
        """Learn from words and how often each occurs, which is all that byte pairs depend on.

        Parameters
        ----------
        size : int
            Units, the blank included; there are fewer where the words have no more.

        Raises
        ------
        AsrError
            sentencepiece is not there, there are no words, or `size` is less than the number of
            characters.
        """
        learn = _sentencepiece().SentencePieceTrainer.train
        if not counts:
            raise Untrainable("no words to learn BPE units from")
        least = len(set().union(*map(set, counts))) + 2  # and blank and space
        if size < least:
            raise Untrainable(f"{size} BPE units are fewer than the {least} that blank, space "
                              "and single characters need")
        model = io.BytesIO()
        learn(
            sentence_iterator=(f"{word}\t{count}" for word, count in sorted(counts.items())),
            input_format="tsv", model_writer=model, vocab_size=size, model_type="bpe",
            normalization_rule_name="identity", character_coverage=1.0, bos_id=-1, eos_id=-1,
            pad_id=-1, unk_id=BLANK, hard_vocab_limit=False, num_threads=1, minloglevel=2)
        return cls(model.getvalue())

    @classmethod
    def load(cls, path: Path) -> "BpeUnits":
        """Read what `save` wrote."""
        try:
            if path.stat().st_size > _LARGEST:
                raise AsrError(f"{path}: too large for a sentencepiece model")
            model = path.read_bytes()
        except OSError as error:
            raise AsrError(f"cannot read {path}: {error.strerror}") from error
        try:
            return cls(model)
        except RuntimeError:
            raise AsrError(f"{path}: not a sentencepiece model") from None

    def save(self, path: Path) -> None:
        """Write sentencepiece's model."""
        with atomic_write(path, binary=True) as file:
            file.write(self.model)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Indices of a text's pieces.

        Raises
        ------
        AsrError
            A character is not among the units.
        """
        ids = self._pieces.encode(text)
        if BLANK in ids:
            odd = set(text) - set(self.spellable(text))
            raise AsrError(f"{''.join(sorted(odd))!r} in {text!r} is not among the units; "
                           "normalise the text")
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of indices; blanks are skipped, spaces are folded."""
        return text_of(self.symbols, ids, _SPACE)

    def spellings(self, word: str) -> list[list[int]]:
        """The pieces that `encode` makes of the word, if it can."""
        ids = self._pieces.encode(word)
        return [] if BLANK in ids else [ids]

    def spell(self, words: Sequence[str]) -> Spellings:
        """All words that can be spelt."""
        return Spellings.of(words, self.spellings)

    def spellable(self, text: str) -> str:
        """The text without characters that are no units."""
        return "".join(c for c in text if c == " " or self._pieces.piece_to_id(c) != BLANK)

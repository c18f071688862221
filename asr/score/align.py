"""What alignments of hypotheses with references count."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from asr.score.edits import (
    DELETION,
    INSERTION,
    Edits,
    Tokens,
    edit_counts,
    join_edits,
    unit_counts,
    unit_edits,
)

Alignment = Literal["unit", "sclite"]
"""Costs of substitution, deletion, insertion: 1, 1, 1 as jiwer has them, or 4, 3, 3 as sclite."""
_CHUNK = 10_000  # utterances aligned at once

Pair = tuple[str | None, str | None]
"""Reference and hypothesis word; None faces an inserted or a deleted word."""


@dataclass(frozen=True)
class Counts:
    """What the alignment of N utterances counted; each array has shape (N,), int64."""

    length: np.ndarray
    """Words (or characters) of the reference."""
    substitutions: np.ndarray
    deletions: np.ndarray
    insertions: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Substitutions, deletions and insertions of each utterance."""
        return self.substitutions + self.deletions + self.insertions

    def __getitem__(self, utterances: np.ndarray) -> "Counts":
        """Of some of the utterances."""
        return Counts(self.length[utterances], self.substitutions[utterances],
                      self.deletions[utterances], self.insertions[utterances])


class Words(NamedTuple):
    """The words of N texts as numbers, text after text."""

    numbers: np.ndarray
    """Shape (W,), int32."""
    starts: np.ndarray
    """Where each text starts, and W; shape (N + 1,), int64."""

    def at(self, texts: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Numbers of the words at `positions` of `texts`; shapes as given."""
        return self.numbers[self.starts[texts] + positions]


@dataclass(frozen=True)
class Score:
    """Every utterance's counts, in the order of the references; all rates derive from it."""

    ids: list[str]
    references: list[str]
    """What was compared: single spaces between words, none around them."""
    hypotheses: list[str]
    words: Counts
    characters: Counts
    """Unicode code points of the texts, the single spaces between words among them."""
    edits: Edits
    """Of words, utterance after utterance."""
    vocabulary: list[str]
    """The words of both sides by their numbers."""
    reference_words: Words
    hypothesis_words: Words

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.searchsorted(self.edits.utterance, np.arange(len(self.ids) + 1))

    def utterance_edits(self, index: int) -> list[tuple[int, int, int]]:
        """Kind, reference position and hypothesis position of an utterance's edits, in order."""
        part = slice(self._starts[index], self._starts[index + 1])
        return list(zip(self.edits.kind[part].tolist(), self.edits.reference[part].tolist(),
                        self.edits.hypothesis[part].tolist(), strict=True))

    def alignment(self, index: int) -> list[Pair]:
        """The words of an utterance, side by side."""
        return spell(self.references[index].split(), self.hypotheses[index].split(),
                     self.utterance_edits(index))

    def by_errors(self) -> np.ndarray:
        """All utterances, most errors first, then shortest reference; shape (N,)."""
        return np.lexsort((self.words.length, -self.words.errors))

    def worst(self, number: int) -> list[int]:
        """Up to `number` utterances with errors, in the order of `by_errors`."""
        return [i for i in self.by_errors()[:number].tolist() if self.words.errors[i]]


def score_utterances(pairs: Iterable[tuple[str, str, str]], alignment: Alignment = "unit"
                     ) -> Score:
    """Align utterances, given as (id, reference, hypothesis).

    Words are what `str.split` makes of a text. An empty text has no words and no characters:
    facing an empty reference every word is an insertion.
    """
    align = _aligner(alignment)
    count = _counter(alignment)
    ids: list[str] = []
    references: list[str] = []
    hypotheses: list[str] = []
    # Words become numbers, since rapidfuzz compares other objects by their hash alone.
    numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    expected_words: list[np.ndarray] = []
    found_words: list[np.ndarray] = []
    edits: list[Edits] = []
    words: list[Counts] = []
    characters: list[Counts] = []
    remaining = iter(pairs)
    while chunk := list(itertools.islice(remaining, _CHUNK)):
        ids += [utterance for utterance, _, _ in chunk]
        expected, expected_tokens = _split((reference for _, reference, _ in chunk), numbers)
        found, found_tokens = _split((hypothesis for _, _, hypothesis in chunk), numbers)
        references += expected
        hypotheses += found
        expected_words.append(_flatten(expected_tokens))
        found_words.append(_flatten(found_tokens))
        edits.append(align(expected_tokens, found_tokens))
        words.append(_counts(expected_tokens, edit_counts(edits[-1], len(chunk))))
        characters.append(_counts(expected, count(expected, found)))
    counts = _join_counts(words)
    grown = counts.insertions - counts.deletions
    return Score(ids, references, hypotheses, counts, _join_counts(characters),
                 join_edits(edits, [len(part.length) for part in words]), list(numbers),
                 _join_words(expected_words, counts.length),
                 _join_words(found_words, counts.length + grown))


def _split(texts: Iterable[str], numbers: defaultdict[str, int]
           ) -> tuple[list[str], list[list[int]]]:
    """Texts with single spaces, and their words by number."""
    single_spaced, tokens = [], []
    for text in texts:
        words = text.split()
        joined = " ".join(words)
        single_spaced.append(text if text == joined else joined)  # one string instead of two
        tokens.append(list(map(numbers.__getitem__, words)))
    return single_spaced, tokens


def _flatten(tokens: Sequence[Sequence[int]]) -> np.ndarray:
    return np.fromiter(itertools.chain.from_iterable(tokens), np.int32)


def _join_words(parts: Sequence[np.ndarray], lengths: np.ndarray) -> Words:
    return Words(np.concatenate([np.zeros(0, np.int32), *parts]),
                 np.concatenate([[0], np.cumsum(lengths)]))


def align(reference: Sequence[str], hypothesis: Sequence[str], alignment: Alignment = "unit"
          ) -> list[Pair]:
    """The words of a reference and a hypothesis, side by side."""
    numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    edits = _aligner(alignment)([[numbers[word] for word in reference]],
                                [[numbers[word] for word in hypothesis]])
    return spell(reference, hypothesis, zip(*(column.tolist() for column in edits[1:]),
                                            strict=True))


def spell(reference: Sequence[str], hypothesis: Sequence[str],
          edits: Iterable[tuple[int, int, int]]) -> list[Pair]:
    """Pairs of words from the kinds and positions of edits."""
    pairs: list[Pair] = []
    i = 0
    for kind, at_reference, at_hypothesis in edits:
        pairs += [(word, word) for word in reference[i:at_reference]]
        i = at_reference + (kind != INSERTION)
        pairs.append((None if kind == INSERTION else reference[at_reference],
                      None if kind == DELETION else hypothesis[at_hypothesis]))
    return pairs + [(word, word) for word in reference[i:]]


def _aligner(alignment: Alignment) -> Callable[[Sequence[Tokens], Sequence[Tokens]], Edits]:
    if alignment == "unit":
        return unit_edits
    from asr.score.sclite import sclite_edits  # loads numba, which the default does without

    return sclite_edits


def _counter(alignment: Alignment
             ) -> Callable[[Sequence[Tokens], Sequence[Tokens]], np.ndarray]:
    if alignment == "unit":
        return unit_counts
    align = _aligner(alignment)
    return lambda references, hypotheses: edit_counts(align(references, hypotheses),
                                                      len(references))


def _counts(references: Sequence[Tokens], kinds: np.ndarray) -> Counts:
    return Counts(np.array([len(tokens) for tokens in references], np.int64), *kinds.T)


def _join_counts(parts: Sequence[Counts]) -> Counts:
    return Counts(*(np.concatenate([np.zeros(0, np.int64), *(getattr(part, field)
                                                             for part in parts)])
                    for field in ("length", "substitutions", "deletions", "insertions")))

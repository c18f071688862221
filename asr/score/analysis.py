"""Where the errors are: words taken for others, left out, made up, and unknown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, NamedTuple

import numpy as np

from asr.score.align import Score
from asr.score.edits import DELETION, INSERTION, SUBSTITUTION

FREQUENT = 100


class WordErrors(NamedTuple):
    """A word of the references."""

    word: str
    occurrences: int
    """In the references."""
    substituted: int
    deleted: int


@dataclass(frozen=True)
class Analysis:
    """Each list has up to `FREQUENT`, the most frequent first, equals in order of the words."""

    substitutions: list[tuple[str, str, int]]
    """Reference word, hypothesis word, how often."""
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]
    words: list[WordErrors]
    """Words with errors, those with most errors first, then the rarer ones."""


class Unknown(NamedTuple):
    """Reference words that a vocabulary lacks, and what became of them."""

    words: int
    errors: int
    """Of them substituted or deleted."""
    all_errors: int
    """Substituted and deleted words, known ones among them."""
    frequent: list[tuple[str, int]]
    """Up to `FREQUENT` unknown words, most frequent first."""


def analyse(score: Score) -> Analysis:
    """Count which words the edits are about."""
    edits, words = score.edits, score.vocabulary
    replaced, deleted, inserted = (edits.kind == kind
                                   for kind in (SUBSTITUTION, DELETION, INSERTION))
    before = score.reference_words.at(edits.utterance[replaced], edits.reference[replaced])
    after = score.hypothesis_words.at(edits.utterance[replaced], edits.hypothesis[replaced])
    pairs, times = np.unique(before.astype(np.int64) * len(words) + after, return_counts=True)
    substitutions = _count(before, words)
    deletions = _count(score.reference_words.at(edits.utterance[deleted],
                                                edits.reference[deleted]), words)
    insertions = _count(score.hypothesis_words.at(edits.utterance[inserted],
                                                  edits.hypothesis[inserted]), words)
    occurrences = _count(score.reference_words.numbers, words)
    wrong = substitutions + deletions
    most = nsmallest(
        FREQUENT, (WordErrors(words[i], int(occurrences[i]), int(substitutions[i]),
                              int(deletions[i])) for i in _candidates(wrong)),
        key=lambda w: (-w.substituted - w.deleted, w.occurrences, w.word))
    return Analysis(
        [(*pair, count) for pair, count in _ranked(
            times, lambda i: (words[pairs[i] // len(words)], words[pairs[i] % len(words)]))],
        _ranked(deletions, words.__getitem__), _ranked(insertions, words.__getitem__), most)


def unknown_words(score: Score, vocabulary: frozenset[str]) -> Unknown:
    """Errors at reference words that are not in a vocabulary."""
    unknown = np.array([word not in vocabulary for word in score.vocabulary], bool)
    edits = score.edits
    lost = edits.kind != INSERTION
    wrong = score.reference_words.at(edits.utterance[lost], edits.reference[lost])
    occurrences = _count(score.reference_words.numbers, score.vocabulary) * unknown
    return Unknown(int(occurrences.sum()), int(unknown[wrong].sum()), len(wrong),
                   _ranked(occurrences, score.vocabulary.__getitem__))


def _count(numbers: np.ndarray, vocabulary: Sequence[str]) -> np.ndarray:
    return np.bincount(numbers, minlength=len(vocabulary))


def _candidates(counts: np.ndarray) -> list[int]:
    """Indices of all counts above 0 that may be among the `FREQUENT` greatest, whatever ties."""
    kth = min(FREQUENT, int(np.count_nonzero(counts)))
    least = np.partition(counts, -kth)[-kth] if kth else 1
    return np.flatnonzero(counts >= least).tolist()


def _ranked(counts: np.ndarray, spell: Callable[[int], Any]) -> list[tuple[Any, int]]:
    named = sorted((-int(counts[i]), spell(i)) for i in _candidates(counts))
    return [(name, -count) for count, name in named[:FREQUENT]]

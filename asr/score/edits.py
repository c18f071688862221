"""Edits: what turns references into hypotheses, by the alignment of least cost."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

SUBSTITUTION, DELETION, INSERTION = range(3)
_KINDS: dict[Any, int] = {"replace": SUBSTITUTION, "delete": DELETION, "insert": INSERTION}

Tokens = Sequence[int] | str
"""Words as numbers, or characters: compared by being equal."""


class Edits(NamedTuple):
    """E edits of N utterances, in order; arrays of shape (E,), int32."""

    utterance: np.ndarray
    kind: np.ndarray
    """`SUBSTITUTION`, `DELETION` or `INSERTION`."""
    reference: np.ndarray
    """Position of the word in the reference; of an insertion, of the word it stands before."""
    hypothesis: np.ndarray
    """Position of the word in the hypothesis; of a deletion, of the word it stands before."""


def unit_edits(references: Sequence[Tokens], hypotheses: Sequence[Tokens]) -> Edits:
    """Alignments with cost 1 for every edit (Levenshtein 1966), by rapidfuzz, jiwer's engine.

    Of several least ones it takes the one that jiwer takes, so the counts agree with jiwer's.
    """
    rows = [(utterance, _KINDS[tag], i, j)
            for utterance, (reference, hypothesis)
            in enumerate(zip(references, hypotheses, strict=True))
            for tag, i, j in Levenshtein.editops(reference, hypothesis).as_list()]
    return Edits(*np.array(rows, np.int32).reshape(-1, 4).T)


def unit_counts(references: Sequence[Tokens], hypotheses: Sequence[Tokens]) -> np.ndarray:
    """How many edits of each kind `unit_edits` finds, shape (N, 3); in half of the time."""
    counts = np.zeros((len(references), 3), np.int64)
    for row, reference, hypothesis in zip(counts, references, hypotheses, strict=True):
        kinds = [kind for kind, _, _ in Levenshtein.editops(reference, hypothesis).as_list()]
        replaced = kinds.count("replace")
        deleted = (len(kinds) - replaced + len(reference) - len(hypothesis)) // 2
        row[:] = replaced, deleted, len(kinds) - replaced - deleted
    return counts


def edit_counts(edits: Edits, size: int) -> np.ndarray:
    """How many edits of each kind each of `size` utterances has, shape (size, 3)."""
    return np.bincount(edits.utterance * 3 + edits.kind, minlength=3 * size).reshape(size, 3)


def join_edits(parts: Sequence[Edits], sizes: Sequence[int]) -> Edits:
    """Edits of successive stretches of `sizes` utterances as edits of all of them."""
    starts = itertools.accumulate(sizes, initial=0)
    moved = [part._replace(utterance=part.utterance + np.int32(start))
             for part, start in zip(parts, starts, strict=False)]
    return Edits(*(np.concatenate([np.zeros(0, np.int32), *columns])
                   for columns in (zip(*moved, strict=True) if moved else [()] * 4)))

"""Alignments as NIST's sclite makes them, ties included."""

from collections.abc import Sequence
from itertools import chain

import numba
import numpy as np
from rapidfuzz.distance import Levenshtein

from asr.score.edits import DELETION, INSERTION, SUBSTITUTION, Edits, Tokens

COSTS = (4, 3, 3)
"""Of a substitution, a deletion, an insertion (SCTK, sclite's manual page, Alignment)."""
_SUB, _DEL, _INS = COSTS
_FAR = 1 << 30
_ROWS = 1024  # of a matrix up to which its steps are kept whole


def sclite_edits(references: Sequence[Tokens], hypotheses: Sequence[Tokens]) -> Edits:
    """Alignments of least cost with 4 for a substitution and 3 for a deletion or an insertion.

    Where two steps into a cell of the matrix cost the same, a match or substitution goes first,
    then an insertion, then a deletion; the path is traced from the end (SCTK, net_dp.c).
    """
    expected, found = _flatten(references), _flatten(hypotheses)
    bands = np.array([_band(r, h) for r, h in zip(references, hypotheses, strict=True)],
                     np.int64).reshape(-1, 2)
    # Copies: the arrays are views of buffers with room for the worst case.
    return Edits(*(column.copy() for column in _edits(*expected, *found, bands)))


def _flatten(sequences: Sequence[Tokens]) -> tuple[np.ndarray, np.ndarray]:
    """All tokens in one array, int32, and where each sequence starts and ends."""
    offsets = np.zeros(len(sequences) + 1, np.int64)
    np.cumsum([len(sequence) for sequence in sequences], out=offsets[1:])
    if all(isinstance(sequence, str) for sequence in sequences):
        text = "".join(sequences)  # type: ignore[arg-type]
        flat = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.int32)
    else:
        flat = np.fromiter(chain.from_iterable(sequences), np.int32, int(offsets[-1]))
    return flat, offsets


def _band(reference: Tokens, hypothesis: Tokens) -> tuple[int, int]:
    """Least and greatest hypothesis minus reference position that a path of least cost meets.

    An alignment of u edits costs at most 4 u, and one that strays by k from the diagonals of
    both ends has 2 k insertions and deletions more, at 3 each.
    """
    n, m = len(reference), len(hypothesis)
    edits = Levenshtein.distance(reference, hypothesis)
    stray = (max(COSTS) * edits // min(_DEL, _INS) - abs(m - n)) // 2 + 1
    return max(-n, min(0, m - n) - stray), min(m, max(0, m - n) + stray)


@numba.njit(cache=True, nogil=True)
def _edits(references, starts, hypotheses, begins, bands):  # type: ignore[no-untyped-def]
    size = len(references) + len(hypotheses)
    utterance, kind = np.empty(size, np.int32), np.empty(size, np.int32)
    at_reference, at_hypothesis = np.empty(size, np.int32), np.empty(size, np.int32)
    count = 0
    for u in range(len(bands)):
        first = count
        reference = references[starts[u]:starts[u + 1]]
        hypothesis = hypotheses[begins[u]:begins[u + 1]]
        count = _trace(reference, hypothesis, bands[u, 0], bands[u, 1], kind, at_reference,
                       at_hypothesis, count)
        utterance[first:count] = u
        for part in (kind, at_reference, at_hypothesis):
            part[first:count] = part[first:count][::-1].copy()
    return utterance[:count], kind[:count], at_reference[:count], at_hypothesis[:count]


@numba.njit(cache=True, nogil=True)
def _trace(reference, hypothesis, low, high, kind, at_reference, at_hypothesis,  # type: ignore[no-untyped-def]
           count):
    """Write one alignment's edits, last first, from index `count`; returns the next index.

    The matrix's steps are kept for a block of rows at a time: the blocks' first rows are kept
    instead, and a block is computed again when the path comes to it. So memory grows with the
    square root of the rows.
    """
    n, m = len(reference), len(hypothesis)
    block = max(_ROWS, int(2 * np.sqrt(n)))
    blocks = max(1, -(-n // block))
    width = high - low + 1
    tops = np.empty((blocks, width + 1), np.int32)
    for c in range(width + 1):
        tops[0, c] = _INS * (c + low) if 0 <= c + low <= m and c < width else _FAR
    nothing = np.empty((0, 0), np.uint8)
    for b in range(1, blocks):
        tops[b] = tops[b - 1]
        _advance(reference, hypothesis, low, (b - 1) * block, b * block, tops[b], nothing)
    steps = np.empty((min(n, block), width), np.uint8)
    i, j = n, m
    for b in range(blocks - 1, -1, -1):
        top = b * block
        _advance(reference, hypothesis, low, top, min(n, top + block), tops[b], steps)
        while i > top or (b == 0 and j > 0):
            step = INSERTION if i == 0 else steps[i - top - 1, j - i - low]
            if step == SUBSTITUTION and reference[i - 1] == hypothesis[j - 1]:
                i -= 1
                j -= 1
                continue
            if step != INSERTION:
                i -= 1
            if step != DELETION:
                j -= 1
            kind[count], at_reference[count], at_hypothesis[count] = step, i, j
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _advance(reference, hypothesis, low, first, last, row, steps):  # type: ignore[no-untyped-def]
    """Turn `row` of the matrix from reference position `first` to `last`, keeping the steps.

    Element c of row i is the cost at hypothesis position i + low + c; the last is a wall.
    """
    width = len(row) - 1
    for i in range(first + 1, last + 1):
        word = reference[i - 1]
        begin = max(0, -low - i)
        left = _FAR
        if begin == -low - i and begin < width:  # hypothesis position 0
            left = row[begin] = _DEL * i
            if len(steps):
                steps[i - first - 1, begin] = DELETION
            begin += 1
        for c in range(begin, min(width, len(hypothesis) - low - i + 1)):
            cost, step = row[c], SUBSTITUTION
            if word != hypothesis[i + low + c - 1]:
                cost += _SUB
            inserted, deleted = left + _INS, row[c + 1] + _DEL
            if inserted < cost:
                cost, step = inserted, INSERTION
            if deleted < cost:
                cost, step = deleted, DELETION
            left = row[c] = cost
            if len(steps):
                steps[i - first - 1, c] = step

"""Forced alignment: which frames stand for which unit of a known labelling."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from asr.text.units import BLANK

BEFORE, AFTER = 0.02, 0.05
"""Seconds beside a pause by which a word begins before its first unit's frames, and ends after its
last unit's. On dev-clean the energy rises 0 and falls 0.05 s beyond them (medians)."""
PAUSE = 0.2
"""Seconds between two words' frames that may be a stop's closure or the end of a vowel."""


class Spans(NamedTuple):
    """Where L units lie: frames `start` to `end` (exclusive), and the highest posterior there."""

    start: np.ndarray
    end: np.ndarray
    peak: np.ndarray


@njit(nogil=True)
def _step(row: np.ndarray, labels: np.ndarray, score: np.ndarray, back: np.ndarray) -> None:
    """One frame of Viterbi search in place; state 2k is the blank before label k, 2k+1 the label.

    `back` gets how many states each came up.
    """
    for state in range(len(score) - 1, -1, -1):  # downwards: lower states are still the old ones
        best, up = score[state], 0
        if state > 0 and score[state - 1] > best:
            best, up = score[state - 1], 1
        unit = BLANK
        if state % 2:
            unit = labels[state // 2]
            if state > 1 and unit != labels[state // 2 - 1] and score[state - 2] > best:
                best, up = score[state - 2], 2
        score[state] = best + row[unit]
        back[state] = up


@njit(nogil=True, cache=True)
def align(log_posteriors: np.ndarray, labels: np.ndarray, memory: int = 1 << 24) -> np.ndarray:
    """The most probable path of a labelling; ties go to the path that moves on earlier.

    Back-pointers are kept for one block of frames at a time, from the last block to the first,
    each search resuming at scores kept from a first pass: memory grows as sqrt(T)·L, not T·L.
    For an hour of speech in characters (T = 120,000, L = 55,000) it is 0.2 GB.

    Parameters
    ----------
    log_posteriors : np.ndarray, shape = (T, V), float32
    labels : np.ndarray, shape = (L,), int32
        Units without blanks.
    memory : int
        Bytes of back-pointers held at once, as long as sqrt(8·T) frames need no more.

    Returns
    -------
    np.ndarray, shape = (T,), int32
        For each frame the index in `labels` that it stands for, -1 for blank.

    Raises
    ------
    ValueError
        No path of T frames has this labelling, or its probability is 0.
    """
    frames, states = len(log_posteriors), 2 * len(labels) + 1
    if frames < len(labels):
        raise ValueError("no path has this labelling")
    # For each state a byte of pointers in every frame of a block, eight of scores in every block.
    block = max(int(np.sqrt(8 * frames)) + 1, memory // states)
    blocks = (frames + block - 1) // block
    score = np.full(states, -np.inf)
    score[0] = 0.0  # before the first frame
    back = np.empty((min(block, frames), states), np.uint8)
    resume = np.empty((max(blocks, 1), states))
    resume[0] = score
    for b in range(1, blocks):
        for t in range((b - 1) * block, b * block):
            _step(log_posteriors[t], labels, score, back[0])
        resume[b] = score

    path = np.empty(frames, np.int32)
    state = 0
    for b in range(blocks - 1, -1, -1):
        first, end = b * block, min((b + 1) * block, frames)
        score[:] = resume[b]
        for t in range(first, end):
            _step(log_posteriors[t], labels, score, back[t - first])
        if end == frames:
            state = states - 1 if states == 1 or score[-1] >= score[-2] else states - 2
            if score[state] == -np.inf:
                raise ValueError("no path has this labelling")
        for t in range(end - 1, first - 1, -1):
            path[t] = state // 2 if state % 2 else -1
            state -= back[t - first, state]
    return path


@njit(nogil=True, cache=True)
def unit_spans(log_posteriors: np.ndarray, labels: np.ndarray, path: np.ndarray) -> Spans:
    """Frames and highest posterior of each unit along a path of `align` or `greedy_search`."""
    start = np.empty(len(labels), np.int64)
    end = np.empty(len(labels), np.int64)
    peak = np.zeros(len(labels))
    last = -1
    for t in range(len(path)):
        k = path[t]
        if k < 0:
            continue
        if k != last:
            start[k] = t
            last = k
        end[k] = t + 1
        peak[k] = max(peak[k], np.exp(log_posteriors[t, labels[k]]))
    return Spans(start, end, peak)


def unit_times(spans: Spans, words: Sequence[Sequence[int]], frame_shift: float, duration: float
               ) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of each unit in seconds.

    CTC shows where a unit is recognised, often in one frame alone, not where it begins and ends.
    Neighbours share what lies between their frames half and half, within words and between them;
    but where it is more than a `PAUSE` between two words, the one ends `AFTER` its last unit's
    frames, and the other begins `BEFORE` its first unit's.

    Parameters
    ----------
    words : sequence of sequence of int
        The places of each word's units; units of no word stay where their frames are.
    frame_shift, duration : float
        Seconds that a frame and all of the audio last.
    """
    starts, ends = spans.start * frame_shift, spans.end * frame_shift
    order = np.array([i for word in words for i in word], int)
    word = np.repeat(np.arange(len(words)), [len(own) for own in words])
    gaps = starts[order[1:]] - ends[order[:-1]]
    shared = (np.diff(word) == 0) | (gaps <= PAUSE + 1e-6)
    middles = ends[order[:-1]] + gaps / 2
    starts[order] -= BEFORE
    ends[order] += AFTER
    starts[order[1:]] = np.where(shared, middles, starts[order[1:]])
    ends[order[:-1]] = np.where(shared, middles, ends[order[:-1]])
    return starts.clip(0, duration), ends.clip(0, duration)

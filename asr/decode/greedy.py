"""Greedy search: the best unit of each frame, repeats merged, blanks removed."""

from collections.abc import Iterator

import numpy as np
from numba import njit

from asr.decode.beam import Labelling
from asr.text.units import BLANK


@njit(nogil=True, cache=True)
def greedy_search(log_posteriors: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The labelling of the most probable path (Graves et al. 2006, section 3.2).

    Parameters
    ----------
    log_posteriors : np.ndarray, shape = (T, V), float32
        Natural log; of units that tie in a frame the first wins.

    Returns
    -------
    labels : np.ndarray, shape = (L,), int32
        Units without blanks.
    path : np.ndarray, shape = (T,), int32
        For each frame the index in `labels` that it stands for, -1 for blank.
    score : float
        Natural log of the path's probability.
    """
    frames = log_posteriors.shape[0]
    labels = np.empty(frames, np.int32)
    path = np.empty(frames, np.int32)
    score, count, last = 0.0, 0, BLANK
    for t in range(frames):
        unit = int(np.argmax(log_posteriors[t]))
        score += log_posteriors[t, unit]
        if unit != BLANK and unit != last:
            labels[count] = unit
            count += 1
        path[t] = -1 if unit == BLANK else count - 1
        last = unit
    return labels[:count].copy(), path, score


class GreedySearch:
    """Greedy search that takes an utterance's frames as they come, as `BeamSearch` does."""

    def __init__(self) -> None:
        self._labels = np.zeros(0, np.int32)
        self._score = 0.0
        self._last = BLANK  # best unit of the last frame

    def push(self, log_posteriors: np.ndarray) -> None:
        """Go on by some frames, shape = (T, V), float32."""
        if not len(log_posteriors):
            return
        labels, path, score = greedy_search(log_posteriors)
        goes_on = path[0] == 0 and labels[0] == self._last  # a label that the block before ends in
        self._labels = np.append(self._labels, labels[int(goes_on):])
        self._score += score
        self._last = int(labels[path[-1]]) if path[-1] >= 0 else BLANK

    def best(self) -> Labelling:
        """The labelling of the best path so far; `acoustic` is the path's."""
        return Labelling(self._labels, np.zeros(len(self._labels) + 1, np.int32), self._score, 0.0)

    def labellings(self) -> Iterator[Labelling]:
        """The only one: `best`."""
        yield self.best()

    def stable(self) -> int:
        """How many of its units will not change: all."""
        return len(self._labels)

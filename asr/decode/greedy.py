"""Greedy search: the best unit of each frame, repeats merged, blanks removed."""

import numpy as np
from numba import njit

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

"""The CTC loss of a batch on a CPU: an utterance in a thread, all states of a frame in a few loops.

Torch's takes eight times as long, 6 % of a step of the usual network (docs/training.md).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numba import njit
from torch import Tensor

from asr.parallel import ordered_map
from asr.text.units import BLANK

_Function = TypeVar("_Function", bound=Callable)
_f = np.float32
_NEVER = _f(-1e30)  # log probability; the difference of two of them is 0, not undefined
_FRAMES = 16
"""After so many, log probabilities are made relative to the highest: near 0 they are exact."""


def occupancies(posteriors: Tensor, labels: Tensor, lengths: Tensor, label_lengths: Tensor
                ) -> tuple[Tensor, Tensor]:
    """See `asr.train.ctc.occupancies`; 0 as well where the loss is infinite."""
    occupancy = torch.zeros_like(posteriors, memory_format=torch.contiguous_format)
    arrays = posteriors.detach().contiguous().numpy(), occupancy.numpy()
    units = [part.numpy() for part in labels.split(label_lengths.tolist())]

    def one(n: int) -> float:
        return _utterance(*arrays, n, int(lengths[n]), units[n])

    losses = list(ordered_map(one, range(len(units)), torch.get_num_threads()))
    return torch.tensor(losses), occupancy


def compiled(function: _Function) -> _Function:
    """LLVM makes vectors of loops over whole arrays: those stand in functions of their own."""
    made: Any = njit(nogil=True, cache=True, fastmath={"contract", "reassoc"},
                     error_model="numpy")(function)
    return made


@compiled
def _exp(x: np.float32) -> np.float32:
    """Of no more than 0: 2^k e^r, e^r to the sixth power of r, to within 1e-7."""
    x = max(x, _f(-80))
    k = np.floor(_f(0.5) + _f(1 / np.log(2)) * x)
    r = x - _f(np.log(2)) * k
    power = _f(1 / 720) * r + _f(1 / 120)
    power = power * r + _f(1 / 24)
    power = power * r + _f(1 / 6)
    power = power * r + _f(1 / 2)
    power = power * r + _f(1)
    power = power * r + _f(1)
    return power * np.uint32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def _log(x: np.float32) -> np.float32:
    """Of 1 to 3: log √3 + 2 artanh z, artanh z to the ninth power of z, to within 1e-7."""
    z = (x - _f(np.sqrt(3))) / (x + _f(np.sqrt(3)))
    square = z * z
    power = _f(2 / 9) * square + _f(2 / 7)
    power = power * square + _f(2 / 5)
    power = power * square + _f(2 / 3)
    power = power * square + _f(2)
    return power * z + _f(np.log(3) / 2)


@compiled
def _into_blanks(blanks: np.ndarray, labels: np.ndarray, posterior: np.float32, out: np.ndarray
                 ) -> None:
    for s in range(len(out)):
        a, b = blanks[s], labels[s]
        out[s] = max(a, b) + _log(_f(1) + _exp(-abs(a - b))) + posterior


@compiled
def _into_labels(labels: np.ndarray, blanks: np.ndarray, labels_before: np.ndarray,
                 skip: np.ndarray, posteriors: np.ndarray, out: np.ndarray) -> None:
    for s in range(len(out)):
        a, b, c = labels[s], blanks[s], labels_before[s] + skip[s]
        top = max(max(a, b), c)
        out[s] = top + _log(_exp(a - top) + _exp(b - top) + _exp(c - top)) + posteriors[s]


@compiled
def _forward(blank_posteriors: np.ndarray, label_posteriors: np.ndarray, skip: np.ndarray
             ) -> tuple[np.ndarray, np.ndarray, float]:
    """Forward variables (Graves et al. 2006, equations 6 and 7), and the log probability of all.

    Those of the blanks, shape (T, L + 1), and of the labels, one further to the right, relative to
    what has the same frame.
    """
    frames, length = label_posteriors.shape
    blanks = np.empty((frames, length + 1), np.float32)
    labels = np.empty((frames, length + 1), np.float32)
    blanks[0] = _NEVER
    labels[:, 0] = _NEVER
    labels[0, 1:] = _NEVER
    blanks[0, 0] = blank_posteriors[0]
    labels[0, 1:2] = label_posteriors[0, :1]
    relative_to = 0.0
    for t in range(1, frames):
        blank, label = blanks[t - 1], labels[t - 1]
        if t % _FRAMES == 0:
            top = max(blank.max(), label.max())
            blank -= top
            label -= top
            relative_to += top
        _into_blanks(blank, label, blank_posteriors[t], blanks[t])
        _into_labels(label[1:], blank[:-1], label[:-1], skip, label_posteriors[t], labels[t, 1:])
    end = np.empty(1, np.float32)
    _into_blanks(blanks[-1, length:], labels[-1, length:], _f(0), end)
    return blanks, labels, relative_to + end[0]


@compiled
def _through(forth: np.ndarray, back: np.ndarray, out: np.ndarray) -> None:
    """Paths through each state of a frame: `back` is of the utterance from its end, so mirrored.

    Both have the frame's own posterior in them.
    """
    last = len(out) - 1
    for s in range(len(out)):
        out[s] = forth[s] + back[last - s]


@compiled
def _relative(x: np.ndarray, top: np.float32) -> np.float32:
    """Probabilities relative to e^top in place of their logarithms; their sum."""
    total = _f(0)
    for s in range(len(x)):
        x[s] = _exp(x[s] - top)
        total += x[s]
    return total


@compiled
def _utterance(posteriors: np.ndarray, occupancy: np.ndarray, n: int, frames: int,
               units: np.ndarray) -> float:
    """Loss of an utterance, whose part of `occupancy` is filled in."""
    length = len(units)
    blank_posteriors = posteriors[:frames, n, BLANK].copy()
    label_posteriors = np.empty((frames, length), np.float32)
    for t in range(frames):
        for s in range(length):
            label_posteriors[t, s] = posteriors[t, n, units[s]]
    skip = np.zeros(length, np.float32)  # of the blank before, unless that keeps two labels apart
    skip[:1] = _NEVER
    for s in range(1, length):
        if units[s] == units[s - 1]:
            skip[s] = _NEVER
    skip_back = np.full(length, _NEVER)
    skip_back[1:] = skip[:0:-1]

    blanks, labels, total = _forward(blank_posteriors, label_posteriors, skip)
    if total < _NEVER / 2:
        return np.inf
    blanks_back, labels_back, _ = _forward(
        blank_posteriors[::-1].copy(), label_posteriors[::-1, ::-1].copy(), skip_back)
    through_blanks = np.empty(length + 1, np.float32)
    through_labels = np.empty(length, np.float32)
    for t in range(frames):
        _through(blanks[t], blanks_back[frames - 1 - t], through_blanks)
        _through(labels[t, 1:], labels_back[frames - 1 - t, 1:], through_labels)
        through_blanks -= blank_posteriors[t]
        through_labels -= label_posteriors[t]
        top = through_blanks.max()
        if length:
            top = max(top, through_labels.max())
        by_blanks = _relative(through_blanks, top)
        all_paths = by_blanks + _relative(through_labels, top)
        occupancy[t, n, BLANK] = by_blanks / all_paths
        for s in range(length):
            occupancy[t, n, units[s]] += through_labels[s] / all_paths
    return -total

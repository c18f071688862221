"""The recurrence of wide LSTM layers on a CPU in bfloat16, frame by frame.

torch leaves a layer to oneDNN, whose backward pass in bfloat16 takes several times as long as its
arithmetic where layers are wide or utterances few (docs/training.md). Here a frame is one product
of torch's and one pass over the cells, compiled by numba; the rest are large products over all
frames. Up to 320 units oneDNN is as fast or faster.
"""

# mypy: allow-untyped-defs, allow-untyped-decorators
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from numba import njit
from torch import Tensor

_ROWS = 16  # utterances that a thread has at least: products of fewer take about as long


def forward(inputs: Tensor, weights: Tensor, lengths: Tensor, gates: Tensor, cells: Tensor,
            y: Tensor) -> None:
    """See `asr.model.recurrence.Frames`; in bfloat16."""
    arrays = _bits(_four(gates)), cells.numpy(), _bits(y), lengths.numpy()

    def run(d: int, order: range, utterances: slice) -> None:
        transposed = weights[d].T
        given, found, outputs = (x[:, utterances, d] for x in (inputs, gates, y))
        found[order[0]] = given[order[0]]
        lstm_frame_forward(*arrays, order[0], -1, d, utterances.start, utterances.stop)
        for before, t in pairwise(order):
            torch.addmm(given[t], outputs[before], transposed, out=found[t])
            lstm_frame_forward(*arrays, t, before, d, utterances.start, utterances.stop)

    _share(run, y.shape)


def backward(gradient: Tensor, weights: Tensor, lengths: Tensor, gates: Tensor, cells: Tensor,
             by_inputs: Tensor) -> None:
    """See `asr.model.recurrence.Frames`."""
    arrays = (_bits(gradient), _bits(_four(gates)), cells.numpy(), _bits(_four(by_inputs)),
              lengths.numpy())

    def run(d: int, order: range, utterances: slice) -> None:
        found = by_inputs[:, utterances, d]
        by_outputs = torch.zeros_like(gradient[0, utterances, d])
        carried = _bits(by_outputs), np.zeros(by_outputs.shape, np.float32)
        for t in reversed(order):
            before = t - order.step if t != order[0] else -1
            lstm_frame_backward(*carried, *arrays, t, before, d, utterances.start,
                                utterances.stop)
            torch.mm(found[t], weights[d], out=by_outputs)

    _share(run, gradient.shape)


def _share(run: Callable[[int, range, slice], None], shape: Sequence[int]) -> None:
    """Call `run` with each direction, the order of its frames, and utterances, in threads.

    Parameters
    ----------
    shape : sequence of int
        That of the outputs.
    """
    frames, size, directions, _ = shape
    orders = [range(frames), range(frames - 1, -1, -1)]
    threads = torch.get_num_threads()
    parts = max(1, min(threads // directions, size // _ROWS))
    edges = [size * part // parts for part in range(parts + 1)]
    tasks = [(d, orders[d], slice(first, last)) for d in range(directions)
             for first, last in pairwise(edges)]

    def call(task: tuple[int, range, slice]) -> None:
        with torch.no_grad():  # which threads have for themselves
            run(*task)

    list(map(call, tasks) if threads == 1 else _pool(threads).map(call, tasks))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "recurrence", torch.set_num_threads, (1,))


def _four(gates: Tensor) -> Tensor:
    return gates.unflatten(-1, (4, -1))


def _bits(x: Tensor) -> np.ndarray:
    """bfloat16, which numpy lacks, as the upper halves of float32 that its values are."""
    return x.view(torch.int16).numpy().view(np.uint16)


@njit(nogil=True, inline="always")
def _wide(bits):
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@njit(nogil=True, inline="always")
def _narrow(x):
    """To the nearest, of two as near to the even one."""
    bits = np.float32(x).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@njit(nogil=True, inline="always")
def _tanh(x):
    """Off by less than 1e-5: the ninth convergent of Lambert's continued fraction, cut off at 1."""
    x = min(max(x, np.float32(-6.297)), np.float32(6.297))
    s = x * x
    return x * (np.float32(34459425) + s * (np.float32(4729725) + s * (
        np.float32(135135) + s * (np.float32(990) + s)))) / (
        np.float32(34459425) + s * (np.float32(16216200) + s * (np.float32(945945) + s * (
            np.float32(13860) + s * np.float32(45)))))


@njit(nogil=True, inline="always")
def _sigmoid(x):
    return np.float32(0.5) + np.float32(0.5) * _tanh(np.float32(0.5) * x)


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def lstm_frame_forward(gates, cells, y, lengths, t, before, d, start, stop):
    """Cells and outputs of a frame; its gates, before their functions, become what these give.

    Parameters
    ----------
    gates : array, shape = (T, N, D, 4, H), uint16
    cells : array, shape = (T, N, D, H), float32
    y : array, shape = (T, N, D, H), uint16
    before : int
        The frame before in this direction; -1 in the first one.
    start, stop : int
        Which utterances.
    """
    units = cells.shape[3]
    none = np.zeros(units, np.float32)
    for n in range(start, stop):
        cell, h = cells[t, n, d], y[t, n, d]
        if t >= lengths[n]:
            cell[:] = 0  # what the second direction's first frame finds before it
            continue
        i, f, g, o = gates[t, n, d, 0], gates[t, n, d, 1], gates[t, n, d, 2], gates[t, n, d, 3]
        old = cells[before, n, d] if before >= 0 else none
        for u in range(units):
            input_gate, forget_gate = _sigmoid(_wide(i[u])), _sigmoid(_wide(f[u]))
            candidate, output_gate = _tanh(_wide(g[u])), _sigmoid(_wide(o[u]))
            value = forget_gate * old[u] + input_gate * candidate
            cell[u] = value
            h[u] = _narrow(output_gate * _tanh(value))
            i[u], f[u] = _narrow(input_gate), _narrow(forget_gate)
            g[u], o[u] = _narrow(candidate), _narrow(output_gate)


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def lstm_frame_backward(by_h, by_cells, by_y, gates, cells, by_gates, lengths, t, before, d, start,
                        stop):
    """The loss by a frame's gates, before their functions.

    Parameters
    ----------
    by_h : array, shape = (stop - start, H), uint16
        The loss by the frame's outputs, through the gates of the frame after.
    by_cells : array, shape = (stop - start, H), float32
        The loss by the frame's cells, through the cells of the frame after; becomes that by the
        cells of the frame before.
    by_y : array, shape = (T, N, D, H), uint16
        The loss by the layer's outputs.
    by_gates : array, shape = (T, N, D, 4, H), uint16
        Where the result goes.
    """
    units = cells.shape[3]
    none = np.zeros(units, np.float32)
    for n in range(start, stop):
        if t >= lengths[n]:
            continue
        i, f, g, o = gates[t, n, d, 0], gates[t, n, d, 1], gates[t, n, d, 2], gates[t, n, d, 3]
        by_i, by_f = by_gates[t, n, d, 0], by_gates[t, n, d, 1]
        by_g, by_o = by_gates[t, n, d, 2], by_gates[t, n, d, 3]
        cell, by_cell = cells[t, n, d], by_cells[n - start]
        later, own = by_h[n - start], by_y[t, n, d]
        old = cells[before, n, d] if before >= 0 else none
        for u in range(units):
            input_gate, forget_gate = _wide(i[u]), _wide(f[u])
            candidate, output_gate = _wide(g[u]), _wide(o[u])
            squashed = _tanh(cell[u])
            by_output = _wide(own[u]) + _wide(later[u])
            by_value = by_cell[u] + by_output * output_gate * (1 - squashed * squashed)
            by_i[u] = _narrow(by_value * candidate * input_gate * (1 - input_gate))
            by_f[u] = _narrow(by_value * old[u] * forget_gate * (1 - forget_gate))
            by_g[u] = _narrow(by_value * input_gate * (1 - candidate * candidate))
            by_o[u] = _narrow(by_output * squashed * output_gate * (1 - output_gate))
            by_cell[u] = by_value * forget_gate

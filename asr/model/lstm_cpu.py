"""The recurrence of LSTM layers on a CPU in bfloat16: all frames of some utterances in one loop.

A frame waits for the one before, and what is left of it is a product of few rows, one for each
utterance. oneDNN, whose LSTM is torch's, makes those at a third to three quarters of a core's rate;
`_multiply` makes them at all of it, whatever their number. The rest are large products over all
frames. A row's sums have one order, which does not depend on the rows beside it or on the threads.
"""

# mypy: allow-untyped-defs, allow-untyped-decorators
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from torch import Tensor

_LANES = 16  # float32 of a register
_VECTORS = 4  # registers that a row of a tile has: so many columns of weights lie side by side
_COLUMNS = _LANES * _VECTORS
_ROWS = 6  # of a tile: 24 registers of sums, 4 of weights and one of the other side, of 32


def available(units: int) -> bool:
    """Whether layers of so many units can have it: x86 with AVX-512's products of bfloat16.

    Not where there is AMX, which is faster still, and oneDNN knows how to use it.
    """
    features = _features()
    return (units % _COLUMNS == 0 and "+avx512bf16" in features
            and "+amx-bf16" not in features)


def _features() -> list[str]:
    """What numba compiles for, which its users may have told it: not always what is here."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return features.split(",")


def forward(inputs: Tensor, bias: Tensor, weights: Tensor, lengths: Tensor, gates: Tensor,
            cells: Tensor, y: Tensor) -> None:
    """See `asr.model.recurrence.Frames`; in bfloat16."""
    arrays = (_bits(_four(inputs)), bias.numpy(), _packed(weights), lengths.numpy(),
              _bits(_four(gates)), cells.numpy(), _bits(y))
    _share(lambda *part: lstm_forward(*arrays, *part), y)


def backward(gradient: Tensor, weights: Tensor, lengths: Tensor, gates: Tensor, cells: Tensor,
             by_inputs: Tensor, by_bias: Tensor) -> None:
    """See `asr.model.recurrence.Frames`."""
    parts = by_bias.new_zeros(len(gates[0]), *by_bias.shape)
    arrays = (_bits(gradient), _packed(weights.transpose(1, 2)), lengths.numpy(),
              _bits(_four(gates)), cells.numpy(), _bits(_four(by_inputs)), _four(parts).numpy())
    _share(lambda *part: lstm_backward(*arrays, *part), gradient)
    torch.sum(parts, 0, out=by_bias)


def _share(run: Callable[[int, int, int], None], y: Tensor) -> None:
    """Call `run` in threads with each direction and the first and the end of its utterances."""
    size, directions = y.shape[1:3]
    threads = torch.get_num_threads()
    parts = max(1, min(threads // directions, size // _ROWS))
    edges = [size * part // parts for part in range(parts + 1)]
    tasks = [(d, *edge) for d in range(directions) for edge in pairwise(edges)]
    list(_pool(threads).map(run, *zip(*tasks, strict=True)))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "recurrence")


def _four(gates: Tensor) -> Tensor:
    """With an axis for the gates: LLVM makes vectors of `[1, u]`, but not always of a place that is
    computed from u and used twice, which took the cells' functions four times as long.
    """
    return gates.unflatten(-1, (4, -1))


def _bits(x: Tensor) -> np.ndarray:
    """bfloat16, which numpy lacks, as the upper halves of float32 that its values are."""
    return x.view(torch.int16).numpy().view(np.uint16)


def _packed(weights: Tensor) -> np.ndarray:
    """Weights in the order in which `_multiply` reads them.

    Parameters
    ----------
    weights : Tensor, shape = (D, C, K), bfloat16

    Returns
    -------
    np.ndarray, shape = (D, C / `_COLUMNS`, K / 2, `_COLUMNS`), int32
        Two neighbours of K in each.
    """
    pairs = weights.contiguous().view(torch.int32).unflatten(1, (-1, _COLUMNS))
    return pairs.transpose(2, 3).contiguous().numpy()


@intrinsic
def _multiply(typing_context, rows, left, left_step, right, bias, out, out_step, pairs):
    """A tile of a matrix product: `rows` up to `_ROWS`, `_COLUMNS` columns.

    All are integers: `left` (bfloat16), `right` (a block of `_packed`), `bias` (a row of float32
    that sums begin with) and `out` (float32) are addresses, steps the bytes from one row to the
    next, `pairs` half the numbers that are summed.

    numba has no vectors, so this is written in LLVM's language: a loop for each number of rows,
    in which the sums stay in registers and `vdpbf16ps` adds a pair of products to each of 16.
    """
    integer, pair = ir.IntType(64), ir.IntType(32)
    sixteen_sums, sixteen_pairs = ir.VectorType(ir.FloatType(), _LANES), ir.VectorType(pair, _LANES)

    def generate(context, builder, signature, arguments):
        rows, left, left_step, right, bias, out, out_step, pairs = arguments
        name = "llvm.x86.avx512bf16.dpbf16ps.512"
        add_products = builder.module.globals.get(name) or ir.Function(
            builder.module,
            ir.FunctionType(sixteen_sums, [sixteen_sums, sixteen_pairs, sixteen_pairs]), name)

        def pointer(kind, start, *offsets):
            for number, step in offsets:
                start = builder.add(start, builder.mul(number, step))
            return builder.inttoptr(start, kind.as_pointer())

        def multiply(height):
            """Go over all pairs for so many rows."""
            before = builder.block
            begin = [builder.load(pointer(sixteen_sums, bias, (integer(v), integer(4 * _LANES))),
                                  align=4) for v in range(_VECTORS)]
            loop = builder.append_basic_block("loop")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(integer)
            sums = [[builder.phi(sixteen_sums) for _ in range(_VECTORS)] for _ in range(height)]
            weights = [builder.load(
                pointer(sixteen_pairs, right, (k, integer(4 * _COLUMNS)),
                        (integer(v), integer(4 * _LANES))), align=4) for v in range(_VECTORS)]
            for row, own in enumerate(sums):
                value = builder.load(pointer(pair, left, (integer(row), left_step),
                                             (k, integer(4))), align=2)
                value = builder.insert_element(sixteen_pairs(ir.Undefined), value, pair(0))
                value = builder.shuffle_vector(value, value, sixteen_pairs([0] * _LANES))
                for v, total in enumerate(own):
                    own[v] = builder.call(add_products, [total, value, weights[v]])
                    total.add_incoming(begin[v], before)
                    total.add_incoming(own[v], loop)
            following = builder.add(k, integer(1))
            k.add_incoming(integer(0), before)
            k.add_incoming(following, loop)
            done = builder.append_basic_block("done")
            builder.cbranch(builder.icmp_unsigned("<", following, pairs), loop, done)
            builder.position_at_end(done)
            for row, own in enumerate(sums):
                for v, total in enumerate(own):
                    builder.store(total, pointer(sixteen_sums, out, (integer(row), out_step),
                                                 (integer(v), integer(4 * _LANES))), align=4)

        end = builder.append_basic_block("end")
        choice = builder.switch(rows, end)
        for height in range(1, _ROWS + 1):
            start = builder.append_basic_block("rows")
            choice.add_case(integer(height), start)
            builder.position_at_end(start)
            multiply(height)
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 8), generate


@njit(nogil=True, inline="always")
def _product(left, right, bias, out):
    """`out` (n, C) = `bias` (C,), float32, + `left` (n, …), K values of bfloat16 in a row, times
    what was (C, K) before `_packed`.
    """
    for block in range(len(right)):
        place = block * _COLUMNS
        for first in range(0, len(out), _ROWS):
            _multiply(min(len(out) - first, _ROWS),  # type: ignore[call-arg]
                      np.intp(left[first:].ctypes.data), left.strides[0],
                      np.intp(right[block].ctypes.data), np.intp(bias[place:].ctypes.data),
                      np.intp(out[first:, place:].ctypes.data), out.strides[0], right.shape[1])


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
def lstm_forward(inputs, bias, weights, lengths, gates, cells, y, d, start, stop):
    """Fill `gates`, `cells` and `y` of a direction of some utterances.

    Parameters
    ----------
    inputs, gates : array, shape = (T, N, D, 4, H), uint16
        Before their functions, and after.
    bias : array, shape = (D, 4 · H), float32
    weights : array
        `_packed`, of shape (D, 4 · H, H).
    cells : array, shape = (T, N, D, H), float32
    y : array, shape = (T, N, D, H), uint16
    start, stop : int
        Which utterances.
    """
    frames, _, _, units = y.shape
    sums = np.empty((stop - start, 4 * units), np.float32)
    sums[:] = bias[d]
    totals = sums.reshape(-1, 4, units)
    none = np.zeros(units, np.float32)
    for step in range(frames):
        t, before = (frames - 1 - step, frames - step) if d else (step, step - 1)
        if step:
            _product(y[before, start:stop, d], weights[d], bias[d], sums)
        for n in range(start, stop):
            cell, h = cells[t, n, d], y[t, n, d]
            if t >= lengths[n]:
                cell[:], h[:] = 0, 0  # what the second direction's first frame finds before it
                continue
            given, total, found = inputs[t, n, d], totals[n - start], gates[t, n, d]
            old = cells[before, n, d] if step else none
            for u in range(units):
                i = _sigmoid(_wide(given[0, u]) + total[0, u])
                f = _sigmoid(_wide(given[1, u]) + total[1, u])
                g = _tanh(_wide(given[2, u]) + total[2, u])
                o = _sigmoid(_wide(given[3, u]) + total[3, u])
                value = f * old[u] + i * g
                cell[u] = value
                h[u] = _narrow(o * _tanh(value))
                found[0, u], found[1, u] = _narrow(i), _narrow(f)
                found[2, u], found[3, u] = _narrow(g), _narrow(o)


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def lstm_backward(by_y, weights, lengths, gates, cells, by_inputs, by_bias, d, start, stop):
    """Fill `by_inputs` of a direction of some utterances: the loss by what the gates are given.

    Parameters
    ----------
    by_y : array, shape = (T, N, D, H), uint16
        The loss by the layer's outputs.
    weights : array
        `_packed`, of shape (D, H, 4 · H).
    gates : array, shape = (T, N, D, 4, H), uint16
        After their functions.
    by_inputs : array, shape = (T, N, D, 4, H), uint16
    by_bias : array, shape = (N, D, 4, H), float32
        0 before; the sum over all frames goes to the row of the first of these utterances.
    """
    frames, _, _, units = by_y.shape
    by_h = np.zeros((stop - start, units), np.float32)  # through the gates of the frame after
    by_cells = np.zeros((stop - start, units), np.float32)  # through its cells
    total, none = by_bias[start, d], np.zeros(units, np.float32)
    for step in range(frames - 1, -1, -1):
        t, before = (frames - 1 - step, frames - step) if d else (step, step - 1)
        for n in range(start, stop):
            found, result, cell = gates[t, n, d], by_inputs[t, n, d], cells[t, n, d]
            if t >= lengths[n]:
                result[:] = 0
                continue
            own, later, by_cell = by_y[t, n, d], by_h[n - start], by_cells[n - start]
            old = cells[before, n, d] if step else none
            for u in range(units):
                i, f = _wide(found[0, u]), _wide(found[1, u])
                g, o = _wide(found[2, u]), _wide(found[3, u])
                squashed = _tanh(cell[u])
                by_output = _wide(own[u]) + later[u]
                by_value = by_cell[u] + by_output * o * (1 - squashed * squashed)
                result[0, u] = _narrow(by_value * g * i * (1 - i))
                result[1, u] = _narrow(by_value * old[u] * f * (1 - f))
                result[2, u] = _narrow(by_value * i * (1 - g * g))
                result[3, u] = _narrow(by_output * squashed * o * (1 - o))
                by_cell[u] = by_value * f
            for gate in range(4):
                for u in range(units):
                    total[gate, u] += _wide(result[gate, u])
        if step:
            _product(by_inputs[t, start:stop, d], weights[d], none, by_h)

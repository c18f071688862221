"""The recurrence of LSTM layers on a GPU: all directions and utterances at once, in halves.

A frame of an LSTM waits for the one before, so a layer's time is its frames times what one takes.
cuDNN spreads the products of a frame over the whole GPU, direction after direction. Here a group
of a few programs has 16 utterances of one direction to itself, each program a part of the cells
and of the weights, and only they wait for each other: both directions and all utterances go on
beside each other (docs/training.md), each through its own length. Sums have one order, so the same
bits come out each time.
"""

# mypy: allow-untyped-defs, allow-untyped-decorators
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_ROWS = 16  # utterances of a group of programs, the fewest that tensor cores multiply
# Cells that a program has at a time; its warps and how far it loads ahead, the fastest of those
# tried on an H100 and an H200 (docs/training.md). More cells would not fit into smaller GPUs.
_SHAPES = {32: {"num_warps": 4, "num_stages": 4}, 64: {"num_warps": 4, "num_stages": 3},
           128: {"num_warps": 8, "num_stages": 3}}


def forward(inputs: Tensor, bias: Tensor, weights: Tensor, lengths: Tensor, gates: Tensor,
            cells: Tensor, y: Tensor) -> None:
    """See `asr.model.recurrence.Frames`; units are a multiple of 32."""
    y.zero_()
    _run(lstm_forward_kernel, y, inputs, bias, gates, cells, y,
         weights.transpose(1, 2).contiguous(), lengths)


def backward(gradient: Tensor, weights: Tensor, lengths: Tensor, gates: Tensor, cells: Tensor,
             by_inputs: Tensor, by_bias: Tensor) -> None:
    """See `asr.model.recurrence.Frames`."""
    by_cells = torch.zeros_like(cells[0])
    by_inputs.zero_()
    _run(lstm_backward_kernel, gradient, gradient, gates, cells, by_inputs, by_cells, weights,
         lengths)
    torch.sum(by_inputs, (0, 1), dtype=torch.float32, out=by_bias)


def _run(kernel: Any, y: Tensor, *arguments: Tensor) -> None:
    _, size, directions, units = y.shape
    blocks = triton.cdiv(size, _ROWS)
    columns, parts = _division(units, blocks * directions, y.device)
    depth = 64 if columns <= 64 and units % 64 == 0 else 32
    arrived = torch.zeros(directions, blocks, dtype=torch.int32, device=y.device)
    kernel[parts, blocks, directions](*arguments, arrived, size, units, _ROWS, columns, depth,
                                      parts, **_SHAPES[columns])


def _division(units: int, groups: int, device: torch.device) -> tuple[int, int]:
    """Cells that a program has at a time, and programs in a group.

    The fewest cells with which all programs can run at the same time, since those of a group wait
    for each other; where there are too many groups, programs have several times the most cells, one
    after the other, and in the end one of them has them all and waits for nobody.
    """
    programs = (torch.cuda.get_device_properties(device).multi_processor_count
                if device.type == "cuda" else 1)
    possible = [(columns, units // columns) for columns in _SHAPES if units % columns == 0]
    columns, most = possible[-1]
    possible += [(columns, parts) for parts in range(most - 1, 1, -1) if most % parts == 0]
    return next((each for each in possible if groups * each[1] <= programs), (columns, 1))


@triton.jit
def _wait_for_others(arrived, parts: tl.constexpr, step):
    """What any program of the group has stored in this step, all of them may load after it."""
    tl.debug_barrier()
    if parts > 1:
        tl.atomic_add(arrived, 1, sem="release")
        while tl.atomic_add(arrived, 0, sem="acquire") < parts * (step + 1):
            pass
        tl.debug_barrier()


@triton.jit
def _group(lengths, weights, arrived, size, units: tl.constexpr, rows: tl.constexpr):
    """Direction, utterances and their lengths, and the weights and the counter that are theirs."""
    block, d = tl.program_id(1), tl.program_id(2)
    n = block * rows + tl.arange(0, rows)
    length = tl.load(lengths + n, mask=n < size, other=0)
    return (d, n, length, weights + d.to(tl.int64) * units * 4 * units,
            arrived + d * tl.num_programs(1) + block)


@triton.jit
def _rows_of(step, d, n, length, size):
    """Where what belongs to a step of a direction begins, in rows of one direction's values."""
    t = tl.where(d == 0, step, length - 1 - step)
    return ((t * size + n) * tl.num_programs(2) + d)[:, None]


@triton.jit
def _tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def lstm_forward_kernel(inputs, bias, gates, cells, y, weights, lengths, arrived, size,
                        units: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr,
                        depth: tl.constexpr, parts: tl.constexpr):
    part = tl.program_id(0)
    d, n, length, weights, arrived = _group(lengths, weights, arrived, size, units, rows)
    bias += d * 4 * units
    for step in range(tl.max(length)):
        on = (step < length)[:, None]
        old = on & (step > 0)
        here = _rows_of(step, d, n, length, size)
        before = _rows_of(step - 1, d, n, length, size)
        for tile in range(units // parts // columns):
            u = part * (units // parts) + tile * columns + tl.arange(0, columns)[None, :]
            place, always = here * (4 * units) + u, bias + u
            i = tl.load(inputs + place, mask=on, other=0) + tl.load(always)
            f = tl.load(inputs + place + units, mask=on, other=0) + tl.load(always + units)
            g = tl.load(inputs + place + 2 * units, mask=on, other=0) + tl.load(always + 2 * units)
            o = tl.load(inputs + place + 3 * units, mask=on, other=0) + tl.load(always + 3 * units)
            cell = tl.load(cells + before * units + u, mask=old, other=0)
            for first in range(0, units, depth):
                k = first + tl.arange(0, depth)
                h = tl.load(y + before * units + k[None, :], mask=old, other=0)
                w = weights + k[:, None] * (4 * units) + u
                i = tl.dot(h, tl.load(w), i)
                f = tl.dot(h, tl.load(w + units), f)
                g = tl.dot(h, tl.load(w + 2 * units), g)
                o = tl.dot(h, tl.load(w + 3 * units), o)
            i = tl.sigmoid(i)
            f = tl.sigmoid(f)
            g = _tanh(g)
            o = tl.sigmoid(o)
            cell = f * cell + i * g
            h = o * _tanh(cell)
            tl.store(y + here * units + u, h, mask=on)
            tl.store(cells + here * units + u, cell, mask=on)
            tl.store(gates + place, i, mask=on)
            tl.store(gates + place + units, f, mask=on)
            tl.store(gates + place + 2 * units, g, mask=on)
            tl.store(gates + place + 3 * units, o, mask=on)
        _wait_for_others(arrived, parts, step)


@triton.jit
def lstm_backward_kernel(gradient, gates, cells, by_inputs, by_cells, weights, lengths, arrived,
                         size, units: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr,
                         depth: tl.constexpr, parts: tl.constexpr):
    part = tl.program_id(0)
    d, n, length, weights, arrived = _group(lengths, weights, arrived, size, units, rows)
    steps = tl.max(length)
    for back in range(steps):
        step = steps - 1 - back
        on = (step < length)[:, None]
        old = on & (step > 0)
        new = (step + 1 < length)[:, None]
        here = _rows_of(step, d, n, length, size)
        before = _rows_of(step - 1, d, n, length, size)
        after = _rows_of(step + 1, d, n, length, size)
        for tile in range(units // parts // columns):
            u = part * (units // parts) + tile * columns + tl.arange(0, columns)[None, :]
            place = here * (4 * units) + u
            own = (n[:, None] * tl.num_programs(2) + d) * units + u
            dh = tl.load(gradient + here * units + u, mask=on, other=0).to(tl.float32)
            i = tl.load(gates + place, mask=on, other=0).to(tl.float32)
            f = tl.load(gates + place + units, mask=on, other=0).to(tl.float32)
            g = tl.load(gates + place + 2 * units, mask=on, other=0).to(tl.float32)
            o = tl.load(gates + place + 3 * units, mask=on, other=0).to(tl.float32)
            cell = tl.load(cells + here * units + u, mask=on, other=0)
            cell_before = tl.load(cells + before * units + u, mask=old, other=0)
            dcell = tl.load(by_cells + own, mask=on, other=0)
            for first in range(0, 4 * units, depth):
                k = first + tl.arange(0, depth)
                dgates = tl.load(by_inputs + after * (4 * units) + k[None, :], mask=new, other=0)
                dh = tl.dot(dgates, tl.load(weights + k[:, None] * units + u), dh)
            squashed = _tanh(cell)
            dcell += dh * o * (1 - squashed * squashed)
            tl.store(by_inputs + place, dcell * g * i * (1 - i), mask=on)
            tl.store(by_inputs + place + units, dcell * cell_before * f * (1 - f), mask=on)
            tl.store(by_inputs + place + 2 * units, dcell * i * (1 - g * g), mask=on)
            tl.store(by_inputs + place + 3 * units, dh * squashed * o * (1 - o), mask=on)
            tl.store(by_cells + own, dcell * f, mask=on)
        _wait_for_others(arrived, parts, back)

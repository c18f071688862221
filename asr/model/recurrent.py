"""Recurrent layers over utterances of unequal length, exact and without packing.

rev(x, n)[t] = x[n−1−t] for t < n and x[t] beyond. The backward direction is
rev(RNN(rev(x, n)), n): padding follows every sequence in both directions, so a layer that runs
from left to right never sees it before it has finished with the utterance.

LSTMs that learn in halves have a recurrence of their own, a kernel on a GPU
(`asr/model/lstm_kernel.py`), a loop on a CPU with units for bfloat16 (`asr/model/lstm_cpu.py`).

Otherwise each direction has half of the cores of a CPU. Threads that share one direction meet after
every matrix product of every frame, and those products are small. Only where OpenMP's threads are
known to give up their core soon (`asr/__init__.py`): where torch was loaded before asr they may
not.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asr.errors import one_line
from asr.model.front_end import frame_norm
from asr.model.recurrence import Frames, recurrence
from asr.progress import log

State = Tensor | tuple[Tensor, Tensor] | None
"""What an RNN of torch remembers; None at the beginning."""


def mirrored(place: Tensor, lengths: Tensor) -> Tensor:
    """Which place of x is at `place` of rev(x, lengths); shapes that go together."""
    return torch.where(place < lengths, lengths - 1 - place, place)


def reversal(lengths: Tensor, frames: int) -> Tensor:
    """Row numbers that turn round each utterance of a flattened (T, N, ·) batch.

    Parameters
    ----------
    lengths : Tensor, shape = (N,)

    Returns
    -------
    Tensor, shape = (frames · N,), int64
        For `turned`; doing it twice gives x back.
    """
    source = mirrored(torch.arange(frames, device=lengths.device)[:, None], lengths)
    return (source * len(lengths) + torch.arange(len(lengths), device=lengths.device)).flatten()


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """rev(x), of shape (T, N, ·), by the row numbers of `reversal`."""
    return _Turned.apply(x, turn)


class _Turned(torch.autograd.Function):
    """Its gradient is turned round too, where torch, which cannot know, would add row to row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, turn: Tensor) -> Tensor:
        ctx.save_for_backward(turn)
        return x.flatten(0, 1).index_select(0, turn).view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        turn, = ctx.saved_tensors
        return turned(gradient, turn), None


class RecurrentLayer(nn.Module):
    """One LSTM or GRU layer in one or both directions, projected and normalised per frame.

    Parameters
    ----------
    cell : str
        "lstm" or "gru".
    inputs : int
        Values of an input frame.
    units : int
        Cells per direction.
    projection : int
        Values that a linear map leaves of both directions' outputs; 0 for no such map.
    norm : str
        See `asr.model.front_end.frame_norm`.
    """

    def __init__(self, cell: str, inputs: int, units: int, bidirectional: bool,
                 projection: int = 0, norm: str = "layer") -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.forward_rnn = kind(inputs, units)
        self.backward_rnn = kind(inputs, units) if bidirectional else None
        width = units * (2 if bidirectional else 1)
        self.projection = nn.Linear(width, projection) if projection else nn.Identity()
        self.norm = frame_norm(norm, projection or width)
        for rnn in (self.forward_rnn, self.backward_rnn):
            if rnn is not None:
                initialise(rnn, units)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Shape (T, N, inputs) → (T, N, D); `lengths`, of shape (N,), are in frames of x."""
        frames = None
        if isinstance(self.forward_rnn, nn.LSTM) and torch.is_autocast_enabled(x.device.type):
            frames = _own_frames(self.forward_rnn.hidden_size, x.device)
        y = self.by_torch(x, lengths) if frames is None else self._by_frames(frames, x, lengths)
        return self.norm(self.projection(y))

    def by_torch(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Outputs of both directions by torch's layers, cuDNN's on a GPU; before the projection."""
        if self.backward_rnn is None:
            return self.forward_rnn(x)[0]
        turn = reversal(lengths, len(x))
        rnns = self.forward_rnn, self.backward_rnn
        directions = (lambda x: rnns[0](x)[0], lambda x: turned(rnns[1](turned(x, turn))[0], turn))
        if (x.device.type != "cpu" or torch.get_num_threads() == 1
                or "GOMP_SPINCOUNT" not in os.environ):
            outputs = [direction(x) for direction in directions]
        elif torch.is_grad_enabled():
            parameters = [[p for p in rnn.parameters() if p.requires_grad] for rnn in rnns]
            outputs = _SideBySide.apply(directions, parameters, x, *parameters[0], *parameters[1])
        else:
            outputs = _at_once([partial(direction, x) for direction in directions], learning=False)
        return torch.cat(outputs, dim=2)

    def _by_frames(self, frames: Frames, x: Tensor, lengths: Tensor) -> Tensor:
        """Shape (T, N, inputs) → (T, N, outputs of all directions)."""
        rnns = [rnn for rnn in (self.forward_rnn, self.backward_rnn) if rnn is not None]
        inputs = F.linear(x, torch.cat([rnn.weight_ih_l0 for rnn in rnns]))
        bias = torch.stack([rnn.bias_ih_l0 + rnn.bias_hh_l0 for rnn in rnns])
        weights = torch.stack([rnn.weight_hh_l0 for rnn in rnns]).to(inputs.dtype)
        inputs = inputs.unflatten(2, (len(rnns), -1))
        return recurrence(frames, inputs, bias, weights, lengths).flatten(2)

    def go_on(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """As `forward`, of a one-directional layer in the state that the frames before have left.
        """
        y, state = self.forward_rnn(x, state)
        return self.norm(self.projection(y)), state


@cache
def _own_frames(units: int, device: torch.device) -> Frames | None:
    """What computes an LSTM in halves, tried once on a GPU; None where torch does."""
    if device.type == "cpu":
        from asr.model import lstm_cpu

        return lstm_cpu if lstm_cpu.available(units) else None
    if device.type != "cuda" or units % 32:
        return None
    try:
        from asr.model import lstm_kernel

        inputs = torch.zeros(2, 1, 1, 4 * units, dtype=torch.half, device=device)
        bias = torch.zeros(1, 4 * units, device=device)
        weights = torch.zeros(1, 4 * units, units, dtype=torch.half, device=device)
        one = torch.tensor([1], device=device)
        recurrence(lstm_kernel, inputs.requires_grad_(), bias, weights, one).sum().backward()
        torch.cuda.synchronize(device)
    except Exception as error:  # no compiler of C, an old GPU, …: Triton has no class for them
        log(f"LSTM layers by cuDNN, which is slower: {one_line(error)}")
        return None
    return lstm_kernel


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Two threads that share `threads` cores."""
    return ThreadPoolExecutor(2, "direction", torch.set_num_threads, (threads // 2,))


def _at_once(functions: Sequence[Callable[[], Any]], learning: bool) -> list[Any]:
    """Call each in a thread of its own, where gradients are recorded or not."""
    # Each thread has such settings for itself.
    dtype, enabled = torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu")

    def call(function: Callable[[], Any]) -> Any:
        # Not `with torch.autocast`: leaving it would empty the cache of cast weights, which threads
        # share, while the other one fills it, and gradients would be summed in either precision.
        torch.set_autocast_dtype("cpu", dtype)
        torch.set_autocast_enabled("cpu", enabled)
        with torch.set_grad_enabled(learning):
            return function()

    return list(_pool(torch.get_num_threads()).map(call, functions))


class _SideBySide(torch.autograd.Function):
    """Functions of `x` at once, there and back: each has a graph of its own.

    The parameters that they learn are listed to be given their gradients.
    """

    @staticmethod
    def forward(ctx: Any, functions: Sequence[Callable[[Tensor], Tensor]],
                parameters: Sequence[Sequence[nn.Parameter]], x: Tensor, *_: nn.Parameter
                ) -> tuple[Tensor, ...]:
        inputs = [x.detach().requires_grad_() for _ in functions]
        outputs = _at_once([partial(f, own) for f, own in zip(functions, inputs, strict=True)],
                           learning=True)
        ctx.ran = list(zip(outputs, inputs, parameters, strict=True))
        return tuple(y.detach() for y in outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        results = _at_once(
            [partial(torch.autograd.grad, y, [own, *parameters], gradient)
             for (y, own, parameters), gradient in zip(ctx.ran, gradients, strict=True)],
            learning=False)
        del ctx.ran
        one, other = (r[0] for r in results)
        return None, None, one.add_(other), *(g for r in results for g in r[1:])


def initialise(rnn: nn.RNNBase, units: int) -> None:
    """Orthogonal recurrent weights (Saxe et al. 2014), Glorot input weights, and an LSTM that
    remembers at first: forget gate bias 1 (Jozefowicz et al. 2015).

    Each matrix as a whole, all gates together: gate by gate the weights would be twice as large,
    and saturated gates learn slowly.
    """
    for name, parameter in rnn.named_parameters():
        if name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        elif name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
            if isinstance(rnn, nn.LSTM) and name.startswith("bias_ih"):
                parameter.detach()[units:2 * units] = 1  # gates: input, forget, cell, output

"""The recurrence of an LSTM layer in halves, whatever computes its frames.

Only the recurrence is here; what the layer's input adds is one large matrix product before, and
the gradients of the weights are large products over all frames.
"""

from typing import Any, Protocol

import torch
from torch import Tensor


class Frames(Protocol):
    """All frames there and back: `asr.model.lstm_kernel` on a GPU, `asr.model.lstm_cpu`.

    Shapes and dtypes as in `recurrence`; `cells` is of float32. What they fill comes with anything
    in it, and past an utterance's length `y` and `by_inputs` are to be 0.
    """

    def forward(self, inputs: Tensor, bias: Tensor, weights: Tensor, lengths: Tensor,
                gates: Tensor, cells: Tensor, y: Tensor) -> None:
        """Fill `gates`, what all that is given and the frame before make of them, `cells` and
        outputs `y`.
        """

    def backward(self, gradient: Tensor, weights: Tensor, lengths: Tensor, gates: Tensor,
                 cells: Tensor, by_inputs: Tensor, by_bias: Tensor) -> None:
        """From the loss by `y`, fill that by `inputs` and by `bias`."""


def recurrence(frames: Frames, inputs: Tensor, bias: Tensor, weights: Tensor, lengths: Tensor
               ) -> Tensor:
    """Outputs of an LSTM (Gers et al. 2000) from what its gates are given by its input.

    Parameters
    ----------
    inputs : Tensor, shape = (T, N, D, 4 · H), float16 or bfloat16
        What the layer's input adds to the input gate, forget gate, cell and output gate, in torch's
        order; of D = 2 directions the second goes from each utterance's end to its beginning.
    bias : Tensor, shape = (D, 4 · H), float32
        What is added in every frame.
    weights : Tensor, shape = (D, 4 · H, H), of the same dtype
        From the outputs of the frame before.
    lengths : Tensor, shape = (N,), int64
        Frames of each utterance.

    Returns
    -------
    Tensor, shape = (T, N, D, H), of the same dtype
        0 past an utterance's length.
    """
    return _Recurrence.apply(frames, inputs, bias, weights, lengths)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, frames: Frames, inputs: Tensor, bias: Tensor, weights: Tensor,
                lengths: Tensor) -> Tensor:
        inputs, weights = inputs.contiguous(), weights.contiguous()
        y = inputs.new_empty(*inputs.shape[:3], weights.shape[2])
        gates = torch.empty_like(inputs)
        cells = torch.empty_like(y, dtype=torch.float32)
        frames.forward(inputs, bias, weights, lengths, gates, cells, y)
        ctx.frames = frames
        ctx.save_for_backward(gates, cells, y, weights, lengths)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gates, cells, y, weights, lengths = ctx.saved_tensors
        directions, units = y.shape[2:]
        by_inputs = torch.empty_like(gates)
        by_bias = torch.empty_like(by_inputs[0, 0], dtype=torch.float32)
        ctx.frames.backward(gradient.contiguous(), weights, lengths, gates, cells, by_inputs,
                            by_bias)
        # Each frame's gates by the outputs of the frame before, which is the next one of the
        # second direction.
        pairs = [(by_inputs[1:, :, 0], y[:-1, :, 0]), (by_inputs[:-1, :, -1], y[1:, :, -1])]
        by_weights = [dg.reshape(-1, 4 * units).T @ h.reshape(-1, units)
                      for dg, h in pairs[:directions]]
        return None, by_inputs, by_bias, torch.stack(by_weights), None

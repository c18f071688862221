"""The CTC loss of a batch, whose gradient has the same bits each time, on a GPU too."""

from typing import Any

import torch
from torch import Tensor

from asr.model.frame_batch import moved
from asr.model.recurrent import mirrored, reversal, turned
from asr.text.units import BLANK
from asr.train import ctc_loop


def ctc_loss(posteriors: Tensor, labels: Tensor, lengths: Tensor, label_lengths: Tensor
             ) -> Tensor:
    """CTC loss (Graves et al. 2006, section 4.1), summed over the utterances of a batch.

    Backward variables are the forward ones of the reversed utterances. On a CPU in a loop of our
    own, `asr.train.ctc_loop`. On a GPU torch adds a unit's gradients from all places where it is
    said in whatever order they come, and goes from frame to frame twice; here both kinds of
    variables are found beside each other in the same kernel, and sums are matrix products.

    Parameters
    ----------
    posteriors : Tensor, shape = (T, N, V), float32
        Natural logarithms; frames past an utterance's length are not looked at.
    labels : Tensor, shape = (L,), int64, on the CPU
        Unit ids of all utterances, one after the other.
    lengths, label_lengths : Tensor, shape = (N,), int64, on the CPU
        Frames and labels of each utterance.

    Returns
    -------
    Tensor, shape = ()
        Nats; infinite where an utterance has fewer frames than its labels need.
    """
    find = ctc_loop.occupancies if posteriors.device.type == "cpu" else occupancies
    loss, occupancy = find(posteriors.detach(), labels, lengths, label_lengths)
    return with_gradient(posteriors, loss.sum(), -occupancy)


def with_gradient(x: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """A function's value at x whose gradient is known, for autograd."""
    return _KnownGradient.apply(x, value, gradient)


class _KnownGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        gradient, = ctx.saved_tensors
        return above * gradient, None, None


def occupancies(posteriors: Tensor, labels: Tensor, lengths: Tensor, label_lengths: Tensor
                ) -> tuple[Tensor, Tensor]:
    """Each utterance's loss, and how probable each unit is in each frame given its labels.

    Parameters
    ----------
    posteriors, labels, lengths, label_lengths : Tensor
        As in `ctc_loss`.

    Returns
    -------
    loss : Tensor, shape = (N,)
    occupancy : Tensor, shape = (T, N, V)
        Σ_s γ_t(s) over the states s of the unit; sums to 1 over the units of a frame, 0 past an
        utterance's length. Its negative is the gradient of the loss by the log posteriors.
    """
    device = posteriors.device
    frames, size, symbols = posteriors.shape
    forth, back, states = (moved(part, device) for part in _spelling(labels, label_lengths))
    n = moved(lengths, device)
    turn = reversal(n, frames)
    both, variables = torch.ops.aten._ctc_loss(
        torch.cat([posteriors, turned(posteriors, turn)], dim=1), torch.cat([forth, back]),
        lengths.repeat(2).tolist(), label_lengths.repeat(2).tolist(), BLANK)
    loss = both[:size]
    alpha, beta = variables.transpose(0, 1).chunk(2, dim=1)  # (T, N, S) each
    s = torch.arange(alpha.shape[2], device=device)
    beta = turned(beta.gather(2, mirrored(s, states).expand_as(beta)), turn)
    unit = torch.full((size, len(s)), BLANK, device=device)
    unit[:, 1::2] = forth
    # Both variables have the frame's own posterior in them.
    gamma = (alpha + beta - posteriors.gather(2, unit.expand_as(alpha)) + loss[:, None]).exp()
    there = (torch.arange(frames, device=device)[:, None, None] < n[:, None]) & (s < states)
    gamma = torch.where(there, gamma, 0)
    # To the first of a unit's states by a product, whose sums have one order. The scatter adds 0
    # from all others.
    same = unit[:, :, None] == unit[:, None, :]
    first = same.byte().argmax(dim=1) == s
    gathered = torch.bmm(gamma.transpose(0, 1), (same & first[:, None]).to(gamma.dtype))
    occupancy = posteriors.new_zeros(frames, size, symbols)
    return loss, occupancy.scatter_add_(2, unit.expand_as(alpha), gathered.transpose(0, 1))


def _spelling(labels: Tensor, label_lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Padded labels, shape (N, longest), the same from right to left, and states, shape (N, 1)."""
    n = label_lengths[:, None]
    place = torch.arange(int(label_lengths.max())).expand(len(n), -1)
    forth = torch.full_like(place, BLANK).masked_scatter(place < n, labels)
    return forth, forth.gather(1, mirrored(place, n)), 2 * n + 1

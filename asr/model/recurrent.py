"""Recurrent layers over utterances of unequal length, exact and without packing.

rev(x, n)[t] = x[n−1−t] for t < n and x[t] beyond. The backward direction is
rev(RNN(rev(x, n)), n): padding follows every sequence in both directions, so a layer that runs
from left to right never sees it before it has finished with the utterance.
"""

import torch
from torch import Tensor, nn


def reversal(lengths: Tensor, frames: int) -> Tensor:
    """Row numbers that turn round each utterance of a flattened (T, N, ·) batch.

    Parameters
    ----------
    lengths : Tensor, shape = (N,)

    Returns
    -------
    Tensor, shape = (frames · N,), int64
        `x.flatten(0, 1)[reversal]` is rev(x), and doing it twice gives x back.
    """
    t = torch.arange(frames, device=lengths.device)[:, None]
    source = torch.where(t < lengths, lengths - 1 - t, t)
    return (source * len(lengths) + torch.arange(len(lengths), device=lengths.device)).flatten()


class RecurrentLayer(nn.Module):
    """One LSTM or GRU layer in one or both directions, normalised per frame.

    Parameters
    ----------
    cell : str
        "lstm" or "gru".
    inputs : int
        Values of an input frame.
    units : int
        Cells per direction.
    """

    def __init__(self, cell: str, inputs: int, units: int, bidirectional: bool) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.forward_rnn = kind(inputs, units)
        self.backward_rnn = kind(inputs, units) if bidirectional else None
        self.norm = nn.LayerNorm(units * (2 if bidirectional else 1))
        for rnn in (self.forward_rnn, self.backward_rnn):
            if rnn is not None:
                initialise(rnn, units)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        """Shape (T, N, inputs) → (T, N, units · directions); `turn` is `reversal`."""
        y, _ = self.forward_rnn(x)
        if self.backward_rnn is not None:
            turned = x.flatten(0, 1).index_select(0, turn).view_as(x)
            z, _ = self.backward_rnn(turned)
            y = torch.cat([y, z.flatten(0, 1).index_select(0, turn).view_as(y)], dim=2)
        return self.norm(y)


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

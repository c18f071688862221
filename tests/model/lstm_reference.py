"""LSTM recurrences beside torch's LSTM in float32, one utterance at a time."""

import torch
import torch.nn.functional as F
from torch import nn

from asr.model.recurrence import recurrence


def alone(rnns, x, lengths):
    """Torch's LSTMs in float32, one utterance at a time; shape (T, N, D, H)."""
    y = x.new_zeros(*x.shape[:2], len(rnns), rnns[0].hidden_size)
    for n, length in enumerate(lengths.tolist()):
        own = x[:length, n:n + 1]
        for d, (rnn, turned) in enumerate(zip(rnns, [(), (0,)], strict=False)):
            y[:length, n, d] = rnn(own.flip(turned))[0].flip(turned)[:, 0]
    return y


def together(kernel, rnns, x, lengths, dtype):
    inputs = torch.stack([F.linear(x, rnn.weight_ih_l0) for rnn in rnns], dim=2)
    bias = torch.stack([rnn.bias_ih_l0 + rnn.bias_hh_l0 for rnn in rnns])
    weights = torch.stack([rnn.weight_hh_l0 for rnn in rnns])
    return recurrence(kernel, inputs.to(dtype), bias, weights.to(dtype), lengths).float()


def assert_torchs_lstm(kernel, directions, units, size, frames, dtype, allowed, device):
    """Outputs differ by less than `allowed` of the largest, gradients by less than twice that."""
    rnns = [nn.LSTM(6, units).to(device) for _ in range(directions)]
    lengths = torch.randint(1, frames + 1, (size,))
    lengths[-1] = frames
    x = torch.randn(frames, size, 6, device=device, requires_grad=True)
    wanted = torch.randn(frames, size, directions, units, device=device)
    leaves = [x, *(p for rnn in rnns for p in rnn.parameters())]
    expected = alone(rnns, x, lengths)
    found = together(kernel, rnns, x, lengths.to(device), dtype)
    assert (found - expected).abs().max() < allowed * expected.abs().max()
    for n, length in enumerate(lengths):
        assert not found[length:, n].any()
    for ours, torchs in zip(torch.autograd.grad((found * wanted).sum(), leaves),
                            torch.autograd.grad((expected * wanted).sum(), leaves), strict=True):
        assert (ours - torchs).abs().max() < 2 * allowed * torchs.abs().max()

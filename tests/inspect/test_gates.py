import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from asr.inspect.gates import trace


@given(st.sampled_from([nn.LSTM, nn.GRU]), st.integers(1, 40), st.integers(1, 9),
       st.integers(1, 9), st.integers(0, 10**6))
def test_hidden_states_are_the_fused_layers(kind, frames, inputs, units, seed):
    torch.manual_seed(seed)
    rnn = kind(inputs, units).double()
    for parameter in rnn.parameters():  # larger than usual, so that gates saturate
        nn.init.normal_(parameter, std=1.5)
    x = torch.randn(frames, inputs, dtype=torch.float64)
    with torch.no_grad():
        values = trace(rnn, x)
        hidden, last = rnn(x)
    torch.testing.assert_close(values["hidden"], hidden, rtol=0, atol=1e-10)
    if kind is nn.LSTM:
        torch.testing.assert_close(values["cell"][-1], last[1][0], rtol=0, atol=1e-10)


def test_in_single_precision_too():
    torch.manual_seed(0)
    rnn = nn.LSTM(30, 64)
    x = torch.randn(200, 30)
    with torch.no_grad():
        torch.testing.assert_close(trace(rnn, x)["hidden"], rnn(x)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "row"), [("input", 0), ("forget", 1), ("output", 3)])
def test_gates_by_their_rows(name, row):
    """A large bias opens the gate of these rows, and no other."""
    rnn = nn.LSTM(2, 3)
    for parameter in rnn.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        rnn.bias_ih_l0[3 * row:3 * (row + 1)] = 50
        values = trace(rnn, torch.ones(4, 2))
    for gate in ("input", "forget", "output"):
        assert (values[gate] == (1.0 if gate == name else 0.5)).all()
    assert (values["candidate"] == 0).all()

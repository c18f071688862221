import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from asr.model import lstm_cpu
from asr.model.recurrence import recurrence
from asr.model.recurrent import RecurrentLayer
from tests.model.lstm_reference import alone, assert_torchs_lstm, together


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(("directions", "units", "size", "frames"), [
    (2, 320, 70, 30), (1, 32, 40, 4), (2, 24, 3, 2), (2, 33, 1, 7)])
def test_it_is_torchs_lstm_and_so_are_its_gradients(directions, units, size, frames, threads):
    torch.manual_seed(0)
    assert_torchs_lstm(lstm_cpu, directions, units, size, frames, torch.bfloat16, 2e-2,
                       torch.device("cpu"))


def test_a_single_frame_is_torchs_and_has_no_frame_before_it(threads):
    torch.manual_seed(0)
    rnns = [nn.LSTM(6, 24) for _ in range(2)]
    x, lengths = torch.randn(1, 3, 6), torch.ones(3, dtype=torch.long)
    y = together(lstm_cpu, rnns, x, lengths, torch.bfloat16)
    torch.testing.assert_close(y, alone(rnns, x, lengths), rtol=2e-2, atol=2e-3)
    y.sum().backward()
    for rnn in rnns:
        assert not rnn.weight_hh_l0.grad.any()
        assert rnn.weight_ih_l0.grad.any()


def test_what_is_in_the_padding_and_beside_an_utterance_does_not_matter(threads):
    torch.manual_seed(1)
    rnns = [nn.LSTM(6, 32) for _ in range(2)]
    lengths = torch.tensor([3, 5, 2])
    x = torch.randn(5, 3, 6)
    with torch.no_grad():
        whole = together(lstm_cpu, rnns, x, lengths, torch.bfloat16)
        other = x.clone()
        other[3:, 0] = torch.nan
        other[:, 1:] = torch.randn(5, 2, 6)
        other[2:, 2] = torch.inf
        assert torch.equal(together(lstm_cpu, rnns, other, lengths, torch.bfloat16)[:, 0],
                           whole[:, 0])
        own = together(lstm_cpu, rnns, x[:3, :1], lengths[:1], torch.bfloat16)
        # The product of one row may be summed in another order.
        torch.testing.assert_close(own[:, 0], whole[:3, 0], rtol=1e-2, atol=1e-2)


def test_padding_has_no_gradient_and_passes_none_on(threads):
    torch.manual_seed(2)
    inputs = torch.randn(6, 2, 2, 4 * 32, dtype=torch.bfloat16, requires_grad=True)
    weights = 0.1 * torch.randn(2, 4 * 32, 32, dtype=torch.bfloat16)
    lengths = torch.tensor([6, 2])
    y = recurrence(lstm_cpu, inputs, weights, lengths)
    wanted = torch.randn_like(y)
    expected, = torch.autograd.grad((y * wanted).sum(), inputs, retain_graph=True)
    wanted[2:, 1] = 100.0
    found, = torch.autograd.grad((y * wanted).sum(), inputs)
    assert torch.equal(found, expected)
    assert not found[2:, 1].any()
    assert found[:2, 1].any()


def test_the_same_bits_each_time(threads):
    def run():
        torch.manual_seed(3)
        rnns = [nn.LSTM(6, 64) for _ in range(2)]
        y = together(lstm_cpu, rnns, torch.randn(20, 40, 6), torch.randint(1, 21, (40,)),
                     torch.bfloat16)
        return [y, *torch.autograd.grad(y.square().sum(),
                                        [p for rnn in rnns for p in rnn.parameters()])]

    for one, again in zip(run(), run(), strict=True):
        assert torch.equal(one, again)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_bfloat16_is_rounded_as_torch_does(value):
    expected = torch.tensor(value).bfloat16()
    bits = lstm_cpu._narrow.py_func(np.float32(value))
    assert bits == expected.view(torch.int16).numpy().view(np.uint16)
    if expected.isfinite():
        assert lstm_cpu._wide.py_func(bits) == expected.item()


def test_tanh_is_off_by_less_than_a_hundred_thousandth():
    for x in np.linspace(-20, 20, 4001, dtype=np.float32):
        assert abs(lstm_cpu._tanh.py_func(x) - np.tanh(np.float64(x))) < 1e-5


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_wide_layer_in_bfloat16_has_it_and_learns_the_same(bidirectional, monkeypatch):
    torch.manual_seed(4)
    layer = RecurrentLayer("lstm", 40, 384, bidirectional)
    lengths = torch.randint(5, 20, (17,))
    x = torch.randn(20, 17, 40)
    wanted = torch.randn(20, 17, 768 if bidirectional else 384)
    wanted *= (torch.arange(20)[:, None] < lengths)[:, :, None]
    (layer(x, lengths) * wanted).sum().backward()
    expected = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    calls = []
    monkeypatch.setattr(lstm_cpu, "lstm_frame_backward",
                        lambda *a, compiled=lstm_cpu.lstm_frame_backward:
                        calls.append(1) or compiled(*a))
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x, lengths)
    (y * wanted).sum().backward()
    assert calls
    for p, reference in zip(layer.parameters(), expected, strict=True):
        assert (p.grad - reference).norm() < 0.03 * reference.norm()

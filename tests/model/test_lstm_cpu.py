import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from torch import nn

from asr.model import lstm_cpu
from asr.model.recurrence import recurrence
from asr.model.recurrent import RecurrentLayer
from tests.model.lstm_reference import alone, assert_torchs_lstm, together

HERE = pytest.mark.skipif(not lstm_cpu.available(64), reason="needs units for bfloat16, no AMX")


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@HERE
@pytest.mark.parametrize(("directions", "units", "size", "frames"), [
    (2, 320, 70, 30), (1, 64, 40, 4), (2, 64, 3, 2), (2, 128, 1, 7)])
def test_it_is_torchs_lstm_and_so_are_its_gradients(directions, units, size, frames, threads):
    torch.manual_seed(0)
    assert_torchs_lstm(lstm_cpu, directions, units, size, frames, torch.bfloat16, 2e-2,
                       torch.device("cpu"))


@HERE
def test_a_single_frame_is_torchs_and_has_no_frame_before_it(threads):
    torch.manual_seed(0)
    rnns = [nn.LSTM(6, 64) for _ in range(2)]
    x, lengths = torch.randn(1, 3, 6), torch.ones(3, dtype=torch.long)
    y = together(lstm_cpu, rnns, x, lengths, torch.bfloat16)
    torch.testing.assert_close(y, alone(rnns, x, lengths), rtol=2e-2, atol=2e-3)
    y.sum().backward()
    for rnn in rnns:
        assert not rnn.weight_hh_l0.grad.any()
        assert rnn.weight_ih_l0.grad.any()


@HERE
def test_what_is_in_the_padding_and_beside_an_utterance_does_not_matter(threads):
    torch.manual_seed(1)
    rnns = [nn.LSTM(6, 64) for _ in range(2)]
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


@HERE
def test_an_utterance_has_the_same_bits_alone_and_in_any_batch(threads):
    torch.manual_seed(5)
    inputs = torch.randn(7, 20, 2, 4 * 64).bfloat16()
    bias, weights = torch.randn(2, 4 * 64), 0.2 * torch.randn(2, 4 * 64, 64).bfloat16()
    lengths = torch.randint(1, 8, (20,))
    whole = recurrence(lstm_cpu, inputs, bias, weights, lengths)
    for n, length in enumerate(lengths.tolist()):
        own = recurrence(lstm_cpu, inputs[:length, n:n + 1], bias, weights, lengths[n:n + 1])
        assert torch.equal(own[:, 0], whole[:length, n])


@HERE
def test_padding_has_no_gradient_and_passes_none_on(threads):
    torch.manual_seed(2)
    inputs = torch.randn(6, 2, 2, 4 * 64, dtype=torch.bfloat16, requires_grad=True)
    weights = 0.1 * torch.randn(2, 4 * 64, 64, dtype=torch.bfloat16)
    lengths = torch.tensor([6, 2])
    y = recurrence(lstm_cpu, inputs, torch.randn(2, 4 * 64), weights, lengths)
    wanted = torch.randn_like(y)
    expected, = torch.autograd.grad((y * wanted).sum(), inputs, retain_graph=True)
    wanted[2:, 1] = 100.0
    found, = torch.autograd.grad((y * wanted).sum(), inputs)
    assert torch.equal(found, expected)
    assert not found[2:, 1].any()
    assert found[:2, 1].any()


@HERE
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


@HERE
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 3), st.integers(0, 1 << 32))
def test_products(rows, blocks, depth, seed):
    random = torch.Generator().manual_seed(seed)
    left, right = (torch.randn(n, 64 * depth, generator=random).bfloat16()
                   for n in (2 * rows, 64 * blocks))
    left = left[::2]  # as in the outputs of two directions
    bias = torch.randn(64 * blocks, generator=random)
    out = np.full((rows, 64 * blocks), np.nan, np.float32)
    product(lstm_cpu._bits(left), lstm_cpu._packed(right[None])[0], bias.numpy(), out)
    expected = bias + left.double() @ right.T.double()
    most = bias.abs() + left.double().abs() @ right.T.double().abs()
    assert (torch.from_numpy(out) - expected).abs().le(1e-6 * most).all()


@njit
def product(left, right, bias, out):
    lstm_cpu._product(left, right, bias, out)


@pytest.mark.parametrize(("features", "expected"), [
    (["+avx512bf16", "-amx-bf16"], True), (["-avx512bf16"], False), ([""], False),
    (["+avx512bf16", "+amx-bf16"], False)])
def test_for_which_processors_it_is(features, expected, monkeypatch):
    monkeypatch.setattr(lstm_cpu, "_features", lambda: features)
    assert lstm_cpu.available(256) == expected
    assert not lstm_cpu.available(100)


@HERE
@pytest.mark.parametrize("told", [
    {"NUMBA_ENABLE_AVX": "0"}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}])
def test_not_where_numba_is_told_to_compile_for_others(told):
    """LLVM would end the process."""
    done = subprocess.run(
        [sys.executable, "-c", "from asr.model import lstm_cpu; print(lstm_cpu.available(64))"],
        env=os.environ | told, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


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


@HERE
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_layer_in_bfloat16_has_it_and_learns_the_same(bidirectional, monkeypatch):
    torch.manual_seed(4)
    layer = RecurrentLayer("lstm", 40, 192, bidirectional)
    lengths = torch.randint(5, 20, (17,))
    x = torch.randn(20, 17, 40)
    wanted = torch.randn(20, 17, 384 if bidirectional else 192)
    wanted *= (torch.arange(20)[:, None] < lengths)[:, :, None]
    (layer(x, lengths) * wanted).sum().backward()
    expected = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    calls = []
    monkeypatch.setattr(lstm_cpu, "lstm_backward",
                        lambda *a, compiled=lstm_cpu.lstm_backward:
                        calls.append(1) or compiled(*a))
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x, lengths)
    (y * wanted).sum().backward()
    assert calls
    for p, reference in zip(layer.parameters(), expected, strict=True):
        assert (p.grad - reference).norm() < 0.03 * reference.norm()

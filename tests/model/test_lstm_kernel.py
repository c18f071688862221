"""Where there is no GPU the kernels run in Triton's interpreter, see tests/conftest.py."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from asr.model.recurrent import RecurrentLayer
from tests.model.lstm_reference import assert_torchs_lstm, together

lstm_kernel = pytest.importorskip("asr.model.lstm_kernel")
CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")


CASES = [(2, 32, 18, 5), (1, 32, 2, 4), (2, 96, 3, 3)]  # directions, units, utterances, frames
if CUDA:
    CASES += [(2, 256, 70, 300), (2, 512, 33, 100), (2, 320, 20, 50)]


@pytest.mark.parametrize(("directions", "units", "size", "frames"), CASES)
@pytest.mark.parametrize(("dtype", "allowed"), [
    (torch.float16, 3e-3),
    pytest.param(torch.bfloat16, 2e-2,
                 marks=pytest.mark.skipif(not CUDA, reason="the interpreter has no bfloat16"))])
def test_it_is_torchs_lstm_and_so_are_its_gradients(directions, units, size, frames, dtype,
                                                    allowed, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert_torchs_lstm(lstm_kernel, directions, units, size, frames, dtype, allowed, DEVICE)


def test_an_utterance_has_the_same_bits_in_any_company():
    torch.manual_seed(1)
    rnns = [nn.LSTM(6, 32).to(DEVICE) for _ in range(2)]
    lengths = torch.tensor([3, 5, 2], device=DEVICE)
    x = torch.randn(5, 3, 6, device=DEVICE)
    with torch.no_grad():
        whole = together(lstm_kernel, rnns, x, lengths, torch.float16)
        for n in range(3):
            frames = int(lengths[n])
            own = together(lstm_kernel, rnns, x[:frames, n:n + 1], lengths[n:n + 1], torch.float16)
            assert torch.equal(own[:, 0], whole[:frames, n])


@pytest.mark.parametrize(("units", "groups", "expected"), [
    (256, 4, (32, 8)), (256, 20, (64, 4)), (512, 20, (128, 4)), (512, 60, (128, 2)),
    (512, 80, (128, 1)), (96, 4, (32, 3)), (96, 100, (32, 1)), (256, 200, (128, 1))])
def test_programs_that_wait_for_each_other_run_at_the_same_time(units, groups, expected,
                                                                monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties",
                        lambda device: SimpleNamespace(multi_processor_count=132))
    columns, parts = lstm_kernel._division(units, groups, torch.device("cuda"))
    assert (columns, parts) == expected
    assert units % (parts * columns) == 0


@pytest.mark.skipif(not CUDA, reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_layer_on_a_gpu_is_the_processors_with_the_same_bits_each_time(dtype, bidirectional):
    torch.manual_seed(2)
    layer = RecurrentLayer("lstm", 40, 64, bidirectional)
    lengths = torch.randint(20, 60, (37,))
    x = torch.randn(60, 37, 40)
    mask = (torch.arange(60)[:, None] < lengths)[:, :, None]
    (layer(x, lengths) * mask).square().sum().backward()
    expected = [p.grad.clone() for p in layer.parameters()]
    layer.to(DEVICE)
    found = []
    for _ in range(3):
        layer.zero_grad()
        with torch.autocast("cuda", dtype):
            y = layer(x.to(DEVICE), lengths.to(DEVICE))
        (y * mask.to(DEVICE)).square().sum().backward()
        found.append([p.grad.clone() for p in layer.parameters()])
    for gradient, again, more, reference in zip(*found, expected, strict=True):
        assert torch.equal(gradient, again)
        assert torch.equal(gradient, more)
        assert (gradient.cpu() - reference).norm() < 0.03 * reference.norm()

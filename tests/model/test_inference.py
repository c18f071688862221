import numpy as np
import pytest
import torch

from asr.model import inference
from asr.model.config import ModelConfig
from asr.model.network import Network


def test_a_batch_that_does_not_fit_is_done_in_halves(monkeypatch):
    torch.manual_seed(0)
    network = Network(ModelConfig(front_end="stack", layers=1, units=8), 10, 5).eval()
    random = np.random.default_rng(0)
    frames = [random.standard_normal((length, 10)).astype(np.float16)
              for length in (30, 0, 50, 20, 41)]
    statistics = np.tile(np.stack([np.zeros(10), np.ones(10)]), (5, 1, 1)).astype(np.float32)
    whole = inference.log_posteriors(network, frames, statistics)
    at_once, tried = inference._log_posteriors, []

    def cramped(network, frames, statistics):
        tried.append(len(frames))
        if len(frames) > 2:
            raise torch.OutOfMemoryError("full")
        return at_once(network, frames, statistics)
    monkeypatch.setattr(inference, "_log_posteriors", cramped)
    parts = inference.log_posteriors(network, frames, statistics)
    assert tried == [5, 2, 3, 1, 2]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), RuntimeError("shapes")])
def test_one_that_does_not_and_other_faults_are_told(monkeypatch, error):
    def broken(*_):
        raise error
    monkeypatch.setattr(inference, "_log_posteriors", broken)
    network = Network(ModelConfig(front_end="stack", layers=1, units=8), 10, 5)
    with pytest.raises(type(error), match=str(error)):
        inference.log_posteriors(network, [np.zeros((3, 10), np.float16)], np.ones((1, 2, 10)))

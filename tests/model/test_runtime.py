"""asr.model.runtime, .onnx_graph: ONNX Runtime computes what torch does, for all networks."""

import itertools

import numpy as np
import onnx
import pytest
import torch

from asr.model.config import ModelConfig
from asr.model.inference import log_posteriors
from asr.model.network import Network, arrays
from asr.model.onnx_graph import onnx_model
from asr.model.runtime import Runtime
from asr.model.shapes import parameter_shapes

FEATURES, SYMBOLS = 9, 7
SMALL = {"units": 6, "channels": 2, "layers": 2}
CONFIGS = [
    *(ModelConfig(front_end=front_end, subsampling=subsampling, **SMALL)
      for front_end, subsampling in itertools.product(["conv2d", "conv1d", "stack"], [1, 3, 4])),
    *(ModelConfig(cell=cell, bidirectional=both, projection=projection, **SMALL)
      for cell, both, projection in itertools.product(["lstm", "gru"], [True, False], [0, 5])),
    *(ModelConfig(norm=norm, residual=residual, **SMALL)
      for norm, residual in itertools.product(["layer", "rms", "none"], [True, False])),
    ModelConfig(front_end="conv1d", norm="rms", projection=4, **SMALL),
]


def network_of(config):
    torch.manual_seed(1)
    network = Network(config, FEATURES, SYMBOLS).eval()
    for parameter in network.parameters():  # no norm or bias stays as it starts
        parameter.detach().add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_as_torch_for_any_batch(config):
    random = np.random.default_rng(0)
    network = network_of(config)
    runtime = Runtime(config, FEATURES, arrays(network.state_dict()))
    for lengths in ([17], [40, 23, 8, 40], [1, 2], [5, 13, 9], [0, 6], [0]):
        frames = [random.standard_normal((n, FEATURES)).astype(np.float16) for n in lengths]
        statistics = random.uniform(0.5, 1.5, (len(lengths), 2, FEATURES)).astype(np.float32)
        found = runtime.log_posteriors(frames, statistics)
        for rows, expected in zip(found, log_posteriors(network, frames, statistics), strict=True):
            assert (rows.shape, rows.dtype) == (expected.shape, np.float32)
            np.testing.assert_allclose(rows, expected, atol=1e-4)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_the_graph_is_consistent(config):
    onnx.checker.check_model(onnx_model(config, FEATURES, arrays(network_of(config).state_dict())),
                             full_check=True)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_shapes_are_those_of_the_network(config):
    assert parameter_shapes(config, FEATURES, SYMBOLS) == {
        name: tuple(tensor.shape) for name, tensor in network_of(config).state_dict().items()}

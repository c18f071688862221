"""asr.export.onnx_graph: onnxruntime computes what torch does."""

import itertools
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from dummies import FEATURES, WORDS

from asr.cli import asr
from asr.export.onnx_graph import onnx_model
from asr.model.bundle import BundleConfig, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network
from asr.text.units import CharacterUnits

onnxruntime = pytest.importorskip("onnxruntime")
SMALL = {"units": 6, "channels": 2, "layers": 2}


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(),
                                        providers=["CPUExecutionProvider"])


def batch(random, features, lengths):
    x = random.standard_normal((len(lengths), max(lengths), features)).astype(np.float32)
    statistics = random.uniform(0.5, 1.5, (len(lengths), 2, features)).astype(np.float32)
    return x, np.array(lengths, np.int64), statistics


def compare(network, run, x, lengths, statistics):
    with torch.inference_mode():
        expected = network(*map(torch.from_numpy, (x, lengths, statistics))).numpy()
    found, output_lengths = run.run(
        None, {"features": x, "lengths": lengths, "statistics": statistics})
    assert output_lengths.tolist() \
        == network.output_lengths(torch.from_numpy(lengths)).tolist()
    assert found.shape == expected.shape
    for column, length in enumerate(output_lengths):
        np.testing.assert_allclose(found[:length, column], expected[:length, column], atol=1e-4)


@pytest.mark.parametrize("config", [
    *(ModelConfig(front_end=front_end, subsampling=subsampling, **SMALL)
      for front_end, subsampling in itertools.product(["conv2d", "conv1d", "stack"], [1, 3, 4])),
    *(ModelConfig(cell=cell, bidirectional=both, projection=projection, **SMALL)
      for cell, both, projection in itertools.product(["lstm", "gru"], [True, False], [0, 5])),
    *(ModelConfig(norm=norm, residual=residual, **SMALL)
      for norm, residual in itertools.product(["layer", "rms", "none"], [True, False])),
], ids=str)
def test_as_torch_for_any_batch(config):
    random = np.random.default_rng(0)
    torch.manual_seed(1)
    network = Network(config, 9, 7).eval()
    for parameter in network.parameters():  # no norm or bias stays as it starts
        parameter.detach().add_(0.1 * torch.randn_like(parameter))
    run = session(onnx_model(network, 9, 7))
    for lengths in ([17], [40, 23, 8, 40], [1, 2], [5, 13, 9]):
        compare(network, run, *batch(random, 9, lengths))


def test_the_command_writes_a_file_that_describes_itself(tmp_path):
    units = CharacterUnits.from_texts(WORDS)
    config = BundleConfig(features=FEATURES, model=ModelConfig(**SMALL), normaliser="none",
                          provenance={"seed": 5})
    network = Network(config.model, FEATURES.dimension, len(units))
    save_bundle(tmp_path / "bundle", config, units, network.state_dict(), None)
    result = CliRunner().invoke(asr, ["export", str(tmp_path / "bundle"),
                                      str(tmp_path / "model.onnx")], catch_exceptions=False)
    assert result.exit_code == 0
    run = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    metadata = run.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["units"]) == units.symbols
    assert json.loads(metadata["frame_shift"]) == pytest.approx(0.03)
    assert json.loads(metadata["features"])["kind"] == FEATURES.kind
    assert json.loads(metadata["provenance"]) == {"seed": 5}
    compare(network.eval(), run, *batch(np.random.default_rng(0), FEATURES.dimension, [50, 31]))

"""asr.export.onnx_file: what `asr export` writes for other runtimes."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from dummies import FEATURES, WORDS

from asr.cli import asr
from asr.model.bundle import BundleConfig, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.units import CharacterUnits


def test_the_command_writes_a_file_that_describes_itself(tmp_path):
    units = CharacterUnits.from_texts(WORDS)
    config = BundleConfig(features=FEATURES, normaliser="none", provenance={"seed": 5},
                          model=ModelConfig(units=6, channels=2, layers=2))
    network = Network(config.model, FEATURES.dimension, len(units)).eval()
    save_bundle(tmp_path / "bundle", config, units, arrays(network.state_dict()), None)
    result = CliRunner().invoke(asr, ["export", str(tmp_path / "bundle"),
                                      str(tmp_path / "model.onnx")], catch_exceptions=False)
    assert result.exit_code == 0
    run = onnxruntime.InferenceSession(tmp_path / "model.onnx",
                                       providers=["CPUExecutionProvider"])
    metadata = run.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["units"]) == units.symbols
    assert json.loads(metadata["frame_shift"]) == pytest.approx(0.03)
    assert json.loads(metadata["features"])["kind"] == FEATURES.kind
    assert json.loads(metadata["provenance"]) == {"seed": 5}
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 50, FEATURES.dimension)).astype(np.float32)
    lengths = np.array([50, 31])
    statistics = random.uniform(0.5, 1.5, (2, 2, FEATURES.dimension)).astype(np.float32)
    found, output_lengths = run.run(
        None, {"features": x, "lengths": lengths, "statistics": statistics})
    with torch.inference_mode():
        expected = network(*map(torch.from_numpy, (x, lengths, statistics))).numpy()
    assert output_lengths.tolist() == [17, 11]
    for column, length in enumerate(output_lengths):
        np.testing.assert_allclose(found[:length, column], expected[:length, column], atol=1e-4)

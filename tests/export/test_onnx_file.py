"""asr.export.onnx_file: what `asr export` writes for other runtimes."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from dummies import FEATURES, WORDS

from asr.cli import asr
from asr.export.onnx_file import export_onnx
from asr.model.bundle import BundleConfig, load_bundle, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.phones import PhoneUnits
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
    assert not {"statistics", "lexicon"} & set(metadata)
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


def test_what_decoding_with_phones_and_global_statistics_needs(tmp_path):
    units = PhoneUnits([("one", "W AH N"), ("two", "T UW")])
    config = BundleConfig(features=FEATURES.model_copy(update={"cmvn": "global"}), units="phones",
                          normaliser="none", model=ModelConfig(units=6, channels=2, layers=1))
    network = Network(config.model, FEATURES.dimension, len(units))
    statistics = np.random.default_rng(0).uniform(0.5, 2, (2, FEATURES.dimension)).astype(
        np.float32)
    save_bundle(tmp_path / "bundle", config, units, arrays(network.state_dict()), statistics)
    export_onnx(load_bundle(tmp_path / "bundle"), tmp_path / "model.onnx")
    metadata = {entry.key: entry.value
                for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    np.testing.assert_array_equal(np.float32(json.loads(metadata["statistics"])), statistics)
    assert metadata["lexicon"] == "one W AH N\ntwo T UW\n"


@pytest.mark.parametrize("option", [("--weights", "int8"), ("--card", "card.md")])
def test_options_of_a_bundle_are_refused(option, tmp_path):
    (tmp_path / "card.md").write_text("A card.")
    result = CliRunner().invoke(asr, ["export", "bundle", str(tmp_path / "model.onnx"), option[0],
                                      option[1].replace("card", str(tmp_path / "card"))])
    assert result.exit_code == 2 and "are for a bundle" in result.output

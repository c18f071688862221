"""asr.export.smaller: a bundle with smaller weights."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from dummies import FEATURES, WORDS

from asr.cli import asr
from asr.decode.config import DecodeConfig
from asr.errors import AsrError
from asr.export.smaller import export_bundle
from asr.model.bundle import BundleConfig, load_bundle, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.units import CharacterUnits

UNITS = CharacterUnits.from_texts(WORDS)


@pytest.fixture(params=["utterance", "global"])
def bundle(tmp_path, request):
    features = FEATURES.model_copy(update={"cmvn": request.param})
    config = BundleConfig(features=features, model=ModelConfig(layers=2, units=24, channels=4),
                          normaliser="none", decoding=DecodeConfig(beam=7), provenance={"seed": 1})
    torch.manual_seed(0)
    network = Network(config.model, features.dimension, len(UNITS))
    statistics = np.random.default_rng(0).random((2, features.dimension)).astype(np.float32)
    save_bundle(tmp_path / "bundle", config, UNITS, arrays(network.state_dict()),
                statistics if request.param == "global" else None, b"n-grams", b"lstm")
    return tmp_path / "bundle"


@pytest.mark.parametrize(("precision", "tolerance", "size"), [
    ("float32", 0.0, 1.0), ("float16", 0.01, 0.6), ("int8", 0.1, 0.5)])
def test_a_smaller_bundle_says_nearly_the_same(bundle, tmp_path, precision, tolerance, size):
    result = CliRunner().invoke(asr, ["export", str(bundle), str(tmp_path / "small"),
                                      "--weights", precision], catch_exceptions=False)
    assert result.exit_code == 0
    before, after = load_bundle(bundle), load_bundle(tmp_path / "small")
    speech = np.random.default_rng(1).uniform(-0.1, 0.1, 8000).astype(np.float32)
    np.testing.assert_allclose(after.log_posteriors_of_audio([speech])[0],
                               before.log_posteriors_of_audio([speech])[0], atol=tolerance)
    weights = [(path / "model.safetensors").stat().st_size for path in (bundle, tmp_path / "small")]
    assert weights[1] <= size * weights[0]
    assert after.config.decoding.beam == 7
    assert (after.lm.read_bytes(), after.lstm.read_bytes()) == (b"n-grams", b"lstm")
    assert after.config.provenance["seed"] == 1
    if before.training_statistics is not None:
        np.testing.assert_array_equal(after.training_statistics, before.training_statistics)


def test_rounding_twice_changes_nothing_more(bundle, tmp_path):
    export_bundle(bundle, tmp_path / "once", "int8")
    export_bundle(tmp_path / "once", tmp_path / "twice", "int8")
    one, two = (load_bundle(tmp_path / name).network.state_dict() for name in ("once", "twice"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-6, atol=0)


def test_not_onto_itself(bundle):
    with pytest.raises(AsrError, match="the output is the bundle itself"):
        export_bundle(bundle, bundle, "int8")
    assert load_bundle(bundle).config.weights == "float32"


def test_no_bundle(bundle, tmp_path):
    with pytest.raises(AsrError, match="none"):
        export_bundle(tmp_path / "none", bundle, "int8")
    assert load_bundle(bundle).config.weights == "float32"


def test_a_card_for_people(bundle, tmp_path):
    card = tmp_path / "card.md"
    card.write_text("## Not for music\n")
    CliRunner().invoke(asr, ["export", str(bundle), str(tmp_path / "small"), "--card", str(card)],
                       catch_exceptions=False)
    export_bundle(tmp_path / "small", tmp_path / "again", "int8")
    for name in ("small", "again"):
        assert "## Not for music" in (tmp_path / name / "README.md").read_text()

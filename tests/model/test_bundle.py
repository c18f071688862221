import json
import tracemalloc

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from asr.decode.config import DecodeConfig
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.model.bundle import BundleConfig, load_bundle, save_bundle, set_decoding
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.phones import PhoneUnits
from asr.text.units import CharacterUnits

UNITS = CharacterUnits.from_texts(["abc d"])


def make(path, cmvn="utterance"):
    features = FeatureConfig(mels=8, cmvn=cmvn)
    config = BundleConfig(features=features, model=ModelConfig(layers=1, units=6, channels=2),
                          normaliser="librispeech", provenance={"seed": 3})
    torch.manual_seed(0)
    network = Network(config.model, 8, len(UNITS))
    statistics = np.stack([np.full(8, 9.0), np.full(8, 0.5)]).astype(np.float32)
    save_bundle(path, config, UNITS, arrays(network.state_dict()),
                statistics if cmvn == "global" else None)
    return config


@pytest.fixture
def path(tmp_path):
    make(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def speech():
    return (0.1 * np.random.default_rng(0).standard_normal(8000)).astype(np.float32)


def test_gives_back_the_same_model(path, speech, tmp_path):
    bundle = load_bundle(path)
    config = make(tmp_path / "again")
    assert bundle.config == config
    assert bundle.units.symbols == UNITS.symbols
    assert bundle.frame_shift == pytest.approx(0.03)
    first, = bundle.log_posteriors_of_audio([speech])
    again, = load_bundle(tmp_path / "again").log_posteriors_of_audio([speech])
    np.testing.assert_array_equal(first, again)
    assert first.shape == (16, len(UNITS))


def test_a_lexicon_may_get_words_but_no_phones(tmp_path):
    units = PhoneUnits([("one", "W AH N"), ("two", "T UW"), ("new", "N UW")])
    config = BundleConfig(features=FeatureConfig(mels=8), units="phones", normaliser="none",
                          model=ModelConfig(layers=1, units=6, channels=2))
    weights = arrays(Network(config.model, 8, len(units)).state_dict())
    save_bundle(tmp_path, config, units, weights, None)
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("one W AH N\ntwo T UW\nnun N AH N\n")
    assert load_bundle(tmp_path).units.symbols == units.symbols
    assert load_bundle(tmp_path).units.vocabulary == ["one", "two", "nun"]
    lexicon.write_text("one W AH N\ntoy T OY\n")
    with pytest.raises(AsrError, match=r"lexicon.txt: `toy T OY`: the model knows no phone OY"):
        load_bundle(tmp_path)
    description = tmp_path / "bundle.json"
    values = json.loads(description.read_text())
    del values["phones"]
    description.write_text(json.dumps(values))
    with pytest.raises(AsrError, match="`phones` is missing"):
        load_bundle(tmp_path)


def test_recordings_do_not_touch_each_other(path, speech):
    bundle = load_bundle(path)
    alone, = bundle.log_posteriors_of_audio([speech])
    together = bundle.log_posteriors_of_audio([3 * speech[:3000], speech, np.zeros(10, np.float32)])
    np.testing.assert_allclose(together[1], alone, atol=1e-5)
    assert len(together[2]) == 0


def test_global_statistics_travel_with_the_bundle(tmp_path, speech):
    make(tmp_path / "bundle", cmvn="global")
    bundle = load_bundle(tmp_path / "bundle")
    np.testing.assert_array_equal(bundle.training_statistics[1], np.full(8, 0.5, np.float32))
    assert np.isfinite(bundle.log_posteriors_of_audio([speech])[0]).all()


def test_no_bundle(tmp_path):
    with pytest.raises(AsrError, match="no model bundle"):
        load_bundle(tmp_path)


def test_another_version_is_named(path):
    values = json.loads((path / "bundle.json").read_text())
    (path / "bundle.json").write_text(json.dumps(values | {"format": 99, "asr_version": "7.0"}))
    with pytest.raises(AsrError, match=r"format 99, written by asr 7\.0"):
        load_bundle(path)


@pytest.mark.parametrize("text", ["", "[]", "{", 200_000 * "["])
def test_broken_json(path, text):
    (path / "bundle.json").write_text(text)
    with pytest.raises(AsrError):
        load_bundle(path)


def test_weights_of_another_shape_are_refused_before_memory_is_taken(path):
    values = json.loads((path / "bundle.json").read_text())
    values["model"]["units"] = 50_000
    (path / "bundle.json").write_text(json.dumps(values))
    with pytest.raises(AsrError, match="do not fit"):
        load_bundle(path)


@pytest.mark.parametrize(("part", "key", "value"), [
    ("model", "layers", 10**9), ("model", "units", 10**9), ("model", "channels", 10**12),
    ("features", "mels", 10**9), ("features", "frame_length", 1e9)])
def test_what_claims_to_be_huge_takes_neither_time_nor_memory(path, part, key, value):
    values = json.loads((path / "bundle.json").read_text())
    values[part][key] = value
    (path / "bundle.json").write_text(json.dumps(values))
    tracemalloc.start()
    with pytest.raises(AsrError):
        load_bundle(path)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_missing_and_damaged_weights(path):
    whole = (path / "model.safetensors").read_bytes()
    for data in (whole[:len(whole) // 2], b"", b"\xff" * 100, whole + b"x"):
        (path / "model.safetensors").write_bytes(data)
        with pytest.raises(AsrError, match="safetensors"):
            load_bundle(path)
    (path / "model.safetensors").unlink()
    with pytest.raises(AsrError, match="safetensors is missing, or you may not read it"):
        load_bundle(path)


def test_an_additional_tensor_is_refused(path):
    tensors = load_file(path / "model.safetensors")
    save_file({**tensors, "extra": torch.zeros(1)}, path / "model.safetensors")
    with pytest.raises(AsrError, match="extra"):
        load_bundle(path)


def test_settings_of_the_search_and_a_language_model_can_be_added(path, speech):
    before = load_bundle(path)
    set_decoding(path, DecodeConfig(lm_weight=0.7), b"a model", None, {"tuned": "on dev"})
    after = load_bundle(path)
    assert after.config.decoding.lm_weight == 0.7
    assert after.config.provenance == {"seed": 3, "tuned": "on dev"}
    assert after.lm.read_bytes() == b"a model"
    assert "- tuned: on dev" in (path / "README.md").read_text()
    np.testing.assert_array_equal(*before.log_posteriors_of_audio([speech]),
                                  *after.log_posteriors_of_audio([speech]))
    set_decoding(path, DecodeConfig(), None, None, {})
    assert load_bundle(path).lm is None

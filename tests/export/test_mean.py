import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from dummies import FEATURES, WORDS

from asr.cli import asr
from asr.errors import AsrError
from asr.export.mean import load_mean
from asr.files import sha256
from asr.model.bundle import BundleConfig, load_bundle, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.units import CharacterUnits


def saved(path, seed, texts=WORDS, features=FEATURES, **model):
    units = CharacterUnits.from_texts(texts)
    config = BundleConfig(features=features, normaliser="none", card=f"Number {seed}",
                          model=ModelConfig(**{"layers": 1, "units": 16, "channels": 4} | model))
    torch.manual_seed(seed)
    network = Network(config.model, features.dimension, len(units))
    save_bundle(path, config, units, arrays(network.state_dict()), None, b"lm" * seed or None)
    return path


def test_weights_are_the_mean_and_the_rest_is_the_firsts(tmp_path):
    folders = [saved(tmp_path / str(seed), seed, dropout=0.1 * seed) for seed in (1, 2, 3)]
    result = CliRunner().invoke(asr, ["export", *map(str, folders), str(tmp_path / "mean"),
                                      "--weights", "float32"], catch_exceptions=False)
    assert result.exit_code == 0
    mean, parts = load_bundle(tmp_path / "mean"), [load_bundle(folder) for folder in folders]
    for name, array in mean.weights.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, sum(part.weights[name] for part in parts) / 3, rtol=1e-5,
                                   atol=1e-7)
    assert mean.config.card == "Number 1" and mean.lm.read_bytes() == b"lm"
    assert json.loads((tmp_path / "mean" / "bundle.json").read_text())["provenance"]["weights of"] \
        == [sha256(folder / "model.safetensors") for folder in folders]


def test_one_is_itself(tmp_path):
    folder = saved(tmp_path / "1", 1)
    mean, own = load_mean([folder]), load_bundle(folder)
    assert all(np.array_equal(array, own.weights[name]) for name, array in mean.weights.items())


@pytest.mark.parametrize(("other", "what"), [
    ({"units": 32}, "layers"), ({"texts": ["x"]}, "units"),
    ({"features": FEATURES.model_copy(update={"dither": 0.5})}, "features")])
def test_others_have_no_mean(tmp_path, other, what):
    folders = [saved(tmp_path / "1", 1), saved(tmp_path / "2", 2, **other)]
    with pytest.raises(AsrError, match=f"2: other {what} than .*1;"):
        load_mean(folders)

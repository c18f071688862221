import numpy as np
import pytest
import torch

from asr.align.posteriors import LONGEST, windowed_log_posteriors
from asr.features.config import FeatureConfig
from asr.model.bundle import Bundle, BundleConfig
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.units import CharacterUnits


def model(sample_rate, **settings):
    """A small random network, of features that do not depend on the window."""
    config = BundleConfig(
        features=FeatureConfig(mels=8, sample_rate=sample_rate, cmvn="global", dither=0),
        model=ModelConfig(layers=1, units=6, channels=2, norm="none", **settings),
        normaliser="none")
    units = CharacterUnits.from_texts(["abc"])
    torch.manual_seed(0)
    network = Network(config.model, 8, len(units)).eval()
    torch.nn.init.normal_(network.head.weight, std=5)
    return Bundle(config, units, arrays(network.state_dict()),
                  np.array([[15] * 8, [0.5] * 8], np.float32), None, None)


@pytest.mark.parametrize(("sample_rate", "seconds", "settings"), [
    (8000, 71.234, {}), (8000, 30.02, {}), (8000, 50.0, {"subsampling": 4}),
    (8000, 41.7, {"front_end": "stack", "subsampling": 1}),
    (11_025, 65.4, {})])  # a frame shift of 110.25 samples is one of 110
def test_windows_give_the_frames_of_the_whole(sample_rate, seconds, settings):
    """A network forgets what lies some seconds back, so that windows change next to nothing."""
    bundle = model(sample_rate, **settings)
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * sample_rate))
    samples = (samples * np.repeat(np.random.default_rng(1).random(len(samples) // 900 + 1), 900
                                   )[:len(samples)]).astype(np.float32)
    assert seconds > LONGEST
    whole, = bundle.log_posteriors_of_audio([samples])
    windowed = windowed_log_posteriors(bundle, samples)
    assert whole.std(axis=0).max() > 0.1  # or any order of frames would do
    np.testing.assert_allclose(windowed, whole, atol=1e-4)


@pytest.mark.parametrize("samples", [0, 100, 8000])
def test_short_audio_is_one_window(samples):
    bundle = model(8000)
    sound = np.full(samples, 0.1, np.float32)
    whole, = bundle.log_posteriors_of_audio([sound])
    assert np.array_equal(windowed_log_posteriors(bundle, sound), whole)

import os

# Small networks gain nothing from threads, and lose much where other work shares the cores. Before
# torch is imported; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

if not torch.cuda.is_available():  # before Triton is imported: kernels run without a GPU, slowly
    os.environ.setdefault("TRITON_INTERPRET", "1")

from dummies import write_speech
from hypothesis import settings

from asr.features.config import FeatureConfig
from asr.model.bundle import BundleConfig, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.units import CharacterUnits

settings.register_profile("patient", deadline=None)  # first examples wait for compilers and files
settings.load_profile("patient")


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Folders of a training store with two speeds, and of a development store."""
    folder = tmp_path_factory.mktemp("stores")
    return (write_speech(folder / "train", 40, seed=1, speeds=(0.9, 1.0)),
            write_speech(folder / "dev", 11, seed=2))


def save_babbler(path, model, cmvn="utterance", silent=0.0):
    """A bundle of a network that was never trained, so that it babbles; 8 kHz."""
    units = CharacterUnits.from_texts(["abc def"])
    config = BundleConfig(features=FeatureConfig(mels=12, sample_rate=8000, cmvn=cmvn),
                          normaliser="none", model=model)
    torch.manual_seed(3)
    network = Network(config.model, config.features.dimension, len(units))
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter, std=3)
    network.head.bias.detach()[0] += silent
    statistics = np.stack([np.full(12, 10.0), np.full(12, 0.3)]).astype(np.float32)
    save_bundle(path, config, units, arrays(network.state_dict()),
                statistics if cmvn == "global" else None)
    return path


@pytest.fixture(scope="session")
def babbler(tmp_path_factory):
    """Folder of a bundle that babbles."""
    return save_babbler(tmp_path_factory.mktemp("model") / "bundle",
                        ModelConfig(front_end="stack", layers=1, units=8, channels=4))


@pytest.fixture(scope="session")
def live_babbler(tmp_path_factory):
    """Folder of a one-directional bundle that babbles, with pauses."""
    return save_babbler(tmp_path_factory.mktemp("live") / "bundle",
                        ModelConfig(layers=2, units=8, channels=4, bidirectional=False),
                        cmvn="global", silent=4.0)


@pytest.fixture(scope="session")
def babble():
    """12 s of noise that swells and fades, at 8 kHz."""
    random = np.random.default_rng(0)
    loudness = np.abs(np.sin(np.arange(96_000) / 3000)) ** 3
    return (0.1 * loudness * random.standard_normal(96_000)).astype(np.float32)

import os

# Small networks gain nothing from threads, and lose much where other work shares the cores. Before
# torch is imported; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from dummies import write_speech
from hypothesis import settings

from asr.features.config import FeatureConfig
from asr.model.bundle import BundleConfig, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network
from asr.text.units import CharacterUnits

settings.register_profile("patient", deadline=None)  # first examples wait for compilers and files
settings.load_profile("patient")


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Folders of a training store with two speeds, and of a development store."""
    folder = tmp_path_factory.mktemp("stores")
    return (write_speech(folder / "train", 40, seed=1, speeds=(0.9, 1.0)),
            write_speech(folder / "dev", 11, seed=2))


@pytest.fixture(scope="session")
def babbler(tmp_path_factory):
    """Bundle of a network that was never trained, so that it babbles; 8 kHz."""
    units = CharacterUnits.from_texts(["abc def"])
    config = BundleConfig(
        features=FeatureConfig(mels=12, sample_rate=8000), normaliser="none",
        model=ModelConfig(front_end="stack", layers=1, units=8, channels=4))
    torch.manual_seed(3)
    network = Network(config.model, config.features.dimension, len(units))
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter, std=3)
    path = tmp_path_factory.mktemp("model") / "bundle"
    save_bundle(path, config, units, network.state_dict(), None)
    return path

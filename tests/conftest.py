import os

# Small networks gain nothing from threads, and lose much where other work shares the cores. Before
# torch is imported; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from dummies import write_speech
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # first examples wait for compilers and files
settings.load_profile("patient")


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Folders of a training store with two speeds, and of a development store."""
    folder = tmp_path_factory.mktemp("stores")
    return (write_speech(folder / "train", 40, seed=1, speeds=(0.9, 1.0)),
            write_speech(folder / "dev", 11, seed=2))

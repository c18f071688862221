import pytest
import soundfile
from level_bundle import RATE, LevelBundle


@pytest.fixture
def bundle():
    return LevelBundle()


@pytest.fixture
def record(tmp_path):
    """Write samples as a wav file without loss; its path."""
    def write(name, samples):
        path = tmp_path / name
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        return path
    return write

import pytest
from spiky_bundle import SpikyBundle


@pytest.fixture
def bundle():
    return SpikyBundle()

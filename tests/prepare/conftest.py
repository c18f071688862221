"""Tiny audio for made-up corpora."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def record() -> Callable[..., Path]:
    """Write a short noise, in the format that the suffix names."""
    def write(path: Path, seconds: float = 1.0, rate: int = 16_000) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).uniform(-0.1, 0.1, round(seconds * rate))
        options = {".opus": {"format": "OGG", "subtype": "OPUS"}, ".oga": {"format": "OGG"},
                   ".sph": {"format": "NIST"}, ".aif": {"format": "AIFF"},
                   ".raw": {"format": "RAW", "subtype": "PCM_16"}}.get(path.suffix, {})
        soundfile.write(path, noise, rate, **options)
        return path
    return write

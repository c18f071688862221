"""The telephone: 300 to 3,400 Hz at 8 kHz, and what G.711 leaves of 16 bits."""

import numpy as np
import soxr
from scipy.signal import fftconvolve, firwin

from asr.augment.part import Part, Scene, unclipped

_RATE = 8_000
_BAND = (300.0, 3_400.0)  # Hz; half the amplitude is left at the edges
_TAPS = 201  # 25 ms: from edge to stop band in about 65 Hz
_MU = 255


class TelephoneConfig(Part):
    """A narrow-band telephone line."""

    mu_law: bool = True
    """Code the samples in 8 bits as North America's telephones do (G.711)."""

    def apply(self, samples: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
        return telephone(samples, scene.sample_rate, self.mu_law)


def telephone(samples: np.ndarray, sample_rate: int, mu_law: bool) -> np.ndarray:
    """Leave what a telephone transmits; the phase is linear and its delay taken out."""
    narrow = soxr.resample(samples, sample_rate, _RATE)
    band = firwin(_TAPS, _BAND, pass_zero=False, fs=_RATE).astype(np.float32)
    narrow = fftconvolve(narrow, band)[_TAPS // 2:][:len(narrow)]
    if mu_law:
        narrow = companded(unclipped(narrow))
    wide = soxr.resample(narrow, _RATE, sample_rate)[:len(samples)]
    return np.pad(wide, (0, len(samples) - len(wide)))


def companded(samples: np.ndarray) -> np.ndarray:
    """Samples within ±1 after coding and decoding in 8 bits by the μ law (μ = 255)."""
    compressed = np.log1p(_MU * np.abs(samples)) / np.log1p(_MU)
    levels = np.round(127 * compressed) / 127  # zero is a level, as in G.711, so silence stays so
    return np.copysign(np.expm1(levels * np.log1p(_MU)) / _MU, samples).astype(np.float32)

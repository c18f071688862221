"""What the network is fed: kept with every store and every model bundle."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from asr.config import Config

DELTA_WINDOW = 2
"""Frames on each side that a difference over time takes in."""


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    return 1127 * np.log1p(np.asarray(hertz) / 700)


class FeatureConfig(Config):
    """How audio becomes frames."""

    kind: Literal["fbank", "mfcc"] = "fbank"
    """Log-mel filterbank energies or mel-frequency cepstral coefficients."""
    sample_rate: int = Field(16_000, ge=4_000, le=192_000)
    """Rate in Hz that audio is resampled to."""
    frame_length: float = Field(0.025, gt=0, le=0.2)
    """Length of the analysis window in seconds."""
    frame_shift: float = Field(0.010, gt=0, le=1)
    """Seconds between the starts of two windows."""
    mels: int = Field(80, ge=4, le=1024)
    """Number of mel bins; an fbank frame has as many values, an MFCC is made from them."""
    ceps: int = Field(13, ge=1)
    """Number of cepstral coefficients (C0 included) of an MFCC frame."""
    deltas: int = Field(0, ge=0, le=2)
    """1 appends the frames' first differences over time, 2 the second ones too."""
    low_freq: float = Field(20.0, ge=0)
    """Lower edge of the mel bins in Hz."""
    high_freq: float = 0.0
    """Upper edge of the mel bins in Hz; 0 or less counts down from half the sample rate."""
    dither: float = Field(1.0, ge=0, le=1 << 15)
    """Standard deviation of the noise added to 16-bit samples, as in Kaldi; always the same noise,
    so that features are a function of the audio. It keeps digital silence off log(0)."""
    cmvn: Literal["utterance", "speaker", "global", "none"] = "utterance"
    """Over what mean and variance are normalised. `utterance` and `global` (the training set's)
    are what a single unknown recording can have; `speaker` is Kaldi's custom."""

    @model_validator(mode="after")
    def _consistent(self) -> "FeatureConfig":
        if self.kind == "mfcc" and self.ceps > self.mels:
            raise ValueError(f"ceps ({self.ceps}) must not be more than mels ({self.mels})")
        low, high = self.mel_range
        if not low < high <= self.sample_rate / 2:
            raise ValueError(f"mel bins from {low:g} to {high:g} Hz: low_freq must be below "
                             f"high_freq, and that at most {self.sample_rate / 2:g}")
        if self.window < 2 or self.shift < 1:
            raise ValueError(f"frame_length and frame_shift are {self.window} and {self.shift} "
                             f"samples at {self.sample_rate} Hz; 2 and 1 at least")
        edges, places = self.mel_edges, self.mel_places
        empty = np.sum(np.searchsorted(places, edges[:-2], "right")
                       >= np.searchsorted(places, edges[2:]))
        if empty:
            raise ValueError(f"{empty} of {self.mels} mel bins would hold no frequency of the "
                             "spectrum; take fewer mels or a longer frame_length")
        return self

    @property
    def mel_range(self) -> tuple[float, float]:
        """Lower and upper edge of the mel bins in Hz."""
        down = self.sample_rate / 2 if self.high_freq <= 0 else 0.0
        return self.low_freq, down + self.high_freq

    @property
    def mel_edges(self) -> np.ndarray:
        """In mel, shape = (mels + 2,): a bin begins at its own, peaks at the next, ends at the one
        after that."""
        low, high = self.mel_range
        return np.linspace(_mel(low), _mel(high), self.mels + 2)

    @property
    def mel_places(self) -> np.ndarray:
        """In mel, those of the spectrum's bins, but for the one at half the sample rate."""
        return _mel(np.arange(self.spectrum // 2) * self.sample_rate / self.spectrum)

    @property
    def dimension(self) -> int:
        """Values in a frame."""
        return self.bands * (1 + self.deltas)

    @property
    def bands(self) -> int:
        """Values in a frame without its differences."""
        return self.mels if self.kind == "fbank" else self.ceps

    @property
    def reach(self) -> int:
        """Windows on each side of its own that a frame's differences take in."""
        return DELTA_WINDOW * self.deltas

    @property
    def window(self) -> int:
        """Samples of the analysis window."""
        return self._samples(self.frame_length)

    @property
    def spectrum(self) -> int:
        """Samples of the Fourier transform, the next power of two."""
        return 1 << (self.window - 1).bit_length()

    @property
    def shift(self) -> int:
        """Samples between the starts of two windows."""
        return self._samples(self.frame_shift)

    def _samples(self, seconds: float) -> int:
        """Whole ones, as Kaldi has it, but for the rounding of a product that is one."""
        return int(seconds * self.sample_rate + 1e-6)

    def frames(self, samples: int) -> int:
        """Number of frames of a recording; only whole windows count (Kaldi's snip-edges)."""
        return 0 if samples < self.window else 1 + (samples - self.window) // self.shift

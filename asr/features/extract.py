"""Samples → frames, with Kaldi's definitions (compute-fbank-feats, compute-mfcc-feats).

In numpy, so that recognising needs no torch, which takes longer to load than a sentence to
recognise. `tests/features/test_extract.py` holds them equal to torchaudio's.
"""

from functools import cache

import numpy as np

from asr.features.config import DELTA_WINDOW, FeatureConfig

_FULL_SCALE = 1 << 15  # Kaldi's samples are 16-bit integers
_PRE_EMPHASIS = 0.97
_LIFTER = 22
_FLOOR = np.finfo(np.float32).eps  # of energies, before the logarithm
_BLOCK = 128  # windows computed at once: what they take stays in the processor's cache


def extract(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Compute a recording's frames, not yet normalised.

    Parameters
    ----------
    samples : np.ndarray, shape = (samples,), float32
        Full scale ±1, at `config.sample_rate`.

    Returns
    -------
    np.ndarray, shape = (T, F), float16
        T = `config.frames(len(samples))`, F = `config.dimension`. Half precision is what the
        store keeps, so that training and transcription see the same values.
    """
    if config.frames(len(samples)) == 0:
        return np.zeros((0, config.dimension), np.float16)
    frames = static_frames(dithered(samples, config, dither_noise()), config)
    return with_deltas(frames, config.deltas).astype(np.float16)


def dither_noise() -> np.random.Generator:
    """Where every recording's dither comes from, at its beginning."""
    return np.random.Generator(np.random.Philox(0))


def dithered(samples: np.ndarray, config: FeatureConfig, noise: np.random.Generator) -> np.ndarray:
    """Samples with the next of the noise added, as Kaldi scales them; shape as given, float32."""
    waveform = np.asarray(samples, np.float32) * _FULL_SCALE
    if config.dither:
        waveform += config.dither * noise.standard_normal(len(waveform), np.float32)
    return waveform


def static_frames(waveform: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Frames of the whole windows, at least one, in what `dithered` gives, without differences.

    Shape (T, mels) of filterbanks, (T, ceps) of cepstra, float32.
    """
    windows = np.lib.stride_tricks.sliding_window_view(waveform, config.window)[::config.shift]
    frames = np.empty((len(windows), config.mels), np.float32)
    for start in range(0, len(windows), _BLOCK):
        frames[start:start + _BLOCK] = _log_mel(windows[start:start + _BLOCK], config)
    if config.kind == "fbank":
        return frames
    return frames @ _cosines(config)


def _log_mel(windows: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Logarithms of the energies in each mel bin; shape (T, window) → (T, mels), float32."""
    frames = windows - windows.mean(axis=1, keepdims=True)
    frames[:, 1:] -= _PRE_EMPHASIS * frames[:, :-1]
    frames[:, 0] *= 1 - _PRE_EMPHASIS
    window, bank = _window(config.window), _mel_bank(config)
    spectra = np.fft.rfft(frames * window, 2 * len(bank), axis=1)[:, :len(bank)]
    power = np.square(spectra.real) + np.square(spectra.imag)
    return np.log(np.maximum(power @ bank, _FLOOR))


@cache
def _window(size: int) -> np.ndarray:
    """Povey's: Hann's to the power of 0.85, so that it is higher at the edges."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))
    return (hann ** 0.85).astype(np.float32)


@cache
def _cosines(config: FeatureConfig) -> np.ndarray:
    """The orthonormal cosine transform (DCT-II) and the lifter; shape = (mels, ceps), float32."""
    k, n = np.arange(config.ceps), np.arange(config.mels)[:, None]
    transform = np.sqrt(2 / config.mels) * np.cos(np.pi * k * (n + 0.5) / config.mels)
    transform[:, 0] /= np.sqrt(2)
    return (transform * (1 + _LIFTER / 2 * np.sin(np.pi * k / _LIFTER))).astype(np.float32)


@cache
def _mel_bank(config: FeatureConfig) -> np.ndarray:
    """Triangles on the mel scale over the bins of a spectrum; shape = (bins, mels), float32."""
    edges, places = config.mel_edges, config.mel_places[:, None]
    rise = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def with_deltas(frames: np.ndarray, order: int) -> np.ndarray:
    """Append differences over time, as Kaldi's add-deltas does.

    Parameters
    ----------
    frames : np.ndarray, shape = (T, F)
    order : int
        How many times to differentiate.

    Returns
    -------
    np.ndarray, shape = (T, F · (order + 1))
    """
    return differences(np.pad(frames, ((DELTA_WINDOW * order,) * 2, (0, 0)), mode="edge"), order)


def differences(padded: np.ndarray, order: int) -> np.ndarray:
    """As `with_deltas`, of frames with `DELTA_WINDOW` · `order` others on each side.

    The regression is Σ j·x[t+j] / Σ j² (HTK book, eq. 5.16), j up to `DELTA_WINDOW`.
    """
    j = np.arange(-DELTA_WINDOW, DELTA_WINDOW + 1)
    weights = np.ones(1)
    parts = []
    for times in range(order + 1):
        beyond = DELTA_WINDOW * (order - times)  # what only higher differences take in
        windows = np.lib.stride_tricks.sliding_window_view(
            padded[beyond:len(padded) - beyond], len(weights), axis=0)
        parts.append((windows @ weights).astype(padded.dtype))
        weights = np.convolve(weights, j / (j * j).sum())
    return np.concatenate(parts, axis=1)

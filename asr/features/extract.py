"""Samples → frames, with Kaldi's definitions (compute-fbank-feats, compute-mfcc-feats)."""

import numpy as np
import torch

from asr.errors import AsrError, one_line
from asr.features.config import DELTA_WINDOW, FeatureConfig

try:
    from torchaudio.compliance import kaldi
except (OSError, RuntimeError, ImportError) as error:
    raise AsrError(
        f"torchaudio cannot load beside torch {torch.__version__} ({one_line(error)}); "
        "install both from one index: pip install --force-reinstall 'torch>=2.11,<2.15' "
        "'torchaudio==2.11.*'") from None

_FULL_SCALE = 1 << 15  # Kaldi's samples are 16-bit integers


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
    options = {
        "sample_frequency": float(config.sample_rate),
        # torchaudio cuts milliseconds down to whole samples; half a one too many keeps it exact.
        "frame_length": 1000 * (config.window + 0.5) / config.sample_rate,
        "frame_shift": 1000 * (config.shift + 0.5) / config.sample_rate,
        "num_mel_bins": config.mels,
        "low_freq": config.low_freq,
        "high_freq": config.high_freq,
        "dither": 0.0,
    }
    tensor = torch.from_numpy(waveform)[None]
    with torch.inference_mode():
        if config.kind == "fbank":
            return kaldi.fbank(tensor, **options).numpy()
        return kaldi.mfcc(tensor, num_ceps=config.ceps, **options).numpy()


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

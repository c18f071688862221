"""Samples → frames, with Kaldi's definitions (compute-fbank-feats, compute-mfcc-feats)."""

import numpy as np
import torch

from asr.errors import AsrError, one_line
from asr.features.config import FeatureConfig

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
    waveform = np.asarray(samples, np.float32) * _FULL_SCALE
    if config.dither:
        noise = np.random.Generator(np.random.Philox(0)).standard_normal(len(waveform), np.float32)
        waveform += config.dither * noise
    options = {
        "sample_frequency": float(config.sample_rate),
        "frame_length": 1000 * config.frame_length,
        "frame_shift": 1000 * config.frame_shift,
        "num_mel_bins": config.mels,
        "low_freq": config.low_freq,
        "high_freq": config.high_freq,
        "dither": 0.0,
    }
    tensor = torch.from_numpy(waveform)[None]
    with torch.inference_mode():
        if config.kind == "fbank":
            frames = kaldi.fbank(tensor, **options).numpy()
        else:
            frames = kaldi.mfcc(tensor, num_ceps=config.ceps, **options).numpy()
    return with_deltas(frames, config.deltas).astype(np.float16)


def with_deltas(frames: np.ndarray, order: int, window: int = 2) -> np.ndarray:
    """Append differences over time, as Kaldi's add-deltas does.

    Parameters
    ----------
    frames : np.ndarray, shape = (T, F)
    order : int
        How many times to differentiate.
    window : int
        Frames on each side that the regression Σ j·x[t+j] / Σ j² takes in (HTK book, eq. 5.16).

    Returns
    -------
    np.ndarray, shape = (T, F · (order + 1))
    """
    regression = np.arange(-window, window + 1) / (2 * sum(j * j for j in range(window + 1)))
    weights = np.ones(1)
    parts = [frames]
    for _ in range(order):
        weights = np.convolve(weights, regression)
        reach = len(weights) // 2
        padded = np.pad(frames, ((reach, reach), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(weights), axis=0)
        parts.append((windows @ weights).astype(frames.dtype))
    return np.concatenate(parts, axis=1)

"""SpecAugment (Park et al. 2019): stretches of time and bands of frequency set to the mean.

Park et al. 2019: https://arxiv.org/abs/1904.08779; 2020: https://arxiv.org/abs/1912.05533.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from asr.config import Config
from asr.randomness import generator


class SpecAugmentConfig(Config):
    """How much of time and frequency is masked."""

    frequency_masks: int = Field(2, ge=0)
    """Bands masked in each utterance."""
    frequency_width: float = Field(0.25, ge=0, le=1)
    """Widest band, as a share of the mel bins or cepstra; their differences are masked alike."""
    time_masks_per_second: float = Field(0.5, ge=0)
    """Stretches masked per second of speech: adaptive masking (Park et al. 2020)."""
    time_masks: int | None = Field(None, ge=0)
    """If given, so many stretches in every utterance instead, long or short (Park et al. 2019)."""
    time_width: float = Field(0.5, ge=0)
    """Longest stretch in seconds."""
    time_share: float = Field(0.1, ge=0, le=1)
    """Longest stretch as a share of the utterance; the shorter of the two limits holds."""


def spec_augment_spans(config: SpecAugmentConfig, names: Sequence[tuple[int | str, ...]],
                       lengths: np.ndarray, bands: int, frame_shift: float, deltas: int = 0
                       ) -> tuple[Tensor, Tensor]:
    """Draw the masks of a batch, each a function of its utterance's name alone.

    Parameters
    ----------
    names : sequence of N tuples
        What `asr.randomness.generator` is keyed by, e.g. (seed, "mask", epoch, id).
    lengths : np.ndarray, shape = (N,)
        Frames of each utterance.
    bands : int
        Values of a frame, without its differences over time.
    frame_shift : float
        Seconds between frames.
    deltas : int
        Of how many orders differences follow them, which are masked alike.

    Returns
    -------
    (Tensor, Tensor), shapes = (N, M, 2) and (N, K · (1 + deltas), 2), int64
        First and past-the-last frame of each time mask, and value of each frequency mask; unused
        places are empty spans.
    """
    counts = [math.ceil(config.time_masks_per_second * length * frame_shift)
              if config.time_masks is None else config.time_masks for length in lengths]
    time = np.zeros((len(names), max(counts, default=0), 2), np.int64)
    frequency = np.zeros((len(names), 1 + deltas, config.frequency_masks, 2), np.int64)
    blocks = bands * np.arange(1 + deltas)[:, None, None]
    for row, (name, length, count) in enumerate(zip(names, lengths, counts, strict=True)):
        random = generator(*name)
        widest = min(config.time_width / frame_shift, config.time_share * length)
        time[row, :count] = _spans(random, count, int(widest), int(length))
        frequency[row] = blocks + _spans(random, config.frequency_masks,
                                         int(config.frequency_width * bands), bands)
    return torch.from_numpy(time), torch.from_numpy(frequency).flatten(1, 2)


def _spans(random: np.random.Generator, count: int, widest: int, size: int) -> np.ndarray:
    """Shape (count, 2): widths uniform on 0 … widest, then places uniform on what is left."""
    width = random.integers(0, widest + 1, count)
    start = random.integers(0, size - width + 1)
    return np.stack([start, start + width], axis=1)


def apply_spans(x: Tensor, time: Tensor, frequency: Tensor) -> Tensor:
    """Zero the spans of normalised frames `x` of shape (N, T, F)."""
    return x * _kept(time, x.shape[1])[:, :, None] * _kept(frequency, x.shape[2])[:, None, :]


def _kept(spans: Tensor, size: int) -> Tensor:
    """Shape (N, M, 2) → (N, size), bool: False inside any span."""
    place = torch.arange(size, device=spans.device)
    inside = (place >= spans[:, :, :1]) & (place < spans[:, :, 1:])
    return ~inside.any(dim=1)

"""SpecAugment (Park et al. 2019): stretches of time and bands of frequency set to the mean.

Park et al. 2019: https://arxiv.org/abs/1904.08779; 2020: https://arxiv.org/abs/1912.05533.
"""

import torch
from torch import Tensor

from asr.augment.spec_augment_config import SpecAugmentConfig
from asr.splitmix import uniform

_FREQUENCY = 1 << 32  # where the numbers for frequency masks begin, those for time masks at 0


def spec_augment_spans(config: SpecAugmentConfig, seeds: Tensor, lengths: Tensor, bands: int,
                       frame_shift: float, deltas: int = 0) -> tuple[Tensor, Tensor]:
    """Draw the masks of a batch, each a function of its utterance's seed and length alone.

    Parameters
    ----------
    seeds : Tensor, shape = (N,), int64
        One of each utterance, see `asr.randomness.seed_of`.
    lengths : Tensor, shape = (N,), int64
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
    lengths = lengths[:, None].double()
    counts = (torch.ceil(config.time_masks_per_second * lengths * frame_shift)
              if config.time_masks is None else torch.full_like(lengths, config.time_masks))
    masks = torch.arange(int(counts.max()) if len(counts) else 0)
    widest = (config.time_share * lengths).clamp(max=config.time_width / frame_shift)
    time = _spans(seeds, masks, widest.long(), lengths) * (masks < counts)[:, :, None]
    frequency = _spans(seeds, torch.arange(config.frequency_masks) + _FREQUENCY,
                       torch.tensor(int(config.frequency_width * bands)), torch.tensor(bands))
    blocks = bands * torch.arange(1 + deltas)[:, None, None]
    return time, (frequency[:, None] + blocks).flatten(1, 2)


def _spans(seeds: Tensor, masks: Tensor, widest: Tensor, size: Tensor) -> Tensor:
    """Widths uniform on 0 … widest, then places uniform on what is left; shape (N, M, 2)."""
    width = (uniform(seeds[:, None], 2 * masks) * (widest + 1)).long()
    start = (uniform(seeds[:, None], 2 * masks + 1) * (size - width + 1)).long()
    return torch.stack([start, start + width], dim=2)


def apply_spans(x: Tensor, time: Tensor, frequency: Tensor) -> Tensor:
    """Zero the spans of normalised frames `x` of shape (N, T, F)."""
    return x * _kept(time, x.shape[1])[:, :, None] * _kept(frequency, x.shape[2])[:, None, :]


def _kept(spans: Tensor, size: int) -> Tensor:
    """Shape (N, M, 2) → (N, size), bool: False inside any span."""
    place = torch.arange(size, device=spans.device)
    inside = (place >= spans[:, :, :1]) & (place < spans[:, :, 1:])
    return ~inside.any(dim=1)

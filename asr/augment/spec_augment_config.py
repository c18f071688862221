"""Settings of `asr.augment.spec_augment`, to be read without torch."""

from pydantic import Field

from asr.config import Config


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

"""What the parts of augmentation have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from asr.audio import read_audio
from asr.config import Config
from asr.manifest import Utterance

_IN_MEMORY = 2_000.0  # seconds: 128 MB at 16 kHz
_ROUNDING = 1e-3  # seconds by which start and length, rounded to samples, may pass a clip's end


def ascending(span: tuple[float, float]) -> tuple[float, float]:
    """Refuse a range whose first value is above its second."""
    if span[0] > span[1]:
        raise ValueError(f"a range is [lowest, highest], not {list(span)}")
    return span


Decibels = Annotated[float, Field(ge=-100, le=100)]
DecibelRange = Annotated[tuple[Decibels, Decibels], AfterValidator(ascending)]


@dataclass(frozen=True)
class Clip:
    """A stretch of an audio file; times in seconds."""

    id: str
    path: Path
    start: float
    duration: float


class Background:
    """What can be heard behind an utterance; in memory, unless there is much of it.

    Raises
    ------
    AsrError
        A clip cannot be read.
    """

    def __init__(self, clips: Sequence[Clip], sample_rate: int) -> None:
        self.clips = clips
        self._sample_rate = sample_rate
        small = sum(clip.duration for clip in clips) <= _IN_MEMORY
        self._kept = [read_audio(clip.path, sample_rate, clip.start, clip.duration)
                      for clip in clips] if small else None

    def piece(self, index: int, length: int, random: np.random.Generator) -> np.ndarray:
        """`length` samples of a clip from a drawn place on; one that is too short is repeated."""
        clip, rate = self.clips[index], self._sample_rate
        spare = clip.duration - length / rate - _ROUNDING
        shift = random.uniform(0, spare) if spare > 0 else 0.0
        if self._kept is not None:
            samples = self._kept[index][round(shift * rate):][:length]
        else:
            samples = read_audio(clip.path, rate, clip.start + shift,
                                 length / rate if spare > 0 else clip.duration)
        return np.resize(samples, length)


@dataclass(frozen=True)
class Scene:
    """What a part may need to know beside the samples."""

    id: str
    """The utterance's own."""
    sample_rate: int
    background: Background
    """Of the part's `clips`."""


class Part(Config):
    """A section of `AugmentConfig`: one change of the samples, with drawn strength."""

    probability: float = Field(ge=0, le=1)
    """Share of the augmented copies that the part changes."""

    def clips(self, utterances: Sequence[Utterance]) -> Sequence[Clip]:
        """What the part puts into the background of a manifest's utterances.

        Raises
        ------
        AsrError
            There is not enough, or it cannot be read.
        """
        return ()

    @abstractmethod
    def apply(self, samples: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
        """Change samples (shape (n,), float32, full scale ±1); their number stays the same."""


def power(samples: np.ndarray) -> float:
    """Mean square of the samples; 0 where there are none."""
    return float(np.square(samples, dtype=np.float64).mean()) if len(samples) else 0.0


def unclipped(samples: np.ndarray) -> np.ndarray:
    """Scale down what would pass full scale: clipping would add harmonics that no room has."""
    peak = np.abs(samples).max(initial=1.0)
    return samples if peak == 1 else samples / peak

"""Utterance → its copies: plain at every speed, then the augmented ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from asr.augment.config import AugmentConfig
from asr.augment.part import Background, Scene, unclipped
from asr.augment.speed import change_speed
from asr.manifest import Utterance
from asr.randomness import generator


@dataclass(frozen=True)
class Copy:
    """What one entry of a store is made from."""

    speed: float
    number: int
    """0 is plain; augmented ones count from 1."""
    samples: np.ndarray


class Copier:
    """Makes the copies of a manifest's utterances, in any order and from any thread.

    An augmented copy is a function of (seed, utterance id, copy number), of the utterance's
    samples, and of what the noise folder and the manifest hold. Each part draws from a generator
    of its own, so that one more or less changes nothing about the others.

    Raises
    ------
    AsrError
        See `Part.clips`.
    """

    def __init__(self, config: AugmentConfig, utterances: Sequence[Utterance], sample_rate: int
                 ) -> None:
        self._config = config
        self._sample_rate = sample_rate
        self._backgrounds = {name: Background(part.clips(utterances), sample_rate)
                             for name, part in config.parts.items()}

    def sources(self) -> Iterator[str]:
        """What noise there is, a line a clip: beside the settings, what copies depend on."""
        for name, background in self._backgrounds.items():
            for clip in background.clips:
                yield f"{name} {clip.path} {clip.start} {clip.duration} {clip.path.stat().st_size}"

    def copies(self, id: str, samples: np.ndarray) -> Iterator[Copy]:
        """Yield the copies of an utterance (shape (n,), float32, full scale ±1)."""
        played = {speed: change_speed(samples, speed) for speed in self._config.speeds}
        for speed, plain in played.items():
            yield Copy(speed, 0, plain)
        for number in range(1, self._config.copies + 1):
            random = generator(self._config.seed, "speed", id, number)
            speed = self._config.speeds[random.integers(len(self._config.speeds))]
            yield Copy(speed, number, self._augmented(played[speed], id, number))

    def _augmented(self, samples: np.ndarray, id: str, number: int) -> np.ndarray:
        for name, part in self._config.parts.items():
            random = generator(self._config.seed, name, id, number)
            if random.random() < part.probability:
                scene = Scene(id, self._sample_rate, self._backgrounds[name])
                samples = unclipped(part.apply(samples, scene, random))
        return samples

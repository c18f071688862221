"""Louder or softer. Normalised features hardly show it: what changes is the dither's share."""

import numpy as np

from asr.augment.part import DecibelRange, Part, Scene


class VolumeConfig(Part):
    """Level of the recording."""

    gain: DecibelRange = (-12.0, 6.0)
    """Range in dB."""

    def apply(self, samples: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
        return amplify(samples, random.uniform(*self.gain))


def amplify(samples: np.ndarray, gain: float) -> np.ndarray:
    """Multiply by `gain`, in dB of amplitude."""
    return samples * np.float32(10 ** (gain / 20))

"""Rooms: synthetic impulse responses."""

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field
from scipy.signal import fftconvolve

from asr.augment.part import DecibelRange, Part, Scene, ascending, power

Seconds = Annotated[float, Field(gt=0, le=10)]


class ReverberationConfig(Part):
    """A room that the utterance is spoken in."""

    rt60: Annotated[tuple[Seconds, Seconds], AfterValidator(ascending)] = (0.2, 0.8)
    """Range in seconds of the time in which the sound decays by 60 dB."""
    direct: DecibelRange = (0.0, 12.0)
    """Range in dB of the energy of the direct path to that of the reverberation: the nearer the
    microphone, the higher."""

    def apply(self, samples: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
        response = impulse_response(random.uniform(*self.rt60), random.uniform(*self.direct),
                                    scene.sample_rate, random)
        return reverberate(samples, response)


def impulse_response(rt60: float, direct: float, sample_rate: int, random: np.random.Generator
                     ) -> np.ndarray:
    """The direct path, then noise that decays exponentially (Polack 1988), to −60 dB.

    The noise is of random signs where Polack's is Gaussian: just as white, and its energy decays
    as asked from sample to sample, not only in the mean.

    Parameters
    ----------
    rt60 : float
        Seconds.
    direct : float
        Energy of the direct path to that of the rest, in dB.

    Returns
    -------
    np.ndarray, shape = (max(2, rt60 · sample_rate),), float32
        The direct path is sample 0, with amplitude 1.
    """
    length = max(2, round(rt60 * sample_rate))
    decay = 10 ** (-3 * np.arange(1, length) / (rt60 * sample_rate))
    decay *= np.sqrt(10 ** (-direct / 10) / np.square(decay).sum())
    tail = random.choice([-1.0, 1.0], length - 1) * decay
    return np.concatenate([[1.0], tail]).astype(np.float32)


def reverberate(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Convolve with an impulse response whose direct path is sample 0.

    So the result lies in time where the samples do. What would sound on after their end is left
    out, and their mean power is kept.
    """
    wet = fftconvolve(samples, response)[:len(samples)]
    return wet * np.float32(np.sqrt(power(samples) / (power(wet) or np.inf)))

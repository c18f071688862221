"""Background noise at a signal-to-noise ratio.

The ratio is of mean powers over the whole utterance, its pauses included, in dB: of the samples
that the part is given (with reverberation and earlier noise, if there are any) to the noise that
it adds.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import scipy.fft
from pydantic import Field

from asr.audio import audio_below, audio_info
from asr.augment.part import Clip, DecibelRange, Part, Scene, power
from asr.errors import AsrError
from asr.manifest import Utterance
from asr.randomness import generator

Colour = Literal["white", "pink", "brown"]
_EXPONENTS = {"white": 0, "pink": 1, "brown": 2}
_POOL, _POOL_SECONDS = 100, 20.0
_LOWEST = 20.0  # Hz; below, brown noise would have nearly all of its power where nothing is heard


class NoiseConfig(Part):
    """Recorded noise."""

    folder: Path
    """Audio files, in sub-folders too; a file is drawn, and a place in it. Short ones repeat."""
    snr: DecibelRange = (5.0, 20.0)
    """Range in dB."""

    def clips(self, utterances: Sequence[Utterance]) -> Sequence[Clip]:
        if not self.folder.is_dir():
            raise AsrError(f"{self.folder}: no such folder of noise")
        return [Clip(str(path), path, 0.0, audio_info(path).duration)
                for path in audio_below(self.folder)]

    def apply(self, samples: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
        drawn = int(random.integers(len(scene.background.clips)))
        noise = scene.background.piece(drawn, len(samples), random)
        return add_noise(samples, noise, random.uniform(*self.snr))


class ColouredNoiseConfig(Part):
    """Synthetic noise."""

    colours: tuple[Colour, ...] = Field(("white", "pink", "brown"), min_length=1)
    """One is drawn. Power falls by 0 (white), 3 (pink) or 6 dB (brown) an octave."""
    snr: DecibelRange = (5.0, 20.0)
    """Range in dB."""

    def apply(self, samples: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
        colour = self.colours[random.integers(len(self.colours))]
        noise = coloured_noise(colour, len(samples), scene.sample_rate, random)
        return add_noise(samples, noise, random.uniform(*self.snr))


class BabbleConfig(Part):
    """Many people talking: other utterances of the manifest, equally loud.

    They are drawn from a hundred, of each at most its first 20 s, which stay in memory.
    """

    voices: int = Field(5, ge=1, lt=_POOL)
    """How many are heard at once."""
    snr: DecibelRange = (10.0, 20.0)
    """Range in dB."""

    def clips(self, utterances: Sequence[Utterance]) -> Sequence[Clip]:
        if len(utterances) <= self.voices:
            raise AsrError(f"babble: {self.voices} voices beside an utterance's own need more than "
                           f"the {len(utterances)} utterances of the manifest")
        ordered = sorted(utterances, key=lambda utterance: utterance.id)
        pool = generator("babble").permutation(len(ordered))[:_POOL]
        return [Clip(u.id, Path(u.audio), u.start, min(u.duration, _POOL_SECONDS))
                for u in (ordered[i] for i in pool)]

    def apply(self, samples: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
        clips = scene.background.clips
        drawn = random.choice(len(clips), self.voices + 1, replace=False)
        others = [int(i) for i in drawn if clips[i].id != scene.id][:self.voices]
        babble = np.zeros(len(samples), np.float32)
        for index in others:
            voice = scene.background.piece(index, len(samples), random)
            babble += voice / np.float32(np.sqrt(power(voice) or 1))
        return add_noise(samples, babble, random.uniform(*self.snr))


def add_noise(samples: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Add noise (shape (n,), float32, any level) `snr` dB below the samples; silence adds none."""
    gain = np.sqrt(power(samples) / (power(noise) or np.inf) / 10 ** (snr / 10))
    return samples + np.float32(gain) * noise


def coloured_noise(colour: Colour, length: int, sample_rate: int, random: np.random.Generator
                   ) -> np.ndarray:
    """Gaussian noise with the power spectrum f⁰, f⁻¹ or f⁻², from 20 Hz on.

    Returns
    -------
    np.ndarray, shape = (length,), float32
        Of no particular level.
    """
    size = scipy.fft.next_fast_len(max(length, 1), real=True)
    frequencies = scipy.fft.rfftfreq(size, 1 / sample_rate)
    shape = np.maximum(frequencies, _LOWEST) ** (-_EXPONENTS[colour] / 2)
    shape[frequencies < _LOWEST] = 0
    parts = random.standard_normal((2, len(shape)), np.float32) * shape.astype(np.float32)
    return scipy.fft.irfft(parts[0] + 1j * parts[1], size)[:length]

"""Sound in which nothing is said: what a network must have heard to answer it with nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from asr.audio import audio_below, audio_info
from asr.augment.noise import Colour, coloured_noise
from asr.errors import AsrError
from asr.files import atomic_folder
from asr.manifest import Utterance, audio_path
from asr.progress import track
from asr.randomness import generator

_SECONDS = (2.0, 10.0)  # of a stretch
_RATE = 16_000
_EACH = 8  # synthetic sounds of a kind


def prepare_nonspeech(noise_dir: Path, manifest: Path) -> list[Utterance]:
    """Utterances of recorded noise and of synthetic sounds, for a manifest.

    Parameters
    ----------
    noise_dir : Path
        Holds recordings, in sub-folders too.
    manifest : Path
        Where the utterances will be listed. The synthetic sounds are written to the folder of its
        name without suffix, which is replaced as a whole.

    Raises
    ------
    AsrError
        `manifest` has no suffix; that folder and `noise_dir` are one, or one lies in the other; or
        as `cut_recordings`.
    """
    if not manifest.suffix:
        raise AsrError(f"{manifest}: the synthetic sounds would go to a folder of that name; name "
                       "a manifest that ends in .jsonl")
    sounds = manifest.with_suffix("")
    here, there = sounds.resolve(), noise_dir.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise AsrError(f"{sounds}, where the synthetic sounds for {manifest} would go, and the "
                       f"recordings in {noise_dir} are in each other's way; name a manifest "
                       "elsewhere")
    return cut_recordings(noise_dir) + synthetic_sounds(sounds)


def cut_recordings(folder: Path) -> list[Utterance]:
    """Stretches without text of all recordings in a folder and its sub-folders.

    They last from 2 to 10 s, drawn by name, and each begins in the middle of the one before.

    Raises
    ------
    AsrError
        There is no recording of at least 2 s, one cannot be read or be named in a manifest, or
        two would have the same ids.
    """
    utterances = []
    named: dict[str, Path] = {}
    for path in audio_below(folder):
        audio, info = audio_path(path), audio_info(path)
        name = path.relative_to(folder).with_suffix("").as_posix().replace("/", "-")
        if name in named:
            raise AsrError(f"{named[name]} and {path} would both be called {name}; rename one")
        named[name] = path
        start, number = 0.0, 0
        while start + _SECONDS[0] <= info.duration:
            drawn = generator("nonspeech", name, number).uniform(*_SECONDS)
            duration = min(drawn, info.duration - start)
            utterances.append(Utterance(
                id=f"nonspeech-{name}-{number:04d}", audio=audio, text="", speaker=name,
                start=start, duration=duration, sample_rate=info.sample_rate))
            start, number = start + duration / 2, number + 1
    if not utterances:
        raise AsrError(f"{folder}: no recording in it lasts {_SECONDS[0]:g} s")
    return utterances


def synthetic_sounds(folder: Path) -> list[Utterance]:
    """Write sounds that no recording of noise has: silence, tones, hum, clicks, coloured noise.

    Parameters
    ----------
    folder : Path
        Takes the audio files; replaced as a whole.
    """
    utterances = []
    with atomic_folder(folder, ["*.flac"]) as partial:
        for kind, make in track(_KINDS.items(), "synthetic sounds", len(_KINDS)):
            for number in range(_EACH):
                random = generator("nonspeech", kind, number)
                length = int(random.uniform(*_SECONDS) * _RATE)
                samples = 10 ** random.uniform(-2.5, -0.3) * make(length, random)
                name = f"{kind}-{number}"
                soundfile.write(partial / f"{name}.flac", samples, _RATE, "PCM_16")
                utterances.append(Utterance(
                    id=f"nonspeech-{name}", audio=audio_path(folder / f"{name}.flac"), text="",
                    speaker=f"synthetic-{kind}", duration=length / _RATE, sample_rate=_RATE))
    return utterances


def _noise(colour: Colour) -> Callable[[int, np.random.Generator], np.ndarray]:
    def make(length: int, random: np.random.Generator) -> np.ndarray:
        noise = coloured_noise(colour, length, _RATE, random)
        return noise / np.abs(noise).max()

    return make


def _silence(length: int, random: np.random.Generator) -> np.ndarray:
    return np.zeros(length)


def _tone(length: int, random: np.random.Generator) -> np.ndarray:
    """A note with a few overtones, from 60 Hz to 4 kHz."""
    return _overtones(60 * 2 ** random.uniform(0, 6), int(random.integers(1, 4)), length, random)


def _hum(length: int, random: np.random.Generator) -> np.ndarray:
    """The mains, with many overtones and some noise."""
    hum = _overtones(50 if random.random() < 0.5 else 60, 12, length, random)
    return 0.9 * hum + 0.1 * _noise("white")(length, random)


def _overtones(frequency: float, number: int, length: int, random: np.random.Generator
               ) -> np.ndarray:
    time = np.arange(length) / _RATE
    parts = [random.random() * np.sin(2 * np.pi * (k * frequency * time + random.random()))
             for k in range(1, number + 1) if k * frequency < _RATE / 2]
    sound = np.sum(parts, axis=0)
    return sound / max(np.abs(sound).max(), 1e-9)


def _beeps(length: int, random: np.random.Generator) -> np.ndarray:
    """A tone that comes and goes."""
    period = random.uniform(0.2, 1.5) * _RATE
    return _tone(length, random) * (np.arange(length) % period < period * random.uniform(0.2, 0.7))


def _sweep(length: int, random: np.random.Generator) -> np.ndarray:
    low, high = np.sort(60 * 2 ** random.uniform(0, 6, 2))
    frequency = np.geomspace(low, high, length)[::random.choice((-1, 1))]
    return np.sin(2 * np.pi * np.cumsum(frequency) / _RATE)


def _clicks(length: int, random: np.random.Generator) -> np.ndarray:
    """Short bursts of noise at random times."""
    sound = np.zeros(length)
    decay = np.exp(-np.arange(int(0.05 * _RATE)) / (random.uniform(0.001, 0.02) * _RATE))
    for place in random.integers(0, max(length - len(decay), 1), int(random.integers(2, 30))):
        sound[place:place + len(decay)] += decay * random.uniform(-1, 1, len(decay))
    return sound / np.abs(sound).max()


_KINDS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "silence": _silence, "tone": _tone, "hum": _hum, "beeps": _beeps, "sweep": _sweep,
    "clicks": _clicks, "white": _noise("white"), "pink": _noise("pink"), "brown": _noise("brown")}

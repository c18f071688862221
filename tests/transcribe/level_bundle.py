"""A bundle without a network: the level in the middle of a frame says which unit is spoken; what
is louder than all units is a cat, and nothing said."""

from types import SimpleNamespace

import numpy as np

from asr.decode.config import DecodeConfig
from asr.text.units import CharacterUnits

RATE = 8_000
SHIFT = 0.02  # seconds per output frame
_FRAME = round(RATE * SHIFT)


class LevelBundle:
    """Unit k is a stretch of square wave (a quarter of the sample rate) of the height k / 100."""

    sample_rate = RATE
    frame_shift = SHIFT
    frame_step = _FRAME
    lm = None
    lstm = None

    def __init__(self, cmvn="utterance"):
        self.config = SimpleNamespace(decoding=DecodeConfig(), normaliser="none",
                                      features=SimpleNamespace(cmvn=cmvn))
        self.units = CharacterUnits.from_texts(["abcdefghijklmnopqrstuvwxyz"])
        self.batches = []
        """Number of samples of each recording, a list for each call."""

    def speak(self, text, unit=0.1):
        """Samples of a text, `unit` seconds for each unit, a blank after each."""
        values = np.zeros(2 * len(text))
        values[::2] = self.units.encode(text)
        levels = np.repeat(values / 100, round(RATE * unit / 2))
        wave = np.tile([1, 1, -1, -1], len(levels) // 4 + 1)[:len(levels)]
        return (levels * wave).astype(np.float32)

    def prepare(self):
        """Nothing to get ready."""

    def log_posteriors_of_audio(self, samples):
        self.batches.append([len(s) for s in samples])
        return [self._posteriors(s) for s in samples]

    def _posteriors(self, samples):
        frames = samples[:len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
        ids = np.rint(100 * np.abs(frames[:, _FRAME // 2])).astype(int)
        ids[ids >= len(self.units)] = 0
        posteriors = np.full((len(ids), len(self.units)), 1e-6)
        posteriors[np.arange(len(ids)), ids] = 1 - 1e-6 * (len(self.units) - 1)
        return np.log(posteriors).astype(np.float32)


def cat(seconds):
    """Comes and goes as speech does."""
    meows = np.tile(np.repeat([0.6, 0.0], round(0.1 * RATE)), round(5 * seconds) + 1)
    return (meows * np.tile([1, 1, -1, -1], len(meows) // 4))[:round(RATE * seconds)] \
        .astype(np.float32)


def silence(seconds):
    return np.zeros(round(RATE * seconds), np.float32)

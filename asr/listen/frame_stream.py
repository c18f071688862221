"""Samples in blocks → feature frames."""

import numpy as np

from asr.features.config import FeatureConfig
from asr.features.extract import differences, dither_noise, dithered, static_frames


class FrameStream:
    """Frames of a recording that comes in blocks of any size, in constant memory.

    They are those of `asr.features.extract.extract` of the whole, to the rounding of half
    precision. Each is given as soon as it can be told: with its window, or, where differences over
    time belong to it, with the windows that those take in.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self._config = config
        self._noise = dither_noise()
        self._waveform = np.zeros(0, np.float32)  # from the next window on
        self._missing = 0  # samples before the next window, where windows do not meet
        static = config.dimension // (1 + config.deltas)
        self._frames = np.zeros((0, static), np.float32)  # that differences still take in

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take samples, shape = (n,), and give frames, shape = (T, F), float16; T may be 0."""
        config = self._config
        waveform = np.concatenate([self._waveform, dithered(samples, config, self._noise)])
        self._waveform = waveform[self._missing:]
        self._missing = max(0, self._missing - len(waveform))
        count = config.frames(len(self._waveform))
        if count == 0:
            return np.zeros((0, config.dimension), np.float16)
        frames = static_frames(self._waveform, config)
        self._missing = max(0, count * config.shift - len(self._waveform))
        self._waveform = self._waveform[count * config.shift:]
        if not len(self._frames):
            self._frames = frames[:1].repeat(config.reach, axis=0)
        return self._complete(frames)

    def finish(self) -> np.ndarray:
        """The frames that waited for what would follow; shape = (T, F), float16."""
        return self._complete(self._frames[-1:].repeat(self._config.reach, axis=0))

    def _complete(self, frames: np.ndarray) -> np.ndarray:
        """Append static frames, and give those that have what they need on both sides."""
        reach = self._config.reach
        self._frames = np.concatenate([self._frames, frames])
        count = max(0, len(self._frames) - 2 * reach)
        if count == 0:
            return np.zeros((0, self._config.dimension), np.float16)
        complete = differences(self._frames, self._config.deltas).astype(np.float16)
        self._frames = self._frames[count:]
        return complete

"""Speech or not, by how loud each hundredth of a second is beside what surrounds it."""

import numpy as np

FRAME = 0.01  # seconds from one frame to the next
WINDOW = 3  # such frames that a frame's energy is summed over
_AROUND = 100  # frames before and behind in which the quietest counts
_COMMON = 20  # frames across that both sides share, so that a step in the noise hides no word
_ABOVE = 5.0  # dB; white noise stays within 3.5 dB of the quietest of its frames
_SILENCE = -80.0  # dB of full scale; what is quieter is as good as this
_PRE_EMPHASIS = 0.97  # weakens hum and rumble


class SpeechDetector:
    """Finds the frames with speech in samples that come bit by bit.

    Speech swells and fades several times a second; noise, hum and tones do not. So a frame is
    speech if its energy (of pre-emphasised samples, their mean over 10 ms left out) is 5 dB above
    that of the quietest frame in the second before it and also above that of the quietest in the
    second behind it. What is steady for longer is no speech, however loud, and where noise sets in
    or ends the other side tells. Clicks, music and other voices are speech to it.

    Frame t lasts from `FRAME` · t to `FRAME` · (t + `WINDOW`) seconds.
    """

    def __init__(self, sample_rate: int) -> None:
        self._hop = round(FRAME * sample_rate)
        self._rest = np.zeros(0, np.float32)  # samples of no whole hop yet, and one before them
        self._energies = np.zeros(0)  # of hops that have no whole frame yet
        self._levels = np.full(_AROUND, np.inf)  # dB, of undecided frames and those before them

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Take further samples, shape = (samples,), and decide on the next frames.

        Returns
        -------
        np.ndarray, shape = (frames,), bool
            Of the frames after those that were decided on before: all but the last second.
        """
        if not len(self._rest):
            self._rest = samples[:1]  # or the start would be a click
        self._rest = np.concatenate([self._rest, samples])
        hops = (len(self._rest) - 1) // self._hop
        used = self._rest[:hops * self._hop + 1].astype(np.float64)
        self._rest = self._rest[hops * self._hop:]
        emphasised = (used[1:] - _PRE_EMPHASIS * used[:-1]).reshape(hops, self._hop)
        emphasised -= emphasised.mean(axis=1, keepdims=True)  # rumble, wind
        energies = np.append(self._energies, np.einsum("tn,tn->t", emphasised, emphasised))
        self._energies = energies[max(0, len(energies) - (WINDOW - 1)):]
        if len(energies) < WINDOW:
            return np.zeros(0, bool)
        power = np.convolve(energies, np.ones(WINDOW), "valid") / (WINDOW * self._hop)
        return self._decide(10 * np.log10(np.maximum(power, 10 ** (_SILENCE / 10))))

    def finish(self) -> np.ndarray:
        """Decide on the frames that are left; there are no more samples."""
        return self._decide(np.full(_AROUND, np.inf))

    def _decide(self, levels: np.ndarray) -> np.ndarray:
        levels = np.append(self._levels, levels)
        count = len(levels) - 2 * _AROUND
        if count <= 0:
            self._levels = levels
            return np.zeros(0, bool)
        quietest = np.lib.stride_tricks.sliding_window_view(levels, _AROUND + _COMMON + 1).min(1)
        before, behind = quietest[:count], quietest[_AROUND - _COMMON:][:count]
        self._levels = levels[count:]
        return levels[_AROUND:][:count] > np.maximum(before, behind) + _ABOVE

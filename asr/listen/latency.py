"""How far texts are behind the audio."""

from collections.abc import Iterable

import numpy as np

from asr.listen.text_stream import Final, Partial


class Latency:
    """Collects times of blocks and words.

    Time is that of the audio up to the end of a block, and the time that the block took: what
    somebody would see who hears at real time, as long as blocks take less time than they last.

    Parameters
    ----------
    look_ahead : float
        See `asr.model.summary.Reach`; seconds.
    """

    def __init__(self, look_ahead: float) -> None:
        self._look_ahead = look_ahead
        self._heard = 0.0
        self._took: list[float] = []
        self._partials: list[tuple[float, list[str]]] = []  # of the utterance, each with its time
        self.delays: list[float] = []
        """Of each word, seconds from its end until texts have had it for good."""

    def block(self, audio: float, took: float, events: Iterable[Partial | Final]) -> None:
        """Note a block of `audio` seconds that was worked on for `took` seconds."""
        self._heard += audio
        self._took.append(took)
        self.texts(took, events)

    def texts(self, took: float, events: Iterable[Partial | Final]) -> None:
        """Note what `took` seconds of work have brought without more audio."""
        now = self._heard + took
        for event in events:
            if isinstance(event, Partial):
                self._partials.append((now, event.words))
                continue
            for place, word in enumerate(event.words):
                since = now
                for then, words in reversed(self._partials):
                    if words[place:place + 1] != [word.text]:
                        break
                    since = then
                self.delays.append(since - word.end)
            self._partials = []

    def report(self) -> str:
        """A few lines, without an end of line."""
        lines = [f"look-ahead {1e3 * self._look_ahead:.0f} ms"]
        if self._took:
            median, high = 1e3 * np.percentile(self._took, [50, 95])
            lines.append(f"{len(self._took)} blocks, {self._heard:.1f} s: took {median:.1f} ms "
                         f"(median), {high:.1f} ms (95 %); real-time factor "
                         f"{sum(self._took) / self._heard:.3f}")
        if self.delays:
            median, high = 1e3 * np.percentile(self.delays, [50, 95])
            lines.append(f"{len(self.delays)} words, seen after their end: {median:.0f} ms "
                         f"(median), {high:.0f} ms (95 %)")
        return "\n".join(lines)

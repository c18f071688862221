"""Log posteriors in blocks → texts, partial and final."""

from typing import NamedTuple

import numpy as np

from asr.decode.greedy import GreedySearch
from asr.decode.hypotheses import Search, decode_labellings, without_priors, word_edges
from asr.manifest import Hypothesis, Word
from asr.text.units import BETWEEN, BLANK, Units

SILENCE = 0.8
"""Seconds without a unit after which an utterance is over, unless told otherwise."""
LONGEST = 30.0
"""Seconds after which an utterance is over in any case, so that memory is bounded."""


class Partial(NamedTuple):
    """What seems to have been said so far in an utterance that goes on."""

    words: list[str]
    """The last one may be the beginning of a word."""
    stable: int
    """How many of them, from the first on, the search can no longer change."""


class Final(NamedTuple):
    """An utterance that is over."""

    words: list[Word]
    """At least one; times in seconds from the start of the stream."""

    @property
    def text(self) -> str:
        """The words in one line."""
        return " ".join(word.text for word in self.words)


class TextStream:
    """Texts of a stream of log posteriors.

    An utterance is over after `silence` seconds in which the blank, or what is between words, is
    the best unit of every frame, or after `LONGEST`; then a new search begins. Neither which frames
    belong to it nor what is found in them depends on the blocks: it is what
    `asr.decode.hypotheses` finds in these frames.

    Parameters
    ----------
    frame_shift : float
        Seconds per output frame.
    """

    def __init__(self, units: Units, frame_shift: float, search: Search, silence: float = SILENCE
                 ) -> None:
        self._units = units
        self._frame_shift = frame_shift
        self._search = search
        self._quiet_units = units.parts == BETWEEN
        self._quiet_units[BLANK] = True
        self._silence, self._longest = (max(1, round(seconds / frame_shift))
                                        for seconds in (silence, LONGEST))
        self._first = 0  # frame that the utterance starts with
        self._begin()

    def _begin(self) -> None:
        self._rows: list[np.ndarray] = []  # the utterance's
        self._length = self._quiet = 0  # its frames, and the quiet ones at its end
        greedy = self._search.config.search == "greedy"
        self._searched = GreedySearch() if greedy else self._search.beam()
        self._shown = Partial([], 0)

    def push(self, log_posteriors: np.ndarray) -> list[Partial | Final]:
        """Take frames, shape = (T, V), float32, and tell what is new."""
        events: list[Partial | Final] = []
        taken = 0
        for t, unit in enumerate(log_posteriors.argmax(axis=1), start=1):
            self._quiet = self._quiet + 1 if self._quiet_units[unit] else 0
            self._length += 1
            if self._quiet >= self._silence or self._length >= self._longest:
                self._go_on(log_posteriors[taken:t])
                events += self.finish()
                taken = t
        self._go_on(log_posteriors[taken:])
        partial = self._partial()
        if partial != self._shown:
            self._shown = partial
            events.append(partial)
        return events

    def finish(self) -> list[Partial | Final]:
        """End the utterance; a new one begins with the next frames."""
        hypothesis = self._decoded()
        start = self._first * self._frame_shift
        shown = self._shown
        self._first += self._length
        self._begin()
        if hypothesis.words:
            return [Final([word.model_copy(update={"start": round(start + word.start, 6),
                                                   "end": round(start + word.end, 6)})
                           for word in hypothesis.words])]
        return [self._shown] if shown.words else []  # no text after all

    def _go_on(self, log_posteriors: np.ndarray) -> None:
        config = self._search.config
        self._rows.append(log_posteriors)
        self._searched.push(without_priors(log_posteriors, config.label_priors,
                                           config.prior_weight))

    def _partial(self) -> Partial:
        best, units = self._searched.best(), self._searched.stable()
        # What follows a word and can no longer change has ended it.
        edges = word_edges(best.labels, self._units)
        return Partial(self._search.words(best, self._units), sum(end < units for _, end in edges))

    def _decoded(self) -> Hypothesis:
        rows = np.concatenate([np.zeros((0, len(self._units)), np.float32), *self._rows])
        [hypothesis] = decode_labellings(
            [f"from frame {self._first}"], [(rows, list(self._searched.labellings()))],
            self._units, self._frame_shift, self._search, threads=1)
        return hypothesis

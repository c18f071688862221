"""Where an aligned transcript and its audio do not seem to belong together.

The bounds are by 5 minutes of dev-clean and a weak model (74 % WER greedy). Of eight words in a
row that were said the mean confidence was never below 0.25; of ten that were not, below 0.06.
Between two words of the true text the model heard no more than 3 units; where five words were
taken out of the text, mostly 13 and more.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr.align.transcript import WILDCARD
from asr.align.words import AlignedWord
from asr.decode.alignment import unit_spans
from asr.decode.greedy import greedy_search
from asr.text.units import BETWEEN, Units

_DOUBTFUL = 0.1  # mean confidence
_RUN = 8  # of so many words in a row, or of all that there are
_UNCLAIMED = 9  # units heard where the transcript has none


class Misfit(NamedTuple):
    """A stretch of audio, in seconds, and what is wrong there."""

    start: float
    end: float
    what: str


def misfits(log_posteriors: np.ndarray, words: Sequence[AlignedWord], units: Units,
            frame_shift: float, duration: float) -> list[Misfit]:
    """Words that are hardly heard, and speech that no word stands for, in order of time.

    Parameters
    ----------
    log_posteriors : np.ndarray, shape = (T, V), float32
    frame_shift, duration : float
        Seconds that a frame and all of the audio last.
    """
    return sorted([*_unsaid(words), *_unwritten(log_posteriors, words, units, frame_shift,
                                                duration)])


def _unsaid(words: Sequence[AlignedWord]) -> list[Misfit]:
    known = [word for word in words if all(unit.text != WILDCARD for unit in word.units)]
    run = min(_RUN, len(known))
    if not run:
        return []
    means = np.convolve([word.confidence for word in known], np.full(run, 1 / run), "valid")
    doubtful = np.zeros(len(known) + 2, bool)  # and one more at each end
    for first in np.flatnonzero(means < _DOUBTFUL) + 1:
        doubtful[first:first + run] = True
    edges = np.flatnonzero(np.diff(doubtful)).reshape(-1, 2)
    return [Misfit(known[first].start, known[end - 1].end,
                   f"`{known[first].text} … {known[end - 1].text}` is hardly heard")
            for first, end in edges]


def _unwritten(log_posteriors: np.ndarray, words: Sequence[AlignedWord], units: Units,
               frame_shift: float, duration: float) -> list[Misfit]:
    labels, path, _ = greedy_search(log_posteriors)
    sounds = units.parts[labels] != BETWEEN
    heard = unit_spans(log_posteriors, labels, path).start[sounds] * frame_shift
    ends, starts = [0.0, *(w.end for w in words)], [*(w.start for w in words), duration]
    counts = np.searchsorted(heard, starts) - np.searchsorted(heard, ends)
    return [Misfit(end, start, f"{count} units are heard that the text does not have")
            for end, start, count in zip(ends, starts, counts, strict=True)
            if count >= _UNCLAIMED]

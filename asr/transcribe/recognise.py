"""Stretches of many recordings through the network in batches of like length, and searched."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, tee
from typing import TYPE_CHECKING

import numpy as np

from asr.decode.hypotheses import Search, decode_posteriors
from asr.errors import AsrError
from asr.features.batch import cut_batches
from asr.manifest import Hypothesis
from asr.transcribe.segment import Stretch

if TYPE_CHECKING:
    from asr.model.bundle import Bundle

BATCH = 120.0  # seconds of audio, padding included, that the network hears at once
_WINDOW = 4 * BATCH  # seconds of speech that are sorted by length
# In a window at most: results should not wait while silent files go by.
_ITEMS = 1_000
_AUDIO = 3600.0  # seconds of whole recordings


@dataclass(frozen=True)
class End:
    """Behind the last stretch of a recording."""

    duration: float
    """Seconds of audio that were read."""
    error: AsrError | None = None
    """Why no more could be."""


_Window = list[tuple[int, Stretch | End]]


def recognise(bundle: "Bundle", items: Iterable[Stretch | End], search: Search
              ) -> Iterator[tuple[Stretch, Hypothesis] | End]:
    """Recognise stretches, whichever recordings they are from; the order is kept.

    The network runs while threads search what it has already made. A few minutes of speech are in
    flight; where nothing is said for an hour, all that is finished is given out.

    Yields
    ------
    (Stretch, Hypothesis) or End
        Times in a hypothesis count from the start of its stretch.
    """
    results: dict[int, tuple[Stretch, Hypothesis] | End] = {}  # that wait for earlier ones
    following = 0

    def posteriors(first: _Window) -> Iterator[tuple[int, Stretch, np.ndarray]]:
        """Of this window and those behind it, up to one without speech."""
        for window in chain([first], windows):
            results.update((n, item) for n, item in window if isinstance(item, End))
            heard = [(n, item) for n, item in window if isinstance(item, Stretch)]
            if not heard:
                return
            heard.sort(key=lambda pair: len(pair[1].samples))
            lengths = np.array([len(stretch.samples) for _, stretch in heard])
            for batch in cut_batches(range(len(heard)), lengths, round(BATCH * bundle.sample_rate)):
                rows = bundle.log_posteriors_of_audio([heard[i][1].samples for i in batch])
                yield from ((*heard[i], r) for i, r in zip(batch, rows, strict=True))

    windows = _windows(items, bundle.sample_rate)
    for window in windows:
        made, names, rows = tee(posteriors(window), 3)
        found = decode_posteriors((f"at sample {stretch.first}" for _, stretch, _ in names),
                                  (r for _, _, r in rows), bundle.units, bundle.frame_shift, search)
        for (number, stretch, _), hypothesis in zip(made, found, strict=True):
            results[number] = stretch, hypothesis
            while following in results:
                yield results.pop(following)
                following += 1
        while following in results:  # ends of silent recordings
            yield results.pop(following)
            following += 1


def _windows(items: Iterable[Stretch | End], sample_rate: int) -> Iterator[_Window]:
    """Numbered items, as many together as are to be sorted by length."""
    window: _Window = []
    speech = audio = 0.0
    for number, item in enumerate(items):
        window.append((number, item))
        if isinstance(item, Stretch):
            speech += len(item.samples) / sample_rate
        else:
            audio += item.duration
        if speech >= _WINDOW or audio >= _AUDIO or len(window) >= _ITEMS:
            yield window
            window, speech, audio = [], 0.0, 0.0
    yield window

"""Stretches of many recordings through the network in batches of like length, and searched."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, tee
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
_PAUSE = 1.5  # seconds of blanks in which a recording is cut once it has been heard
_EDGE = 0.5  # at its ends
_MARGIN = 0.3  # that stay beside what is spoken
_QUIET = 0.01  # of the power of what is spoken: 20 dB below it a pause does no harm


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
            for i, row in _log_posteriors(bundle, [stretch.samples for _, stretch in heard]):
                yield (*heard[i], row)

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


def _log_posteriors(bundle: "Bundle", recordings: Sequence[np.ndarray]
                    ) -> Iterator[tuple[int, np.ndarray]]:
    """Log posteriors of recordings, each with its position among them.

    What the detector takes for speech and the network for blanks (a cat, dishes, noise between two
    utterances) has counted in the normalisation of the speech beside it. So a recording with much
    of that, unless it is quiet, is cut into what is spoken and what is not, and each part is heard
    again on its own, where normalisation is by what is heard.
    """
    if bundle.config.features.cmvn in ("global", "none"):
        yield from _by_length(bundle, recordings)
        return
    step = bundle.frame_step
    again: list[tuple[int, np.ndarray]] = []
    parts: list[tuple[np.ndarray, np.ndarray]] = []  # of those, log posteriors and samples
    for i, row in _by_length(bundle, recordings):
        samples, spoken = recordings[i], row.argmax(axis=1) > 0
        cut = _parts(spoken, bundle.frame_shift)
        pieces = [samples[part.start * step:part.stop * step if part.stop < len(row) else None]
                  for part in cut]
        if _loud_beside(pieces, [bool(spoken[part].any()) for part in cut]):
            again.append((i, row))
            parts += zip((row[part] for part in cut), pieces, strict=True)
        else:
            yield i, row
    for j, found in _by_length(bundle, [piece for _, piece in parts]):
        part, _ = parts[j]
        part[:len(found)] = found[:len(part)]
    yield from again


def _loud_beside(pieces: Sequence[np.ndarray], spoken: Sequence[bool]) -> bool:
    """Whether the pieces that are not spoken are not much weaker than those that are."""
    if all(spoken) or not any(spoken):
        return False
    other, speech = (np.mean(np.square(np.concatenate(
        [piece for piece, said in zip(pieces, spoken, strict=True) if said == kind])))
        for kind in (False, True))
    return bool(other > _QUIET * speech)


def _by_length(bundle: "Bundle", recordings: Sequence[np.ndarray]
               ) -> Iterator[tuple[int, np.ndarray]]:
    lengths = np.array([len(samples) for samples in recordings])
    for batch in cut_batches(np.argsort(lengths, kind="stable").tolist(), lengths,
                             round(BATCH * bundle.sample_rate)):
        rows = bundle.log_posteriors_of_audio([recordings[i] for i in batch])
        yield from zip(batch, rows, strict=True)


def _parts(spoken: np.ndarray, frame_shift: float) -> list[slice]:
    """What is spoken, with a margin, and what is before, between and behind it, in frames.

    Parameters
    ----------
    spoken : np.ndarray, shape = (T',), bool
        Where a unit is more probable than the blank.
    """
    pause, edge, margin = (round(length / frame_shift) for length in (_PAUSE, _EDGE, _MARGIN))
    frames = len(spoken)
    if not spoken.any():
        return [slice(0, frames)]
    bounds = np.concatenate([[-1], np.flatnonzero(spoken), [frames]])
    least = np.full(len(bounds) - 1, pause)
    least[[0, -1]] = edge
    cuts = [0, frames]
    for i in np.flatnonzero(np.diff(bounds) > least):
        before, behind = bounds[i:i + 2].tolist()
        cuts += [before + 1 + margin if i else 0, behind - margin if behind < frames else frames]
    return [slice(*cut) for cut in pairwise(sorted(set(cuts)))]


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

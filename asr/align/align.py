"""When each word and unit of a known transcript is said: forced alignment in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr.align.misfits import Misfit, misfits
from asr.align.posteriors import windowed_log_posteriors
from asr.align.transcript import WILDCARD, Spelling, spell, written_words
from asr.align.words import AlignedWord
from asr.decode.alignment import align, unit_spans, unit_times
from asr.errors import AsrError
from asr.manifest import Word
from asr.text.normalise import normaliser
from asr.text.units import BETWEEN, BLANK, Units, frames_needed

if TYPE_CHECKING:
    from asr.model.bundle import Bundle

_WILDCARD_COST = 0.1  # nats a frame, so that silence beside an unknown word is not part of it


@dataclass(frozen=True)
class Alignment:
    """When the words of a transcript are said; all times in seconds from the start of the audio."""

    duration: float
    words: list[AlignedWord]
    misfits: list[Misfit]
    """Where text and audio do not seem to belong together."""


def align_samples(bundle: "Bundle", samples: np.ndarray, text: str, allow_unknown: bool = False
                  ) -> Alignment:
    """Align a recording of any length with its transcript.

    Parameters
    ----------
    samples : np.ndarray, shape = (samples,), float32
        Full scale ±1, at `bundle.sample_rate`.
    text : str
        All that is said; it is normalised as the training transcripts were.
    allow_unknown : bool
        Whether words that the units cannot spell may stand for any sounds.

    Raises
    ------
    AsrError
        A word cannot be spelt, or the audio is too short for the transcript.
    """
    written = written_words(text, normaliser(bundle.config.normaliser))
    try:
        spelling = spell(written, bundle.units, allow_unknown)
    except AsrError as error:
        raise AsrError(f"{error}, or let them stand for any sounds by --allow-unknown") from None
    log_posteriors = windowed_log_posteriors(bundle, samples)
    duration = len(samples) / bundle.sample_rate
    needed = frames_needed(spelling.labels.tolist())
    if needed > len(log_posteriors):
        raise AsrError(f"{duration:.2f} s of audio, {len(log_posteriors)} frames of the model, are "
                       f"too short for the transcript, which needs {needed}; do they belong "
                       "together?")
    words = align_posteriors(log_posteriors, pronounced(log_posteriors, spelling, bundle.units),
                             bundle.units, bundle.frame_shift, duration)
    return Alignment(duration, words, misfits(log_posteriors, words, bundle.units,
                                              bundle.frame_shift, duration))


def pronounced(log_posteriors: np.ndarray, spelling: Spelling, units: Units) -> Spelling:
    """The same words, each part spelt the way that fits best between its neighbours.

    Between their frames in an alignment of the `spelling`, which is of the first ways. It stays
    where there are too few frames for all that fits singly.

    Raises
    ------
    ValueError
        See `asr.decode.alignment.align`.
    """
    if all(len(ways) == 1 for _, _, ways in spelling.parts):
        return spelling
    log_posteriors = _with_wildcard(log_posteriors, spelling, units)
    spans = unit_spans(log_posteriors, spelling.labels, align(log_posteriors, spelling.labels))
    before = np.append(0, spans.end)
    behind = np.append(spans.start, len(log_posteriors))
    chosen = [int(np.argmax([_best_path_score(log_posteriors[before[first]:behind[end]], way)
                             for way in ways]))
              for first, end, ways in spelling.parts]
    heard = spell(spelling.words, units, True, chosen)
    return heard if frames_needed(heard.labels.tolist()) <= len(log_posteriors) else spelling


def _best_path_score(log_posteriors: np.ndarray, way: Sequence[int]) -> float:
    labels = np.array(way, np.int32)
    try:
        path = align(log_posteriors, labels)
    except ValueError:
        return -np.inf
    return log_posteriors[np.arange(len(path)), np.where(path < 0, BLANK, labels[path])].sum()


def _with_wildcard(log_posteriors: np.ndarray, spelling: Spelling, units: Units) -> np.ndarray:
    """With a column for the unit `len(units)`, which may be any sound, where there is one."""
    if len(units) not in spelling.labels:
        return log_posteriors
    return np.column_stack([log_posteriors, log_posteriors.max(axis=1) - _WILDCARD_COST])


def align_posteriors(log_posteriors: np.ndarray, spelling: Spelling, units: Units,
                     frame_shift: float, duration: float) -> list[AlignedWord]:
    """Times of words and units along the best path of a transcript.

    Times are those of `unit_times`. A unit's confidence is its mean posterior in its frames on the
    path, a word's the mean of its units'; of a word that may be any sounds it is 0.

    Parameters
    ----------
    log_posteriors : np.ndarray, shape = (T, V), float32
    frame_shift, duration : float
        Seconds that a frame and all of the audio last.

    Raises
    ------
    ValueError
        There are fewer frames than the transcript needs.
    """
    labels = spelling.labels
    log_posteriors = _with_wildcard(log_posteriors, spelling, units)
    path = align(log_posteriors, labels)
    parts, symbols = np.append(units.parts, 0), [*units.symbols, WILDCARD]
    inside = [[i for i in range(*edges) if parts[labels[i]] != BETWEEN]
              for edges in spelling.edges]
    starts, ends = unit_times(unit_spans(log_posteriors, labels, path), inside, frame_shift,
                              duration)
    confidences = _mean_posteriors(log_posteriors, labels, path) * (labels < len(units))
    return [AlignedWord(text=word.text, normalised=word.normalised,
                        start=starts[own[0]], end=ends[own[-1]],
                        confidence=confidences[own].mean(),
                        units=[Word(text=symbols[labels[i]], start=starts[i], end=ends[i],
                                    confidence=confidences[i]) for i in own])
            for word, own in zip(spelling.words, inside, strict=True)]


def _mean_posteriors(log_posteriors: np.ndarray, labels: np.ndarray, path: np.ndarray
                     ) -> np.ndarray:
    """Of each unit over its frames on the path; shape (L,)."""
    frames = np.flatnonzero(path >= 0)
    unit = path[frames]
    posteriors = np.exp(log_posteriors[frames, labels[unit]].astype(np.float64))
    return np.bincount(unit, posteriors, len(labels)) / np.bincount(unit, minlength=len(labels))

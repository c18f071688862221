"""Audio of any length to a transcript with times, by a model bundle."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr.audio import read_audio
from asr.decode.hypotheses import Search, decode_posteriors
from asr.manifest import Alternative, Hypothesis, Word
from asr.transcribe.segment import segment

if TYPE_CHECKING:
    from asr.model.bundle import Bundle

_BATCH = 8  # segments that the network sees at once
_SILENCE = 2.0 ** -13  # of a full scale of 1: four 16-bit steps, which drown in the dither of one


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording that was recognised on its own."""

    start: float
    """Seconds from the start of the recording, as all times here."""
    end: float
    text: str
    confidence: float | None
    words: list[Word]
    nbest: list[Alternative]
    """Empty unless more than one text was asked for."""


@dataclass(frozen=True)
class Transcript:
    """What was said in a recording, and when."""

    file: str
    duration: float
    """Seconds."""
    segments: list[Segment]

    @property
    def text(self) -> str:
        """All words in one line."""
        return " ".join(segment.text for segment in self.segments if segment.text)

    @property
    def words(self) -> list[Word]:
        """All words in order."""
        return [word for segment in self.segments for word in segment.words]


def transcribe_file(bundle: "Bundle", path: str | Path, search: Search) -> Transcript:
    """Transcribe an audio file.

    Raises
    ------
    AsrError
        The file cannot be read as audio, see `asr.audio.read_audio`.
    """
    samples = read_audio(Path(path), bundle.sample_rate)
    name = os.fsencode(path).decode("utf-8", "replace")  # a name need not be valid Unicode
    return Transcript(name, len(samples) / bundle.sample_rate,
                      transcribe_samples(bundle, samples, search))


def transcribe_samples(bundle: "Bundle", samples: np.ndarray, search: Search
                       ) -> list[Segment]:
    """Transcribe samples; the network runs while threads search what it has already made.

    Segments of digital silence or the noise of its last bit are not recognised: normalised to the
    loudness of speech, their dither would be noise that could pass for words.

    Parameters
    ----------
    samples : np.ndarray, shape = (samples,), float32
        Full scale ±1, at `bundle.sample_rate`.

    Returns
    -------
    list of Segment
        In order, those of digital silence left out.
    """
    spans = [(first, end) for first, end in segment(samples, bundle.sample_rate)
             if np.abs(samples[first:end]).max(initial=0) >= _SILENCE]
    hypotheses = decode_posteriors([f"at sample {first}" for first, _ in spans],
                                   _log_posteriors(bundle, samples, spans), bundle.units,
                                   bundle.frame_shift, search)
    return [_placed(hypothesis, first / bundle.sample_rate, end / bundle.sample_rate)
            for hypothesis, (first, end) in zip(hypotheses, spans, strict=True)]


def _log_posteriors(bundle: "Bundle", samples: np.ndarray, spans: Sequence[tuple[int, int]]
                    ) -> Iterator[np.ndarray]:
    for i in range(0, len(spans), _BATCH):
        yield from bundle.log_posteriors_of_audio(
            [samples[first:end] for first, end in spans[i:i + _BATCH]])


def _placed(hypothesis: Hypothesis, start: float, end: float) -> Segment:
    """A segment's hypothesis with its times counted from the start of the recording."""
    words = [word.model_copy(update={"start": start + word.start,
                                     "end": min(start + word.end, end)})  # half a frame too far
             for word in hypothesis.words]
    return Segment(start, end, hypothesis.text, hypothesis.confidence, words, hypothesis.nbest)

"""Audio of any length to a transcript with times, by a model bundle."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.audio import audio_blocks
from asr.decode.hypotheses import Search
from asr.errors import AsrError
from asr.files import file_name
from asr.manifest import Alternative, Hypothesis, Word
from asr.transcribe.recognise import End, recognise
from asr.transcribe.segment import Stretch, stretches
from asr.transcribe.stitch import seam

if TYPE_CHECKING:
    from asr.model.bundle import Bundle


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
    """Empty unless more than one text was asked for. Where speech without a pause was cut, they
    are of all that was recognised, past the seam too."""


@dataclass(frozen=True)
class Transcript:
    """What was said in a recording, and when."""

    file: str
    """Path or id."""
    name: str
    """The file's name without folder and suffix, or the id."""
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
    *segments, end = transcribe_recordings(
        bundle, [audio_blocks(Path(path), bundle.sample_rate)], search)
    assert isinstance(end, End)
    if end.error:
        raise end.error
    file = file_name(path)
    return Transcript(file, Path(file).stem, end.duration,
                      [segment for segment in segments if isinstance(segment, Segment)])


def transcribe_recordings(bundle: "Bundle", recordings: Iterable[Iterable[np.ndarray]],
                          search: Search) -> Iterator[Segment | End]:
    """Transcribe recordings one after the other; memory is bounded whatever their length.

    Only what is speech is recognised (`asr.transcribe.segment.stretches`), short ones of several
    recordings together.

    Parameters
    ----------
    recordings : iterable of iterable of np.ndarray, shape = (samples,) each, float32
        Blocks of samples at `bundle.sample_rate`, full scale ±1.

    Yields
    ------
    Segment or End
        The segments of a recording in order, then its end. An `AsrError` that its blocks raise
        ends this recording alone.
    """
    shown: Segment | None = None
    for item in recognise(bundle, _stretches(recordings, bundle.sample_rate), search):
        if isinstance(item, End):
            if shown:
                yield shown
            shown = None
            yield item
            continue
        stretch, hypothesis = item
        segment = _placed(stretch, hypothesis, bundle.sample_rate)
        if shown and stretch.overlaps:
            shown, segment = _joined(shown, segment)
        if shown:
            yield shown
        shown = segment


def _stretches(recordings: Iterable[Iterable[np.ndarray]], sample_rate: int
               ) -> Iterator[Stretch | End]:
    for blocks in recordings:
        read = 0

        def counted(blocks: Iterable[np.ndarray] = blocks) -> Iterator[np.ndarray]:
            nonlocal read
            for block in blocks:
                read += len(block)
                yield block

        error = None
        try:
            yield from stretches(counted(), sample_rate)
        except AsrError as caught:
            error = caught
        yield End(read / sample_rate, error)


def _placed(stretch: Stretch, hypothesis: Hypothesis, sample_rate: int) -> Segment:
    """A stretch's hypothesis with its times counted from the start of the recording."""
    start = stretch.first / sample_rate
    end = start + len(stretch.samples) / sample_rate
    words = [word.model_copy(update={"start": start + word.start,
                                     "end": min(start + word.end, end)})  # half a frame too far
             for word in hypothesis.words]
    return Segment(start, end, hypothesis.text, hypothesis.confidence, words, hypothesis.nbest)


def _joined(before: Segment, behind: Segment) -> tuple[Segment, Segment]:
    """Two segments that overlap as two that meet at the seam."""
    keep, skip = seam(before.words, behind.words, behind.start, before.end)
    said, to_come = before.words[:keep], behind.words[skip:]
    cut = (behind.start + before.end) / 2
    if to_come:
        cut = min(cut, to_come[0].start)
    if said:
        cut = max(cut, said[-1].end)
    to_come = [word.model_copy(update={"start": max(word.start, cut), "end": max(word.end, cut)})
               for word in to_come]
    return (replace(before, end=cut, **_of_words(said)),
            replace(behind, start=cut, **_of_words(to_come)))


def _of_words(words: list[Word]) -> dict[str, Any]:
    """The fields of a segment that follow from its words."""
    return {"words": words, "text": " ".join(word.text for word in words),
            "confidence": sum(w.confidence for w in words) / len(words) if words else None}

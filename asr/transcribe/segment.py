"""Stretches with speech, cut out of audio of any length while it is read."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np

from asr.transcribe.detector import FRAME, WINDOW, SpeechDetector

LONGEST = 30.0  # seconds of a stretch: memory and what the recurrent network has to hear at once
OVERLAP = 4.0  # seconds that stretches share where speech leaves no pause to cut in
_MARGIN = 15  # frames before and behind what is speech: consonants are quiet
_PAUSE = 100  # frames without speech that end a stretch
_GAP = 20  # frames without speech in which a long stretch may be cut: a stop consonant is shorter
_SILENCE = 2.0 ** -13  # four steps of 16 bits: silence made by machines, which no room has
_LEAST = 5  # frames with speech in a row that a stretch has: a click has fewer


class Stretch(NamedTuple):
    """A part of a recording that is recognised on its own."""

    first: int
    """Position of its first sample in the recording."""
    samples: np.ndarray
    """Shape (samples,), float32."""
    overlaps: bool
    """Whether its beginning is also the end of the stretch before."""


def stretches(blocks: Iterable[np.ndarray], sample_rate: int, longest: float = LONGEST
              ) -> Iterator[Stretch]:
    """Cut out what is speech (see `SpeechDetector`) with 0.15 s before and behind it, but no
    digital silence, whose features would be far from all that the network knows.

    A second without speech ends a stretch. One that would last longer than `longest` is cut at the
    longest gap in its second half, or, where there is none of 0.2 s, so that it shares 4 s with
    the next. How the audio is cut into blocks makes no difference; a stretch is yielded 1 s after
    the second that ends it, and no more is kept than one stretch and one block.

    Parameters
    ----------
    blocks : iterable of np.ndarray, shape = (samples,) each, float32
        One after the other the samples of a recording.
    """
    hop = round(FRAME * sample_rate)
    detector = SpeechDetector(sample_rate)
    cutter = _Cutter(round(longest / FRAME))
    kept, first = np.zeros(0, np.float32), 0
    for block in chain(blocks, (None,)):
        if block is None:
            spans = [*cutter.feed(detector.finish()), *cutter.finish()]
        else:
            kept = np.concatenate([kept, block])
            spans = cutter.feed(detector.feed(block))
        for span in spans:
            samples = kept[span.start * hop - first:span.end * hop - first]
            heard = np.flatnonzero(np.abs(samples) >= _SILENCE)
            if len(heard):
                yield Stretch(span.start * hop + int(heard[0]),
                              samples[heard[0]:heard[-1] + 1].copy(), span.overlaps)
        kept = kept[max(0, cutter.needed * hop - first):]
        first = max(first, cutter.needed * hop)


class _Span(NamedTuple):
    """A stretch in frames; the end may lie behind that of the recording."""

    start: int
    end: int
    overlaps: bool


class _Cutter:
    """Makes spans of frames that are speech or not."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._now = 0
        self._free = 0  # the end of the last span, before which none begins
        self._span: _Span | None = None  # the open one, its end being that of its speech
        self._row = self._longest_row = 0  # frames with speech in it that follow each other
        self._gaps: list[tuple[int, int]] = []  # in it, from the end of speech to its return

    @property
    def needed(self) -> int:
        """First frame that a span to come can begin with."""
        return max(self._free, self._now - _MARGIN) if self._span is None else self._span.start

    def feed(self, speech: np.ndarray) -> list[_Span]:
        """Take the next frames, shape = (frames,), bool; the spans that end with them."""
        spans = []
        for heard in speech.tolist():
            if heard:
                self._extend()
            self._now += 1
            if self._span is None:
                continue
            if self._now - self._span.end >= _PAUSE:
                spans += self.finish()
            elif self._now - self._span.start >= self._longest:
                spans += self._split()
        return spans

    def finish(self) -> list[_Span]:
        """End the open span, if there is one."""
        span, row = self._span, self._longest_row
        self._span, self._row, self._longest_row, self._gaps = None, 0, 0, []
        if span is None or row < _LEAST:
            return []
        self._free = min(span.end + _MARGIN, span.start + self._longest)
        return [span._replace(end=self._free)]

    def _extend(self) -> None:
        end = self._now + WINDOW
        if self._span is None:
            self._span = _Span(max(self._free, self._now - _MARGIN), end - 1, False)
        elif self._now - self._span.end >= _GAP:
            self._gaps.append((self._span.end, self._now))
        self._row = self._row + 1 if self._span.end == end - 1 else 1
        self._longest_row = max(self._row, self._longest_row)
        self._span = self._span._replace(end=end)

    def _split(self) -> list[_Span]:
        span = self._span
        assert span is not None
        late = [gap for gap in self._gaps if gap[0] - span.start >= self._longest // 2]
        if self._now - span.end >= _GAP:  # what follows will show where its speech begins
            return self.finish()
        if late:
            begin, back = max(late, key=lambda gap: gap[1] - gap[0])
            middle = (begin + back) // 2
            end = min(begin + _MARGIN, middle)
            rest = _Span(max(back - _MARGIN, middle), span.end, False)
        else:
            end = self._now
            shared = min(round(OVERLAP / FRAME), self._longest // 4)
            rest = _Span(end - shared, span.end, True)
        self._free, self._span = end, rest
        self._gaps = [gap for gap in self._gaps if gap[0] >= rest.start]
        return [span._replace(end=end)]

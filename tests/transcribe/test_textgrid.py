import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from praatio import textgrid as praat
from test_writers import transcript_of, transcripts, word

from asr.transcribe.transcribe import Segment, Transcript
from asr.transcribe.writers import textgrid


def read(content):
    """By the parser of the package praatio, which refuses what overlaps; name and intervals."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.TextGrid"
        path.write_text(content, encoding="utf-8")
        grid = praat.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    return grid.maxTimestamp, {tier.name: [tuple(e) for e in tier.entries] for tier in grid.tiers}


def is_a_cover(intervals, duration):
    """As Praat asks: from 0 to the end, each beginning where the one before ends."""
    edges = [intervals[0][0], *(end for _, end, _ in intervals)]
    assert edges[0] == 0
    assert edges[-1] == duration
    assert edges == sorted(set(edges))
    return all(a[1] == b[0] for a, b in itertools.pairwise(intervals))


@given(transcripts())
def test_tiers_read_back(transcript):
    duration, tiers = read(textgrid(transcript))
    assert duration == pytest.approx(transcript.duration, abs=1e-6)
    assert list(tiers) == ["segments", "words"]
    assert all(is_a_cover(intervals, duration) for intervals in tiers.values())
    said = [interval for interval in tiers["words"] if interval[2]]
    assert [label for _, _, label in said] == [w.text for w in transcript.words]
    for (start, end, _), expected in zip(said, transcript.words, strict=True):
        assert (start, end) == pytest.approx((expected.start, expected.end), abs=1e-5)
    if transcript.words:
        assert [label for _, _, label in tiers["segments"] if label] == [transcript.text]


@given(st.text('a"\\\'<=[]:0123 ', min_size=1, max_size=20).filter(lambda t: t == t.strip()))
def test_quotes_in_words(label):
    _, tiers = read(textgrid(transcript_of([word(label, 0.25, 0.5)])))
    assert [entry[2] for entry in tiers["words"] if entry[2]] == [label]


def test_nothing_said():
    duration, tiers = read(textgrid(Transcript("a.wav", "a", 1.25, [])))
    assert duration == 1.25
    assert tiers == {"segments": [(0, 1.25, "")], "words": [(0, 1.25, "")]}


def test_words_that_touch_or_overlap_by_rounding():
    words = [word("a", 0.5, 1.0), word("b", 1.0, 1.5), word("c", 1.4999999, 2.0)]
    _, tiers = read(textgrid(Transcript("a", "a", 2.5, [
        Segment(0.5, 2.0, "a b c", 1.0, words, [])])))
    assert [label for _, _, label in tiers["words"]] == ["", "a", "b", "c", ""]

import csv
import html
import io
import json

import pysubs2
import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.manifest import Alternative, Word
from asr.transcribe.transcribe import Segment, Transcript
from asr.transcribe.writers import (
    FORMATS,
    ctm,
    json_line,
    parse_formats,
    srt,
    text,
    tsv,
    vtt,
)


def transcript_of(words, name="a"):
    end = words[-1].end if words else 1.0
    segment = Segment(0.0, end, " ".join(word.text for word in words), 0.5, words, [])
    return Transcript("dir/a.wav", name, end, [segment])


def word(text, start, end, confidence=0.5):
    return Word(text=text, start=start, end=end, confidence=confidence)


@st.composite
def transcripts(draw):
    words, now = [], draw(st.sampled_from([0.0, 3599.0, 359_000.0]))
    for _ in range(draw(st.integers(0, 15))):
        now += draw(st.floats(0, 3))
        end = now + draw(st.floats(0.01, 2))
        words.append(word(draw(st.text("ab'<>&-é日", min_size=1, max_size=12)), now, end,
                          draw(st.floats(0, 1))))
        now = end
    return transcript_of(words)


def read_srt(content):
    """By the parser of the package pysubs2: start and end in seconds, and lines."""
    numbers = [block.split("\n", 1)[0] for block in content.split("\n\n") if block]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    found = pysubs2.SSAFile.from_string(content, "srt", keep_html_tags=True)
    return [(cue.start / 1000, cue.end / 1000, cue.text.split(r"\N")) for cue in found]


def read_vtt(content):
    """By the parser of the package webvtt-py."""
    def seconds(time):
        return 3600 * time.hours + 60 * time.minutes + time.seconds + time.milliseconds / 1000
    return [(seconds(cue.start_time), seconds(cue.end_time), [html.unescape(x) for x in cue.lines])
            for cue in webvtt.from_string(content)]


@given(transcripts())
def test_subtitles_read_back(transcript):
    said = [w.text for w in transcript.words]
    for cues in (read_srt(srt(transcript)), read_vtt(vtt(transcript))):
        assert " ".join(line for _, _, lines in cues for line in lines).split() == said
        times = [time for start, end, _ in cues for time in (start, end)]
        assert times == sorted(times)
        assert all(start < end for start, end, _ in cues)
        if cues:
            assert cues[0][0] == pytest.approx(transcript.words[0].start, abs=0.0006)


@given(transcripts())
def test_ctm_reads_back(transcript):
    rows = [line.split(" ") for line in ctm(transcript).splitlines()]
    assert [row[:2] for row in rows] == [["a", "1"]] * len(transcript.words)
    for row, expected in zip(rows, transcript.words, strict=True):
        assert float(row[2]) == pytest.approx(expected.start, abs=0.0006)
        assert float(row[2]) + float(row[3]) == pytest.approx(expected.end, abs=0.0006)
        assert row[4] == expected.text
        assert float(row[5]) == pytest.approx(expected.confidence, abs=1e-4)
        assert len(row) == 6


@given(st.lists(transcripts(), max_size=5))
def test_tsv_reads_back(parts):
    segments = [segment for part in parts for segment in part.segments]
    table = tsv(Transcript("a.wav", "a", 1e6, segments))
    rows = list(csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE))
    said = [segment for segment in segments if segment.text]
    assert [row["text"] for row in rows] == [segment.text for segment in said]
    for key in ("start", "end"):
        assert [int(row[key]) for row in rows] == [round(1000 * getattr(s, key)) for s in said]


@given(transcripts())
def test_json_reads_back(transcript):
    line = json_line(transcript)
    assert line.count("\n") == 1
    values = json.loads(line)
    assert (values["schema"], values["version"]) == ("asr.transcript", 1)
    assert values["text"] == transcript.text
    assert values["file"] == "dir/a.wav"
    assert [w["text"] for w in values["words"]] == [w.text for w in transcript.words]
    for found, expected in zip(values["words"], transcript.words, strict=True):
        assert found["start"] == pytest.approx(expected.start, abs=0.0006)
        assert found["end"] == pytest.approx(expected.end, abs=0.0006)
        assert found["confidence"] == pytest.approx(expected.confidence, abs=1e-4)


@pytest.mark.parametrize(("start", "clock"), [
    (0.0, "00:00:00,000"),
    (59.9994, "00:00:59,999"),
    (59.9996, "00:01:00,000"),
    (3599.9999, "01:00:00,000"),
    (3661.25, "01:01:01,250"),
    (99 * 3600 + 3599.9999, "100:00:00,000"),
])
def test_clock_carries(start, clock):
    transcript = transcript_of([word("a", start, start + 2)])
    assert srt(transcript).split("\n")[1].startswith(clock + " --> ")
    assert vtt(transcript).split("\n")[2].startswith(clock.replace(",", ".") + " --> ")


def test_text_has_a_line_for_each_segment_with_words():
    segments = [Segment(0, 1, "one two", 1.0, [], []), Segment(1, 2, "", None, [], []),
                Segment(2, 3, "three", 1.0, [], [])]
    transcript = Transcript("a.wav", "a", 3.0, segments)
    assert text(transcript) == "one two\nthree\n"
    assert transcript.text == "one two three"


def test_json_of_segments():
    segment = Segment(1.23456, 2.5, "a b", 0.123456, [], [Alternative(text="a b", score=-1.5)])
    values = json.loads(json_line(Transcript("a", "a", 3.00049, [
        segment, Segment(2.5, 3, "", None, [], [])])))
    assert values["duration"] == 3.0
    assert values["segments"] == [
        {"start": 1.235, "end": 2.5, "text": "a b", "confidence": 0.1235,
         "nbest": [{"text": "a b", "score": -1.5, "lm": 0.0}]},
        {"start": 2.5, "end": 3, "text": "", "confidence": None, "nbest": []}]


@pytest.mark.parametrize(("name", "expected"), [
    ("text", ""), ("srt", ""), ("vtt", "WEBVTT\n"), ("ctm", ""), ("tsv", "start\tend\ttext\n")])
def test_nothing_said(name, expected):
    assert FORMATS[name].render(Transcript("a.wav", "a", 1.0, [])) == expected


def test_a_name_with_spaces_stays_one_ctm_field():
    transcript = transcript_of([word("a", 0.5, 1)], name="my/a  new talk.final")
    assert ctm(transcript) == "my/a_new_talk.final 1 0.500 0.500 a 0.5000\n"


def test_vtt_escapes_what_would_be_markup():
    assert "&lt;b&gt; &amp;" in vtt(transcript_of([word("<b>", 0, 1), word("&", 1, 2)]))


def test_lists_of_formats():
    assert parse_formats(["text"], FORMATS) == ["text"]
    assert parse_formats(["srt, json", "text,srt"], FORMATS) == ["srt", "json", "text"]
    with pytest.raises(AsrError, match="no format named 'doc'; known: text, json, srt, vtt, ctm, "
                                       "tsv, textgrid"):
        parse_formats(["text,doc"], FORMATS)

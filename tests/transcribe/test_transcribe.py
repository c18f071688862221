import itertools
import os
import sys

import numpy as np
import pytest
import soundfile
from level_bundle import RATE, SHIFT, silence

from asr.decode.config import DecodeConfig
from asr.decode.settings import Search
from asr.errors import AsrError
from asr.transcribe.transcribe import transcribe_file, transcribe_samples

GREEDY = Search(DecodeConfig(search="greedy"))
WORDS = ["one", "two", "three", "four", "five", "six"]


@pytest.mark.parametrize("search", ["greedy", "beam"])
def test_words_and_their_times(bundle, record, search):
    samples = np.concatenate([silence(1), bundle.speak("hello"), silence(0.5),
                              bundle.speak(" "), bundle.speak("abc"), silence(0.25)])
    transcript = transcribe_file(bundle, record("a.wav", samples),
                                 Search(DecodeConfig(search=search)))
    assert transcript.text == "hello abc"
    assert transcript.duration == pytest.approx(len(samples) / RATE)
    assert [word.text for word in transcript.words] == ["hello", "abc"]
    starts, ends = ([getattr(w, key) for w in transcript.words] for key in ("start", "end"))
    assert starts == pytest.approx([1.0, 2.1], abs=SHIFT)
    assert ends == pytest.approx([1.45, 2.35], abs=SHIFT)
    assert all(0.9 < w.confidence <= 1 for w in transcript.words)
    assert len(transcript.segments) == 1


def test_long_audio_is_its_parts(bundle):
    """Two and a half minutes, pauses of random length; every word at its place, none lost."""
    random = np.random.default_rng(5)
    parts, starts, said = [], [], []
    while sum(map(len, parts)) < 150 * RATE:
        said.append(WORDS[random.integers(len(WORDS))])
        parts += [silence(random.uniform(0.3, 1.2)), bundle.speak(" ")]
        starts.append(sum(map(len, parts)) / RATE)
        parts.append(bundle.speak(said[-1]))
    samples = np.concatenate(parts)
    segments = transcribe_samples(bundle, samples, GREEDY)
    assert len(segments) >= 5
    words = [word for segment in segments for word in segment.words]
    assert [word.text for word in words] == said
    assert [word.start for word in words] == pytest.approx(starts, abs=2 * SHIFT)
    assert all(a.end <= b.start for a, b in itertools.pairwise(words))
    assert all(s.start <= w.start < w.end <= s.end for s in segments for w in s.words)
    assert max(map(len, bundle.batches)) <= 8
    assert sum(map(sum, bundle.batches)) == len(samples)
    assert max(map(max, bundle.batches)) <= 30 * RATE


def test_the_bundle_sees_few_segments_at_once(bundle):
    samples = np.tile(bundle.speak("a b "), 1500)  # ten minutes
    transcribe_samples(bundle, samples, GREEDY)
    assert len(bundle.batches) >= 3
    assert max(map(len, bundle.batches)) <= 8


def test_nothing_said_nothing_written(bundle, record):
    for seconds in (0.001, 1, 90):
        transcript = transcribe_file(bundle, record("a.wav", silence(seconds)), GREEDY)
        assert (transcript.text, transcript.words, transcript.segments) == ("", [], [])
        assert transcript.duration == pytest.approx(seconds)
    assert bundle.batches == []  # dither would have been amplified to noise


def test_a_recording_shorter_than_a_frame_is_empty(bundle):
    segments = transcribe_samples(bundle, np.full(10, 0.01, np.float32), GREEDY)
    assert [s.text for s in segments] == [""]


def test_a_silent_stretch_costs_no_word_around_it(bundle):
    samples = np.concatenate([bundle.speak("abc"), silence(100), bundle.speak("def")])
    segments = transcribe_samples(bundle, samples, GREEDY)
    words = [word for segment in segments for word in segment.words]
    assert [word.text for word in words] == ["abc", "def"]
    assert words[1].start == pytest.approx(0.3 + 100, abs=2 * SHIFT)
    assert len(segments) == 2


def test_alternatives_come_with_their_segment(bundle):
    segments = transcribe_samples(bundle, bundle.speak("ab"), Search(DecodeConfig(beam=4, nbest=2)))
    assert segments[0].nbest[0].text == segments[0].text == "ab"


def test_another_rate_and_more_channels(bundle, tmp_path):
    import soxr

    samples = np.concatenate([silence(0.2), bundle.speak("hello", unit=0.4), silence(0.2)])
    other = soxr.resample(samples, RATE, 48_000)
    soundfile.write(tmp_path / "a.flac", np.stack([other, other, other], axis=1), 48_000)
    text = transcribe_file(bundle, tmp_path / "a.flac", GREEDY).text
    assert set(text) >= set("helo")  # the edges between levels ring


def test_no_such_file(bundle, tmp_path):
    with pytest.raises(AsrError, match=r"none\.wav: no such file"):
        transcribe_file(bundle, tmp_path / "none.wav", GREEDY)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode there")
def test_a_file_name_that_is_not_unicode(bundle, record, tmp_path):
    path = record("a.wav", silence(1)).rename(tmp_path / os.fsdecode(b"\xff.wav"))
    transcript = transcribe_file(bundle, path, GREEDY)
    assert transcript.file.endswith("/\ufffd.wav")

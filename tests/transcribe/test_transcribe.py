import itertools
import os
import sys

import numpy as np
import pytest
import soundfile
from level_bundle import RATE, SHIFT, LevelBundle, cat, silence

from asr.decode.alignment import AFTER, BEFORE, PAUSE
from asr.decode.config import DecodeConfig
from asr.decode.settings import Search
from asr.errors import AsrError
from asr.transcribe.recognise import End
from asr.transcribe.transcribe import transcribe_file, transcribe_recordings

GREEDY = Search(DecodeConfig(search="greedy"))
WORDS = ["one", "two", "three", "four", "five", "six"]


def recordings(bundle, *samples):
    """The segments of each, and the ends."""
    found, ends = [[]], []
    for event in transcribe_recordings(bundle, [[s] for s in samples], GREEDY):
        if isinstance(event, End):
            ends.append(event)
            found.append([])
        else:
            found[-1].append(event)
    assert found.pop() == []
    return found, ends


def words_of(segments):
    return [word for segment in segments for word in segment.words]


def speech(bundle, count, seed, pause):
    """Words with pauses between; samples, texts, and when they start in seconds."""
    random = np.random.default_rng(seed)
    parts, starts, said = [silence(1)], [], []
    for _ in range(count):
        said.append(WORDS[random.integers(len(WORDS))])
        parts += [silence(random.uniform(*pause)), bundle.speak(" ")]
        starts.append(sum(map(len, parts)) / RATE)
        parts.append(bundle.speak(said[-1]))
    return np.concatenate(parts), said, starts


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
    assert starts == pytest.approx([1.0, 2.1 - BEFORE], abs=SHIFT)
    assert ends == pytest.approx([1.45 + AFTER, 2.35], abs=SHIFT)
    assert all(0.9 < w.confidence <= 1 for w in transcript.words)
    assert len(transcript.segments) == 1


@pytest.mark.parametrize("pause", [(0.3, 1.2), (0.9, 4.0), (0.0, 0.05)])
def test_long_audio_is_its_parts(bundle, pause):
    """Minutes; every word at its place, none lost or doubled, with pauses to cut in or without."""
    samples, said, starts = speech(bundle, 400, seed=5, pause=pause)
    (segments,), (end,) = recordings(bundle, samples)
    assert len(segments) >= 5
    assert [word.text for word in words_of(segments)] == said
    assert [word.start for word in words_of(segments)] == pytest.approx(
        starts, abs=2 * SHIFT + PAUSE / 2)  # words that are as near share what is between them
    for a, b in itertools.pairwise(words_of(segments)):
        assert a.end <= b.start
    assert all(a.end <= b.start for a, b in itertools.pairwise(segments))
    assert all(s.start <= w.start < w.end <= s.end for s in segments for w in s.words)
    assert all(s.text == " ".join(w.text for w in s.words) for s in segments)
    assert end == End(len(samples) / RATE)
    assert max(map(max, bundle.batches)) <= 30 * RATE
    heard = sum(map(sum, bundle.batches))
    if pause[1] > 1.2:
        assert heard < 0.7 * len(samples)  # pauses are not
    elif pause[1] < 0.1:
        assert heard > 1.1 * len(samples)  # overlaps are, twice


def test_what_the_network_takes_for_no_speech_is_heard_apart(bundle):
    """So that it doesn't count in the normalisation of what is said beside it."""
    parts = [cat(2), bundle.speak("one two"), cat(4), bundle.speak(" three"), cat(0.9),
             bundle.speak(" four"), cat(0.3)]
    ends = np.cumsum([len(part) for part in parts]) / RATE
    ((segments,), _) = recordings(bundle, np.concatenate(parts))
    assert [(segment.start, segment.text) for segment in segments] == [(0, "one two three four")]
    (whole,), pieces = bundle.batches
    assert whole == sum(pieces)
    between = ends[2] - ends[1] - 0.6
    assert np.array(sorted(pieces)) / RATE == pytest.approx(
        sorted([ends[0] - 0.3, ends[1] - ends[0] + 0.6, between, ends[6] - ends[2] + 0.3]),
        abs=0.1)


@pytest.mark.parametrize("cmvn", ["global", "none"])
def test_a_normalisation_that_noise_does_not_change_hears_once(cmvn):
    bundle = LevelBundle(cmvn)
    samples = np.concatenate([bundle.speak("one"), cat(4), bundle.speak(" two")])
    ((segments,), _) = recordings(bundle, samples)
    assert [segment.text for segment in segments] == ["one two"]
    assert len(bundle.batches) == 1


@pytest.mark.parametrize("seed", range(4))
def test_no_word_is_lost_or_doubled_beside_a_cat(bundle, seed):
    """Minutes without a pause, so that stretches overlap where the cat may have parted them."""
    random = np.random.default_rng(seed)
    parts, said, starts = [], [], []
    for _ in range(150):
        parts += [cat(random.choice([0, 0, 0, 0.5, 1.7, 3, 6])), bundle.speak(" ")]
        starts.append(sum(map(len, parts)) / RATE)
        said.append(WORDS[random.integers(len(WORDS))])
        parts.append(bundle.speak(said[-1]))
    ((segments,), _) = recordings(bundle, np.concatenate(parts))
    assert [word.text for word in words_of(segments)] == said
    assert [word.start for word in words_of(segments)] == pytest.approx(
        starts, abs=2 * SHIFT + PAUSE / 2)
    assert all(a.end <= b.start for a, b in itertools.pairwise(segments))
    assert all(s.start <= w.start < w.end <= s.end for s in segments for w in s.words)


def test_the_bundle_sees_a_few_minutes_at_once(bundle):
    samples = np.tile(bundle.speak("a b "), 4000)  # 27 minutes
    recordings(bundle, samples)
    assert len(bundle.batches) >= 5
    assert max(len(batch) * max(batch) for batch in bundle.batches) <= 120 * RATE


def test_short_recordings_are_recognised_together_and_told_apart(bundle):
    cases = [speech(bundle, 1 + i % 7, seed=i, pause=(0.1, 0.3)) for i in range(60)]
    found, ends = recordings(bundle, *(samples for samples, _, _ in cases))
    assert [[w.text for w in words_of(segments)] for segments in found] == \
        [said for _, said, _ in cases]
    assert [end.duration for end in ends] == [len(s) / RATE for s, _, _ in cases]
    assert len(bundle.batches) <= 4
    lengths = list(itertools.chain.from_iterable(bundle.batches))
    assert lengths == sorted(lengths)  # so that little is padded


def test_results_do_not_wait_while_nothing_is_said(bundle):
    """Silent recordings of a quarter of an hour, some behind one in which something is said."""
    read = 0

    def recordings():
        nonlocal read
        for number in range(24):
            read += 1
            yield [bundle.speak("one")] if number == 9 else [silence(60)] * 15
    late = [read - number for number, event in enumerate(
        e for e in transcribe_recordings(bundle, recordings(), GREEDY) if isinstance(e, End))]
    assert len(late) == 24
    assert max(late) <= 9  # of one hour with speech, and the next without


def test_a_recording_that_breaks_off_ends_alone(bundle):
    def broken():
        yield bundle.speak("one")
        yield silence(8)
        raise AsrError("x: cut off")

    events = list(transcribe_recordings(
        bundle, [[bundle.speak("two")], broken(), [bundle.speak("three")]], GREEDY))
    texts = [event.text for event in events if not isinstance(event, End)]
    assert texts == ["two", "one", "three"]
    errors = [str(event.error) for event in events if isinstance(event, End)]
    assert errors == ["None", "x: cut off", "None"]


def test_nothing_said_nothing_written(bundle, record):
    for seconds in (0.001, 1, 90):
        transcript = transcribe_file(bundle, record("a.wav", silence(seconds)), GREEDY)
        assert (transcript.text, transcript.words, transcript.segments) == ("", [], [])
        assert transcript.duration == pytest.approx(seconds)
    assert bundle.batches == []


def test_a_silent_stretch_costs_no_word_around_it(bundle):
    samples = np.concatenate([bundle.speak("abc"), silence(100), bundle.speak("def")])
    (segments,), _ = recordings(bundle, samples)
    assert [word.text for word in words_of(segments)] == ["abc", "def"]
    assert words_of(segments)[1].start == pytest.approx(0.3 + 100, abs=2 * SHIFT)
    assert len(segments) == 2


def test_alternatives_come_with_their_segment(bundle, record):
    transcript = transcribe_file(bundle, record("a.wav", bundle.speak("ab")),
                                 Search(DecodeConfig(beam=4, nbest=2)))
    assert transcript.segments[0].nbest[0].text == transcript.text == "ab"


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

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_detector import RATE, STEADY, random, speech

from asr.transcribe.segment import OVERLAP, stretches


def quiet(seconds):
    """A room: 50 dB below speech."""
    return 1e-4 * random().standard_normal(round(RATE * seconds))


def syllables(seconds):
    """Speech in which no gap is as long as 0.2 s."""
    return speech(seconds) + quiet(seconds)


def cut(*parts, blocks=1, longest=30.0):
    samples = np.concatenate(parts).astype(np.float32)
    return samples, list(stretches(np.array_split(samples, blocks), RATE, longest))


def seconds(found):
    return [(s.first / RATE, (s.first + len(s.samples)) / RATE) for s in found]


@pytest.mark.parametrize("kind", STEADY)
@pytest.mark.parametrize("duration", [3, 600])
def test_nothing_said_nothing_found(kind, duration):
    assert cut(STEADY[kind](duration))[1] == []


def test_margins_around_speech():
    _, found = cut(quiet(5), syllables(2), quiet(5), syllables(3), quiet(5))
    assert seconds(found) == [pytest.approx((4.85, 7.15), abs=0.15),
                              pytest.approx((11.85, 15.15), abs=0.15)]


def test_short_pauses_stay_long_ones_do_not():
    _, found = cut(*[part for pause in (0.5, 0.7, 1.6, 0.5)
                     for part in (syllables(2), quiet(pause))])
    assert seconds(found) == [pytest.approx((0, 7.5), abs=0.15),
                              pytest.approx((8.5, 11), abs=0.25)]


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0.3, 0.8, 2.0, 7.0, 26.0]), min_size=1, max_size=8),
       st.integers(1, 40), st.sampled_from([10.0, 30.0]))
def test_all_speech_is_in_bounded_stretches(durations, blocks, longest):
    """In whatever blocks it comes."""
    parts = [part(d) for d, part in zip(durations, itertools.cycle([syllables, quiet]),
                                        strict=False)]
    samples, found = cut(*parts, blocks=blocks, longest=longest)
    covered = np.zeros(len(samples), bool)
    for stretch in found:
        end = stretch.first + len(stretch.samples)
        np.testing.assert_array_equal(stretch.samples, samples[stretch.first:end])
        assert len(stretch.samples) <= longest * RATE
        assert covered[stretch.first:end].any() == stretch.overlaps
        covered[stretch.first:end] = True
    assert [s.first for s in found] == sorted(s.first for s in found)
    assert covered[np.abs(samples) > 0.02].all()
    whole = cut(*parts, longest=longest)[1]
    assert [(s.first, len(s.samples), s.overlaps) for s in found] == \
        [(s.first, len(s.samples), s.overlaps) for s in whole]


@pytest.mark.parametrize("duration", [2.5, 3, 6])
def test_noise_between_utterances_is_left_out(duration):
    """But for half a second, though what is quiet is near on both sides."""
    noise = 0.02 * random().standard_normal(round(RATE * duration))
    said = np.concatenate([quiet(0.4), syllables(3), quiet(0.4)])
    _, found = cut(said, noise, said)
    (start, end), (start_again, end_again) = seconds(found)
    assert (start, end_again - 3.8 - duration) == pytest.approx((0.1, 3.7), abs=0.15)
    assert 3.6 < end < 4.35
    assert 3.25 < start_again - duration < 4.2


def test_long_speech_is_cut_at_its_longest_late_gap():
    _, found = cut(syllables(5), quiet(0.8), syllables(11), quiet(0.3), syllables(6), quiet(0.5),
                   syllables(5), quiet(0.25), syllables(9))
    assert len(found) == 2
    assert not found[1].overlaps
    assert found[0].first + len(found[0].samples) <= found[1].first
    assert found[1].first / RATE == pytest.approx(5 + 0.8 + 11 + 0.3 + 6 + 0.25, abs=0.15)


def test_speech_without_gaps_is_cut_with_an_overlap():
    _, found = cut(syllables(100))
    ends = [s.first + len(s.samples) for s in found]
    assert [s.overlaps for s in found] == [False] + [True] * (len(found) - 1)
    assert len(found) == 4
    for end, behind in zip(ends, found[1:], strict=False):
        assert (end - behind.first) / RATE == pytest.approx(OVERLAP, abs=0.02)


@pytest.mark.parametrize("every", [1, 1.5, 2, 3])
def test_clicks_are_no_speech(every):
    samples = quiet(20)
    samples[::round(every * RATE)] = 0.9
    assert cut(samples)[1] == []


def test_a_click_after_speech_is_none_either():
    click = quiet(6)
    click[3 * RATE] = 0.9
    assert len(cut(syllables(2), click)[1]) == 1


def test_digital_silence_is_left_out():
    _, found = cut(np.zeros(3 * RATE), syllables(2), np.zeros(3 * RATE))
    assert seconds(found) == [pytest.approx((3, 5), abs=0.001)]


def test_stretches_come_while_audio_is_read():
    read = []

    def blocks():
        for block in np.array_split(np.concatenate([syllables(2), quiet(4)] * 20), 240):
            read.append(len(block))
            yield block.astype(np.float32)
    late = [sum(read) - (stretch.first + len(stretch.samples))
            for stretch in stretches(blocks(), RATE)]
    assert len(late) == 20
    assert max(late) < 4 * RATE

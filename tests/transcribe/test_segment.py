import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.transcribe.segment import segment

RATE = 1_000


def noise(seconds, loudness=1.0):
    return loudness * np.random.default_rng(0).uniform(-1, 1, round(RATE * seconds)).astype("f4")


@given(st.floats(0.001, 200), st.sampled_from([10.0, 30.0]))
def test_segments_tile_the_audio_and_stay_in_bounds(seconds, longest):
    samples = noise(seconds)
    spans = segment(samples, RATE, longest)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(samples)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
    assert all(0 < end - first <= longest * RATE for first, end in spans)
    assert all(end - first >= longest * RATE / 2 for first, end in spans[:-1])


@pytest.mark.parametrize("seconds", [0.01, 29.0, 30.0])
def test_short_audio_is_one_segment(seconds):
    samples = noise(seconds)
    assert segment(samples, RATE) == [(0, len(samples))]


def test_cuts_fall_into_pauses():
    """Words of 0.7 s and pauses of 0.5 s that are 40 dB quieter, not silent."""
    samples = np.tile(np.concatenate([noise(0.7), noise(0.5, 0.01)]), 100)
    spans = segment(samples, RATE)
    assert len(spans) >= 4
    for _, cut in spans[:-1]:
        assert 0.7 + 0.1 < cut / RATE % 1.2 < 1.2 - 0.1


def test_the_quietest_pause_is_taken():
    samples = noise(40)
    samples[17_000:18_000] *= 0.1
    samples[22_000:23_000] *= 0.01
    samples[5_000:6_000] = 0  # too early
    (_, cut), _ = segment(samples, RATE)
    assert 22_100 <= cut <= 22_900


def test_one_click_free_dip_is_no_pause():
    """A closure of 60 ms before a plosive is silent, but shorter than a pause between words."""
    samples = noise(40)
    samples[20_000:20_060] = 0
    samples[25_000:25_400] *= 0.1
    (_, cut), _ = segment(samples, RATE)
    assert 25_000 <= cut <= 25_400

"""Rooms: what a measurement of them says, and that speech stays where it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.augment.noise import coloured_noise
from asr.augment.part import Background, Scene
from asr.augment.reverberation import ReverberationConfig, impulse_response, reverberate

RATE = 16_000
SEEDS = st.integers(0, 10**6)


def decay_time(response, rate):
    """RT60 by Schroeder's (1965) backward integration, from −5 to −35 dB (ISO 3382's T30)."""
    decay = np.cumsum(np.square(response.astype(np.float64))[::-1])[::-1]
    levels = 10 * np.log10(decay / decay[0])
    used = (levels <= -5) & (levels >= -35)
    slope, _ = np.polyfit(np.flatnonzero(used) / rate, levels[used], 1)
    return -60 / slope


@given(rt60=st.floats(0.1, 2), direct=st.floats(0, 12), rate=st.sampled_from([8000, RATE]),
       seed=SEEDS)
@settings(max_examples=50)
def test_the_measured_decay_time_is_the_asked_one(rt60, direct, rate, seed):
    response = impulse_response(rt60, direct, rate, np.random.default_rng(seed))
    assert decay_time(response, rate) == pytest.approx(rt60, rel=0.05)


@given(rt60=st.floats(0.1, 1), direct=st.floats(-10, 20), seed=SEEDS)
def test_the_direct_path_has_the_asked_energy(rt60, direct, seed):
    response = impulse_response(rt60, direct, RATE, np.random.default_rng(seed)).astype(float)
    assert response[0] == 1
    assert 10 * np.log10(1 / np.sum(response[1:]**2)) == pytest.approx(direct, abs=0.01)


def test_reverberation_is_white():
    spectra = [np.abs(np.fft.rfft(impulse_response(0.5, -40, RATE, np.random.default_rng(i))))**2
               for i in range(50)]
    bands = np.mean(spectra, axis=0)[:4000].reshape(8, -1).mean(axis=1)
    np.testing.assert_allclose(10 * np.log10(bands / bands.mean()), 0, atol=0.3)


@given(rt60=st.floats(0.1, 1), direct=st.floats(0, 12), seed=SEEDS,
       colour=st.sampled_from(["white", "pink"]))
@settings(max_examples=30)
def test_the_result_is_aligned_as_long_and_as_strong(rt60, direct, seed, colour):
    random = np.random.default_rng(seed)
    dry = coloured_noise(colour, RATE, RATE, random)
    wet = reverberate(dry, impulse_response(rt60, direct, RATE, random))
    assert wet.dtype == np.float32 and wet.shape == dry.shape
    size = 2 * RATE
    correlation = np.fft.irfft(np.fft.rfft(wet, size) * np.fft.rfft(dry, size).conj(), size)
    assert np.abs(correlation).argmax() == 0
    assert np.mean(wet.astype(float)**2) == pytest.approx(np.mean(dry.astype(float)**2), rel=1e-3)


def test_it_is_the_convolution():
    random = np.random.default_rng(1)
    dry = random.standard_normal(500).astype(np.float32)
    response = impulse_response(0.02, 0, RATE, random)
    expected = np.convolve(dry, response)[:500]
    expected *= np.sqrt(np.mean(dry**2) / np.mean(expected**2))
    np.testing.assert_allclose(reverberate(dry, response), expected, atol=1e-5)


def test_silence_stays_silent():
    response = impulse_response(0.3, 0, RATE, np.random.default_rng(0))
    np.testing.assert_array_equal(reverberate(np.zeros(99, np.float32), response), 0)


def test_rooms_are_drawn_from_the_ranges():
    config = ReverberationConfig(probability=1, rt60=(0.3, 0.6), direct=(2, 6))
    impulse = np.zeros(RATE, np.float32)
    impulse[0] = 0.5
    times, ratios = [], []
    for seed in range(50):
        wet = config.apply(impulse, Scene("u", RATE, Background([], RATE)),
                           np.random.default_rng(seed))
        times.append(decay_time(wet[wet != 0], RATE))
        ratios.append(10 * np.log10(wet[0]**2 / np.sum(wet[1:]**2)))
    assert 0.29 < min(times) < 0.33 and 0.57 < max(times) < 0.61
    assert 1.9 < min(ratios) < 2.5 and 5.5 < max(ratios) < 6.1

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.augment.noise import coloured_noise
from asr.transcribe.detector import FRAME, SpeechDetector

RATE = 8_000


def random():
    return np.random.default_rng(0)


def tone(seconds, hertz=440.0):
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE + 1)


STEADY = {
    "silence": lambda seconds: np.zeros(round(RATE * seconds)),
    "last bit": lambda seconds: random().integers(-1, 2, round(RATE * seconds)) / 2 ** 15,
    "white": lambda seconds: 0.1 * random().standard_normal(round(RATE * seconds)),
    "pink": lambda seconds: 0.1 * coloured_noise("pink", round(RATE * seconds), RATE, random()),
    "brown": lambda seconds: 0.1 * coloured_noise("brown", round(RATE * seconds), RATE, random()),
    # Nearly all of a random walk's power is where nothing is heard.
    "rumble": lambda seconds: 1e-3 * np.cumsum(random().standard_normal(round(RATE * seconds))),
    "tone": tone,
    "hum": lambda seconds: tone(seconds, 50) + tone(seconds, 150) / 3,
}


def speech(seconds, loudness=0.1):
    """A buzz of 120 Hz in four syllables a second, 30 dB deep: where speech is modulated most
    (Houtgast & Steeneken 1985)."""
    t = np.arange(round(RATE * seconds)) / RATE
    swell = 10 ** (-1.5 * np.cos(np.pi * 4 * t) ** 2)
    return loudness * swell * sum(np.sin(2 * np.pi * 120 * k * t + k * k) for k in range(1, 20)) / 5


def detect(samples, cuts=()):
    detector = SpeechDetector(RATE)
    parts = [detector.feed(part) for part in np.split(samples.astype(np.float32), cuts)]
    return np.concatenate([*parts, detector.finish()])


@pytest.mark.parametrize("seconds", [3, 600])
@pytest.mark.parametrize("kind", STEADY)
def test_what_is_steady_is_no_speech(kind, seconds):
    found = detect(STEADY[kind](seconds))
    assert abs(len(found) - seconds / FRAME) <= 3
    assert not found.any()


@pytest.mark.parametrize("kind", STEADY)
@pytest.mark.parametrize("order", ["speech first", "noise first", "between"])
def test_speech_beside_it_is_found(kind, order):
    """20 dB quieter than the noise it stands beside; no word lasts less than 0.25 s here."""
    noise, said = STEADY[kind](6), speech(3, 0.02)
    parts = {"speech first": [said, noise], "noise first": [noise, said],
             "between": [noise, said, noise]}[order]
    found = np.flatnonzero(detect(np.concatenate(parts)))
    start = 0 if order == "speech first" else 600
    assert abs(found.min() - start) < 30
    inside = found[(found >= start) & (found < start + 300)]
    assert np.diff(inside).max() < 25
    assert inside.max() > start + 270
    wrong = found[(found < start - 60) | (found > start + 360)]
    assert not len(wrong)


@pytest.mark.parametrize("snr", [5, 10, 20])
def test_speech_in_noise_is_found(snr):
    noise = STEADY["white"](10)
    said = np.concatenate([np.zeros(3 * RATE), speech(4), np.zeros(3 * RATE)])
    said *= 10 ** (snr / 20) * np.sqrt((noise ** 2).mean() / (said[3 * RATE:7 * RATE] ** 2).mean())
    found = np.flatnonzero(detect(noise + said))
    assert 300 <= found.min() < 330
    assert 670 < found.max() <= 700
    assert np.diff(found).max() < 30


def test_a_level_is_of_no_account():
    said = np.concatenate([np.zeros(RATE), speech(4), np.zeros(RATE)])
    said += 1e-3 * random().standard_normal(len(said))
    np.testing.assert_array_equal(detect(said), detect(0.3 * said))


@given(st.lists(st.integers(0, 6 * RATE), max_size=8))
def test_blocks_make_no_difference(cuts):
    said = np.concatenate([speech(2), 0.01 * random().standard_normal(2 * RATE), speech(2)])
    np.testing.assert_array_equal(detect(said, sorted(cuts)), detect(said))


@given(st.integers(0, 500))
def test_less_than_a_frame_is_nothing(length):
    assert len(detect(np.ones(length))) == max(0, length // 80 - 2)

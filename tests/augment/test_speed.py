import numpy as np
import pytest

from asr.augment.speed import change_speed

RATE = 16_000


@pytest.mark.parametrize("speed", [0.8, 0.9, 1.1, 1.25])
def test_length_and_pitch_change_by_the_same_factor(speed):
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    played = change_speed(tone, speed)
    assert played.dtype == np.float32
    assert len(played) == pytest.approx(RATE / speed, abs=1)
    spectrum = np.abs(np.fft.rfft(played * np.hanning(len(played))))
    assert spectrum.argmax() * RATE / len(played) == pytest.approx(440 * speed, abs=1.5)


def test_its_own_speed_is_itself():
    samples = np.ones(9, np.float32)
    assert change_speed(samples, 1.0) is samples

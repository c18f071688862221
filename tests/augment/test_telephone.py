"""The telephone's band and its coding."""

import io

import numpy as np
import pytest
import soundfile

from asr.augment.telephone import companded, telephone


def gain(frequency, rate, mu_law=False):
    """In dB, of a tone, away from its ends."""
    tone = 0.5 * np.sin(2 * np.pi * frequency * np.arange(2 * rate) / rate).astype(np.float32)
    heard = telephone(tone, rate, mu_law)
    middle = slice(rate // 2, -rate // 2)
    return 10 * np.log10(np.mean(heard[middle]**2) / np.mean(tone[middle]**2) + 1e-20)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_only_the_band_passes(rate):
    assert all(gain(f, rate) < -40 for f in (50, 100, 200, 3550, 3900))
    assert all(abs(gain(f, rate)) < 0.1 for f in (400, 1000, 2000, 3000, 3300))
    assert gain(300, rate) == pytest.approx(-6, abs=0.5)
    assert gain(3400, rate) == pytest.approx(-6, abs=0.5)
    if rate > 8000:
        assert all(gain(f, rate, mu_law=True) < -40 for f in (4200, 5000, 7000))


@pytest.mark.parametrize("rate", [6000, 8000, 11_025, 16_000])
@pytest.mark.parametrize("length", [1, 2, 161, 16_001])
def test_nothing_moves(rate, length):
    samples = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    heard = telephone(samples, rate, mu_law=True)
    assert heard.dtype == np.float32 and heard.shape == samples.shape
    assert np.isfinite(heard).all()
    if length > 1000:
        assert np.correlate(heard, samples, "full").argmax() == length - 1


def snr(clean, coded):
    return 10 * np.log10(np.mean(clean**2) / np.mean((coded - clean)**2))


@pytest.mark.parametrize("level", [-6, -20, -30])
def test_the_coding_is_as_good_as_g711(level):
    """libsndfile's has G.711's straight segments instead of the logarithm, on 14 bits."""
    random = np.random.default_rng(0)
    samples = (10 ** (level / 20) * random.uniform(-1, 1, 50_000)).astype(np.float32)
    file = io.BytesIO()
    options = {"samplerate": 8000, "format": "RAW", "subtype": "ULAW"}
    soundfile.write(file, samples, **options)
    file.seek(0)
    theirs, _ = soundfile.read(file, channels=1, **options)
    assert snr(samples, companded(samples)) == pytest.approx(snr(samples, theirs), abs=1.5)


def test_8_bits_without_moving_silence():
    levels = np.unique(companded(np.linspace(-1, 1, 100_001, dtype=np.float32)))
    assert len(levels) == 255 and levels[127] == 0
    np.testing.assert_allclose(levels, -levels[::-1])
    np.testing.assert_allclose(companded(levels), levels, rtol=1e-5)
    assert levels[-1] == pytest.approx(1)

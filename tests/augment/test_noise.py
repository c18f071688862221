"""Noise: its level against the speech, its spectrum, where it is taken from."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import welch

from asr.augment import part
from asr.augment.noise import (
    BabbleConfig,
    ColouredNoiseConfig,
    NoiseConfig,
    add_noise,
    coloured_noise,
)
from asr.augment.part import Background, Clip, Scene
from asr.errors import AsrError
from asr.manifest import Utterance

RATE = 16_000
NOTHING = Background([], RATE)


def decibels(ratio):
    return 10 * np.log10(ratio)


def measured_snr(clean, noisy):
    clean, noisy = clean.astype(np.float64), noisy.astype(np.float64)
    return decibels(np.sum(clean**2) / np.sum((noisy - clean)**2))


def speech(seconds=1.0, seed=0):
    """Noise that comes and goes, as syllables and pauses do."""
    random = np.random.default_rng(seed)
    n = round(seconds * RATE)
    envelope = np.maximum(0, np.sin(2 * np.pi * 3 * np.arange(n) / RATE))
    return (0.2 * envelope * random.standard_normal(n)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Noise of several lengths, rates and levels, in sub-folders, beside what is no audio."""
    path = tmp_path_factory.mktemp("noise")
    (path / "deeper").mkdir()
    random = np.random.default_rng(5)
    for name, seconds, rate in (("long.wav", 4, RATE), ("deeper/short.flac", 0.1, 8000),
                                ("stereo.WAV", 2, 44_100)):
        noise = random.uniform(-1, 1, (round(seconds * rate), 2)) * random.uniform(0.001, 1)
        soundfile.write(path / name, noise, rate)
    (path / "README.txt").write_text("noise\n")
    return path


def utterances(folder, frequencies, seconds=1.5):
    """An utterance for each tone."""
    found = []
    for i, frequency in enumerate(frequencies):
        path = folder / f"{i}.wav"
        tone = np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)
        soundfile.write(path, tone * 0.5 / (i + 1), RATE, subtype="FLOAT")
        found.append(Utterance(id=f"u{i}", audio=str(path), text="", speaker="s", start=0.1,
                               duration=seconds - 0.1, sample_rate=RATE))
    return found


@given(snr=st.floats(-20, 40), seed=st.integers(0, 99), level=st.floats(1e-3, 1e3))
def test_measured_snr_is_the_asked_one(snr, seed, level):
    noise = np.random.default_rng(seed).standard_normal(RATE).astype(np.float32)
    clean = speech(seed=seed)
    assert measured_snr(clean, add_noise(clean, np.float32(level) * noise, snr)) \
        == pytest.approx(snr, abs=0.1)


def test_every_kind_of_noise_has_the_asked_snr_drawn_from_its_range(folder, tmp_path):
    people = utterances(tmp_path, [300, 500, 700, 900])
    for config in (NoiseConfig(probability=1, folder=folder, snr=(3, 9)),
                   ColouredNoiseConfig(probability=1, snr=(3, 9)),
                   BabbleConfig(probability=1, voices=2, snr=(3, 9))):
        scene = Scene("u1", RATE, Background(config.clips(people), RATE))
        found = []
        for seed in range(60):
            clean = speech(0.3, seed)
            noisy = config.apply(clean, scene, np.random.default_rng(seed))
            assert noisy.dtype == np.float32 and noisy.shape == clean.shape
            found.append(measured_snr(clean, noisy))
        assert 2.9 < min(found) < 4 and 8 < max(found) < 9.1


def test_silence_stays_silent():
    silence, noise = np.zeros(100, np.float32), np.ones(100, np.float32)
    np.testing.assert_array_equal(add_noise(silence, noise, 0), silence)
    np.testing.assert_array_equal(add_noise(noise, silence, 0), noise)


@pytest.mark.parametrize(("colour", "slope"), [("white", 0), ("pink", -3.01), ("brown", -6.02)])
@pytest.mark.parametrize("rate", [8000, RATE])
def test_spectra_fall_by_the_octave(colour, slope, rate):
    noise = coloured_noise(colour, 60 * rate + 1, rate, np.random.default_rng(3))
    assert noise.dtype == np.float32 and len(noise) == 60 * rate + 1
    frequencies, density = welch(noise.astype(np.float64), rate, nperseg=rate)
    heard = (frequencies >= 40) & (frequencies <= 0.45 * rate)
    octaves = np.log2(frequencies[heard])
    levels = decibels(density[heard])
    octave_means = [levels[(octaves >= o) & (octaves < o + 1)].mean() for o in range(6, 11)]
    np.testing.assert_allclose(np.diff(octave_means), slope, atol=0.15)
    assert decibels(density[heard].mean() / density[frequencies <= 10].mean()) > 10


@pytest.mark.parametrize("kept", [True, False])
def test_a_piece_lies_within_its_clip_at_any_place(tmp_path, monkeypatch, kept):
    monkeypatch.setattr(part, "_IN_MEMORY", 100 if kept else 0)
    soundfile.write(tmp_path / "ramp.wav", np.arange(3000) / 3000, RATE, subtype="FLOAT")
    background = Background([Clip("x", tmp_path / "ramp.wav", 0.05, 0.1)], RATE)
    random = np.random.default_rng(0)
    starts = []
    for _ in range(300):
        places = np.rint(3000 * background.piece(0, 1000, random)).astype(int)
        np.testing.assert_array_equal(places, places[0] + np.arange(1000))
        starts.append(places[0])
    assert 800 <= min(starts) < 830 and 1350 < max(starts) <= 1400
    short = np.rint(3000 * background.piece(0, 4000, random)).astype(int)
    np.testing.assert_array_equal(short, 800 + np.arange(4000) % 1600)


def test_babble_is_of_others_who_are_equally_loud(tmp_path):
    tones = [300, 500, 700, 900, 1100]
    config = BabbleConfig(probability=1, voices=3, snr=(0, 0))
    background = Background(config.clips(utterances(tmp_path, tones)), RATE)
    clean = speech()
    heard = set()
    for seed in range(20):
        noisy = config.apply(clean, Scene("u2", RATE, background), np.random.default_rng(seed))
        spectrum = np.abs(np.fft.rfft((noisy - clean) * np.hanning(RATE)))
        levels = {i: spectrum[tone] for i, tone in enumerate(tones)}
        loud = {i for i, level in levels.items() if level > 0.1 * max(levels.values())}
        assert len(loud) == 3 and 2 not in loud
        assert max(levels[i] for i in loud) < 1.05 * min(levels[i] for i in loud)
        heard |= loud
    assert heard == {0, 1, 3, 4}


def people_without_audio(count):
    return [Utterance(id=f"u{i}", audio="x.wav", text="", speaker="s", duration=1,
                      sample_rate=RATE) for i in range(count)]


def test_babble_does_not_depend_on_the_order_of_the_manifest():
    people = people_without_audio(120)
    config = BabbleConfig(probability=1)
    assert config.clips(people) == config.clips(people[::-1])
    assert len(config.clips(people)) == 100


def refused(config, people=()):
    with pytest.raises(AsrError) as caught:
        Background(config.clips(people), RATE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_faults_are_one_line(tmp_path):
    config = NoiseConfig(probability=1, folder=tmp_path / "noise")
    assert "no such folder of noise" in refused(config)
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "LICENSE").write_text("free")
    assert "no audio in this folder" in refused(config)
    (tmp_path / "noise" / "a.wav").write_text("no audio")
    assert "a.wav: not readable as audio" in refused(config)
    soundfile.write(tmp_path / "noise" / "a.wav", np.zeros(0), RATE)
    assert "a.wav" in refused(config)
    people = people_without_audio(5)
    assert "need more than the 5 utterances" in refused(BabbleConfig(probability=1), people)
    assert "x.wav: no such file" in refused(BabbleConfig(probability=1, voices=2), people)


@pytest.mark.parametrize("colour", ["white", "pink", "brown"])
def test_no_samples_no_noise(colour):
    assert len(coloured_noise(colour, 0, 8000, np.random.default_rng(0))) == 0

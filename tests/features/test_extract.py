import librosa
import numpy as np
import pytest
import scipy.fft
import torch
from torchaudio.compliance import kaldi

from asr.features.config import FeatureConfig
from asr.features.extract import extract, static_frames, with_deltas

RATE = 16_000


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(1)
    t = np.arange(RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * (200 + 1500 * t) * t)
    return (tone + 0.01 * random.standard_normal(RATE)).astype(np.float32)


def reference_power(samples):
    """Kaldi's power spectrum, written from its documentation (feature-window.h)."""
    window = np.power(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399), 0.85)  # Povey's
    rows, log_energies = [], []
    for start in range(0, len(samples) - 400 + 1, 160):
        frame = samples[start:start + 400].astype(np.float64) * 32768
        frame = frame - frame.mean()
        log_energies.append(np.log((frame ** 2).sum()))
        frame = frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])
        rows.append(np.abs(np.fft.rfft(frame * window, 512)) ** 2)
    return np.array(rows), np.array(log_energies)


def reference_mel(bins, low, high):
    def mel(frequency):
        return 1127 * np.log(1 + frequency / 700)

    edges = np.linspace(mel(low), mel(high), bins + 2)
    centres = mel(np.arange(257) * RATE / 512)
    rise = (centres - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - centres) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.maximum(0, np.minimum(rise, fall))
    bank[:, 256] = 0  # Kaldi leaves out the bin at half the sample rate
    return bank


def test_fbank_equals_a_second_implementation(samples):
    power, _ = reference_power(samples)
    expected = np.log(power @ reference_mel(80, 20, 8000).T)
    found = extract(samples, FeatureConfig(dither=0))
    assert found.dtype == np.float16
    assert found.shape == (98, 80)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=4e-3)


def test_mel_bank_spans_what_librosa_spans():
    """librosa's triangles are straight in Hz, Kaldi's in mel; corners and centres are the same."""
    ours = reference_mel(40, 20, 8000)
    theirs = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=40, fmin=20, fmax=8000, htk=True,
                                 norm=None)
    np.testing.assert_allclose(ours[:, :256], theirs[:, :256], atol=0.06)


def test_mfcc_equals_a_second_implementation(samples):
    power, log_energies = reference_power(samples)
    logs = np.log(power @ reference_mel(23, 20, 8000).T)
    cepstra = scipy.fft.dct(logs, type=2, norm="ortho", axis=1)[:, :13]
    cepstra *= 1 + 11 * np.sin(np.pi * np.arange(13) / 22)  # liftering
    found = extract(samples, FeatureConfig(kind="mfcc", mels=23, dither=0))
    assert found.shape == (98, 13)
    np.testing.assert_allclose(found, cepstra, rtol=2e-3, atol=6e-2)
    assert not np.allclose(found[:, 0], log_energies, rtol=1e-2)  # C0, not the energy


def test_deltas_equal_librosas(samples):
    frames = extract(samples, FeatureConfig(dither=0)).astype(np.float32)
    found = with_deltas(frames, 2)
    assert found.shape == (98, 240)
    np.testing.assert_array_equal(found[:, :80], frames)
    first = librosa.feature.delta(frames, width=5, axis=0, mode="nearest")
    np.testing.assert_allclose(found[:, 80:160], first, atol=1e-4)
    second = librosa.feature.delta(first, width=5, axis=0, mode="nearest")
    np.testing.assert_allclose(found[4:-4, 160:], second[4:-4], atol=1e-4)


def test_deltas_of_a_line_and_a_parabola():
    t = np.arange(20.0)[:, None]
    np.testing.assert_allclose(with_deltas(3 * t, 1)[2:-2, 1], 3)
    np.testing.assert_allclose(with_deltas(t**2, 2)[4:-4, 2], 2)


@pytest.mark.parametrize("length", [0, 1, 399, 400, 559, 560, 16_000])
@pytest.mark.parametrize("config", [FeatureConfig(), FeatureConfig(kind="mfcc", deltas=2)])
def test_number_of_frames(length, config):
    found = extract(np.zeros(length, np.float32), config)
    assert found.shape == (config.frames(length), config.dimension)
    assert np.isfinite(found).all()
    assert config.frames(length) == (0 if length < 400 else (length - 240) // 160)


@pytest.mark.parametrize(("rate", "shift"), [(11_025, 0.01), (22_050, 0.0125)])
def test_windows_and_shifts_are_cut_down_to_whole_samples(rate, shift):
    """As Kaldi's are."""
    config = FeatureConfig(sample_rate=rate, frame_shift=shift, mels=23)
    for length in range(config.window + config.shift - 3, config.window + config.shift + 3):
        whole = (length - rate // 40) // int(shift * rate)
        assert len(extract(np.ones(length, np.float32), config)) == config.frames(length) \
            == 1 + whole


def test_features_are_a_function_of_the_audio(samples):
    np.testing.assert_array_equal(extract(samples, FeatureConfig()),
                                  extract(samples, FeatureConfig()))


def test_dither_hides_digital_silence_and_leaves_speech():
    silence = np.zeros(RATE, np.float32)
    assert extract(silence, FeatureConfig(dither=0)).max() < -15
    assert extract(silence, FeatureConfig()).min() > -10
    random = np.random.default_rng(0)
    loud = (0.1 * random.standard_normal(RATE)).astype(np.float32)
    np.testing.assert_allclose(extract(loud, FeatureConfig()),
                               extract(loud, FeatureConfig(dither=0)), atol=0.05)


@pytest.mark.parametrize("config", [
    FeatureConfig(dither=0), FeatureConfig(kind="mfcc", mels=23, dither=0),
    FeatureConfig(sample_rate=8_000, mels=40, low_freq=100, high_freq=-200, dither=0),
    FeatureConfig(sample_rate=22_050, frame_length=0.032, frame_shift=0.0125, high_freq=9_000,
                  dither=0),
    FeatureConfig(sample_rate=11_025, mels=23, dither=0)], ids=str)
def test_as_torchaudio(samples, config):
    options = {
        "sample_frequency": float(config.sample_rate),
        "frame_length": 1000 * config.frame_length, "frame_shift": 1000 * config.frame_shift,
        "num_mel_bins": config.mels, "low_freq": config.low_freq, "high_freq": config.high_freq}
    if config.kind == "mfcc":
        options["num_ceps"] = config.ceps
    waveform = samples * 32768
    for length in (config.window, len(samples)):
        expected = getattr(kaldi, config.kind)(torch.from_numpy(waveform[None, :length]), **options)
        np.testing.assert_allclose(static_frames(waveform[:length], config), expected, atol=2e-3)


def test_long_recordings_are_computed_in_parts(samples):
    waveform = np.tile(samples, 25) * 32768  # some 2500 windows
    np.testing.assert_allclose(static_frames(waveform, FeatureConfig())[2400:],
                               static_frames(waveform[2400 * 160:], FeatureConfig()), atol=1e-4)


@pytest.mark.parametrize(("settings", "said"), [
    ({"high_freq": 8_001}, "at most 8000"), ({"high_freq": -8_000}, "from 20 to 0 Hz"),
    ({"low_freq": 4_000, "high_freq": 4_000}, "below"), ({"frame_shift": 1e-5}, "samples at"),
    ({"mels": 128}, "1 of 128 mel bins would hold no frequency"),
    ({"mels": 128, "sample_rate": 8_000}, "4 of 128 mel bins"),
    ({"frame_length": 1e-5}, "samples at")])
def test_what_no_window_or_mel_bin_can_be(settings, said):
    with pytest.raises(ValueError, match=said):
        FeatureConfig(**settings)

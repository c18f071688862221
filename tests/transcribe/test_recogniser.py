"""asr.load_model and what it returns."""

import wave

import numpy as np
import pytest
import soundfile

import asr
import asr.model.bundle
from asr.errors import AsrError


@pytest.fixture
def recording(tmp_path):
    """Bursts of noise, which the babbler finds words in, and what is in the file."""
    random = np.random.default_rng(0)
    sound = random.uniform(-0.5, 0.5, 16000) * (np.sin(np.arange(16000) / 400) > 0)
    soundfile.write(tmp_path / "a.wav", sound, 8000, "PCM_16")
    return tmp_path / "a.wav", soundfile.read(tmp_path / "a.wav", dtype="int16")[0]


def test_samples_of_any_type_are_the_file(babbler, recording):
    path, samples = recording
    model = asr.load_model(babbler, search="greedy")
    expected = model.transcribe(path)
    assert expected.words and expected.duration == 2.0
    floats = samples / np.float32(32768)
    for audio in (samples, floats, floats.astype(np.float64), np.stack([floats] * 2, axis=1),
                  samples.astype(np.int32) * 65536):
        found = model.transcribe(audio)
        assert (found.text, found.words, found.duration) \
            == (expected.text, expected.words, expected.duration)
    assert model.transcribe(str(path)).text == expected.text


def test_bytes_of_an_8_bit_file_are_the_file(babbler, recording):
    """As the standard library reads them."""
    path, samples = recording
    soundfile.write(path, samples, 8000, "PCM_U8")
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 1
        samples = np.frombuffer(file.readframes(file.getnframes()), np.uint8)
    model = asr.load_model(babbler, search="greedy")
    expected = model.transcribe(path).words
    assert expected
    for audio in (samples, samples.astype(np.uint16) * 256, samples.astype(np.uint32) << 24):
        assert model.transcribe(audio).words == expected


def test_samples_at_another_rate_are_resampled(babbler, recording):
    path, samples = recording
    model = asr.load_model(babbler)
    other = path.with_name("b.wav")
    soundfile.write(other, samples, 11025, "PCM_16")
    found, expected = model.transcribe(samples, 11025), model.transcribe(other)
    assert found.duration == pytest.approx(expected.duration, abs=0.01)
    assert found.duration == pytest.approx(16000 / 11025, abs=0.01)
    assert found.text == expected.text


@pytest.mark.parametrize("rate", [0, -8000, 1])
def test_no_sample_rate_of_speech(babbler, rate):
    with pytest.raises(AsrError, match=f"sample_rate: {rate} samples a second"):
        asr.load_model(babbler).transcribe(np.zeros(8000), rate)


def test_settings_are_those_of_the_search(babbler):
    assert asr.load_model(babbler, search="beam", beam=7).search.config.beam == 7
    with pytest.raises(AsrError, match="did you mean `beam`"):
        asr.load_model(babbler, baem=7)


@pytest.mark.parametrize("samples", [np.zeros((2, 2, 2)), np.full(9000, np.nan), np.zeros(()),
                                     np.zeros(9000, bool), np.zeros(9000, complex)])
def test_what_are_no_samples(babbler, samples):
    with pytest.raises(AsrError, match="samples"):
        asr.load_model(babbler).transcribe(samples)


def test_the_packages_own_model(babbler, tmp_path, monkeypatch):
    monkeypatch.setattr(asr.model.bundle, "__file__", str(tmp_path / "asr" / "model" / "bundle.py"))
    with pytest.raises(AsrError, match="holds no model of its own; name one with --model"):
        asr.load_model()
    (tmp_path / "asr").mkdir()
    (tmp_path / "asr" / "english").symlink_to(babbler)
    assert asr.load_model().bundle.sample_rate == 8000


@pytest.mark.parametrize(("samples", "message"), [
    (np.zeros((2, 8000), np.float32), r"shape \(2, 8000\), so 8000 channels; .*\.T"),
    (np.zeros((1, 8000), np.float32), "so 8000 channels"),
    (np.zeros((100, 0), np.float32), "so 0 channels"),
    (np.zeros(8000, np.int64), "type int64; give floats, or integers of up to 32 bits"),
    (np.full(8000, 1e30, np.float32), "times full scale"),
])
def test_samples_that_would_be_taken_for_something_else(babbler, samples, message):
    with pytest.raises(AsrError, match=message):
        asr.load_model(babbler).transcribe(samples)

import base64
import io
import json

import numpy as np
import pytest
import soundfile
from PIL import Image
from test_text_report import report_of

from asr.audio import read_audio
from asr.errors import AsrError
from asr.model.bundle import load_bundle
from asr.score import pictures as module
from asr.score.pictures import pictures
from asr.score.transcript import Transcript

RATE = 8000


def heard(folder, *seconds, **fields):
    """References of tones, each in a file of its own, with one error more in each."""
    transcripts, pairs = [], []
    for i, length in enumerate(seconds):
        path = folder / f"{i}.wav"
        tone = 0.2 * np.sin(2 * np.pi * 1000 * np.arange(round(RATE * length)) / RATE)
        soundfile.write(path, tone, RATE)
        transcripts.append(Transcript("a", audio=str(path), **fields))
        pairs.append(("a", "a" + " b" * (i + 1)))
    return report_of(*pairs, transcripts=transcripts)


def data(encoded):
    return io.BytesIO(base64.b64decode(encoded))


def test_posteriors_are_the_networks(tmp_path, babbler):
    report = heard(tmp_path, 1.5)
    drawn = pictures(report, babbler)
    assert list(drawn) == [0]
    json.dumps(drawn)
    picture, bundle = drawn[0], load_bundle(babbler)
    samples = read_audio(tmp_path / "0.wav", RATE)
    expected = 100 * np.exp(bundle.log_posteriors_of_audio([samples])[0])
    found = np.zeros_like(expected)
    found[:, 0] = picture["blank"]
    for symbol, first, percents in picture["units"]:
        assert percents[0] >= 2
        assert percents[-1] >= 2
        found[first:first + len(percents), bundle.units.symbols.index(symbol)] += percents
    seen = (expected >= 2) | (np.arange(expected.shape[1]) == 0)
    np.testing.assert_allclose(found[seen], expected[seen], atol=0.5)
    assert not found[~seen].any()
    assert picture["seconds"] == 1.5
    assert picture["step"] == pytest.approx(0.03)


def test_a_tone_is_dark_in_its_band_and_sounds_in_the_page(tmp_path, babbler):
    picture = pictures(heard(tmp_path, 2.0), babbler)[0]
    image = np.asarray(Image.open(data(picture["image"])).convert("L")).astype(float)
    assert image.shape == (80, 198)

    def mel(hertz):  # Kaldi's
        return 1127 * np.log(1 + hertz / 700)

    band = 80 * (mel(1000) - mel(20)) / (mel(RATE / 2) - mel(20))
    assert abs(79 - image.mean(axis=1).argmin() - band) < 2
    sound, rate = soundfile.read(data(picture["sound"]))
    spectrum = np.abs(np.fft.rfft(sound))
    assert spectrum.argmax() * rate / len(sound) == pytest.approx(1000, abs=2)
    assert len(sound) / rate == pytest.approx(2, abs=0.1)


def test_those_with_most_errors_whose_audio_is_there(tmp_path, babbler, monkeypatch, capsys):
    monkeypatch.setattr(module, "PICTURES", 2)
    monkeypatch.setattr(module, "LONGEST", 3.0)
    report = heard(tmp_path, 1.0, 1.1, 1.2, 4.0, 1.0, 0.01, 1.0)
    (tmp_path / "4.wav").unlink()
    (tmp_path / "6.wav").write_bytes(b"RIFF no sound")
    assert list(pictures(report, babbler)) == [2, 1]
    assert "no picture of utt-6: " in capsys.readouterr().err


def test_a_stretch_of_a_longer_file(tmp_path, babbler):
    report = heard(tmp_path, 70.0, start=68.5, duration=1.25)
    assert pictures(report, babbler)[0]["seconds"] == 1.25
    report.transcripts[0] = report.transcripts[0]._replace(duration=None)
    assert pictures(report, babbler)[0]["seconds"] == 1.5


def test_nothing_to_draw(tmp_path, babbler):
    report = heard(tmp_path, 1.0)
    report.transcripts[0] = Transcript("a")
    with pytest.raises(AsrError, match=r"ref\.trn names no audio that can be read"):
        pictures(report, babbler)

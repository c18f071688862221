import numpy as np
import pytest
import soundfile
from PIL import Image

from asr.errors import AsrError
from asr.inspect.stage import inspect_file


@pytest.fixture
def audio(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16_000), 8000)
    return path


def test_png(babbler, audio, tmp_path):
    inspect_file(babbler, audio, tmp_path / "a.png", 1, "backward", [0, 7], "ab")
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("L")).std() > 5


def test_svg_names_what_it_shows(babbler, audio, tmp_path):
    inspect_file(babbler, audio, tmp_path / "a.svg", 1, "forward", [5], "ab fed")
    text = (tmp_path / "a.svg").read_text()
    for name in ("layer 1, forward, unit 5", "forget", "cell state", "posteriors", ">fed<", ">ab<"):
        assert name in text
    inspect_file(babbler, audio, tmp_path / "b.svg", 1, "forward", [5], "ab fed")
    assert (tmp_path / "b.svg").read_text() == text


@pytest.mark.parametrize(("output", "units", "text", "message"), [
    ("a.jpg", None, None, "pictures are .png or .svg"), ("a.png", [8], None, "no unit 8"),
    ("a.png", [-1], None, "no unit -1"), ("a.png", None, "a7", "cannot spell `a7`"),
    ("a.png", 300 * [0], None, "300 units are too many for one picture"),
    ("a.png", None, 60 * "abc", "too short for the text")])
def test_refused(babbler, audio, tmp_path, output, units, text, message):
    with pytest.raises(AsrError, match=message):
        inspect_file(babbler, audio, tmp_path / output, 1, "forward", units, text)
    assert not (tmp_path / output).exists()


def test_too_long(babbler, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(31 * 8000), 8000)
    with pytest.raises(AsrError, match="31 s long"):
        inspect_file(babbler, tmp_path / "long.wav", tmp_path / "a.png", 1, "forward", None, None)

"""LJSpeech's layout."""

import pytest

from asr.errors import AsrError
from asr.prepare.ljspeech import prepare_ljspeech


def test_utterances(tmp_path, record):
    folder = tmp_path / "jane"
    for name in ("a1.wav", "a2.opus", "a3.wav"):
        record(folder / "wavs" / name)
    (folder / "metadata.csv").write_text('a1|In 1899, "Dr." X|In eighteen ninety-nine, "doctor" X\n'
                                         "a2|Only two columns.\na3|The third is empty|\n")
    utterances = prepare_ljspeech(folder)
    assert [(u.id, u.text, u.speaker) for u in utterances] == [
        ("a1", "in eighteen ninety nine doctor x", "jane"),
        ("a2", "only two columns", "jane"), ("a3", "the third is empty", "jane")]
    assert utterances[1].audio == str(folder / "wavs/a2.opus")


def test_faults_are_named(tmp_path):
    with pytest.raises(AsrError, match=r"metadata.csv: no such file"):
        prepare_ljspeech(tmp_path)
    (tmp_path / "metadata.csv").write_text("a|b\na|b|c|d\n")
    with pytest.raises(AsrError, match=r"metadata.csv:2: expected .*, found 4 columns"):
        prepare_ljspeech(tmp_path)

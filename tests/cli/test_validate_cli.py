"""asr validate: faults to stdout, exit codes 0, 1 and 2."""

import json
import sys

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from asr.cli import asr, main
from asr.manifest import Utterance, write_records


@pytest.fixture
def manifest(tmp_path):
    def write(**changes):
        soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
        write_records(tmp_path / "m.jsonl", [Utterance(
            **{"id": "a", "audio": "a.wav", "text": "hi there", "speaker": "s", "duration": 1.0,
               "sample_rate": 16_000} | changes)])
        return str(tmp_path / "m.jsonl")
    return write


def run(*arguments):
    return CliRunner().invoke(asr, ["validate", *arguments])


def test_clean(manifest):
    result = run(manifest())
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("m.jsonl: no faults\n")
    result = run(manifest(), "--json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")


def test_nonspeech(manifest):
    assert run(manifest(text="")).exit_code == 1
    assert run(manifest(text=""), "--nonspeech").exit_code == 0


def test_faults(manifest):
    path = manifest(text="9", duration=2.0)
    result = run(path)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f"{path}:1: a: the text holds '9'"
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.endswith("m.jsonl: 2 faults\n")
    result = run(path, "--json")
    assert result.exit_code == 1
    assert [(f["line"], f["id"], f["kind"]) for f in json.loads(result.stdout)] == [
        (1, "a", "text"), (1, "a", "duration")]


def test_frame_shift(manifest):
    path = manifest(text="a" * 17)  # needs 33 frames; 98 feature frames give 33, 49 or 25
    assert run(path).exit_code == 0
    assert run(path, "--frame-shift", "0.04").exit_code == 1


def test_units_and_normaliser(manifest, tmp_path):
    path = manifest(text="Hi 9!")
    (tmp_path / "units.txt").write_text("<blank>\n|\nH\ni\n9\n!\n")
    assert run(path).exit_code == 1
    assert run(path, "--units", str(tmp_path / "units.txt"), "--normaliser", "none").exit_code == 0


def test_headers_only(manifest, tmp_path):
    path = manifest()
    soundfile.write(tmp_path / "a.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    assert run(path, "--headers-only").exit_code == 0
    assert run(path).exit_code == 1


def test_exit_codes_of_the_program(manifest, tmp_path, monkeypatch):
    def code(*arguments):
        monkeypatch.setattr(sys, "argv", ["asr", "validate", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code
    assert code(manifest()) == 0
    assert code(manifest(text="")) == 1
    assert code(str(tmp_path / "none.jsonl")) == 2
    assert code(str(tmp_path)) == 2
    assert code(manifest(), "--units", str(tmp_path / "a.wav")) == 2
    for shift in ("0", "nan", "inf"):
        assert code(manifest(), "--frame-shift", shift) == 2

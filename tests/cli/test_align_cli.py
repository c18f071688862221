import sys

import numpy as np
import pytest
import soundfile

from asr.cli import main


@pytest.fixture
def run(monkeypatch, tmp_path, babbler):
    """A command on one second of noise; its exit code."""
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 8000), 8000)

    def call(command, *arguments):
        monkeypatch.setattr(sys, "argv", ["asr", command, str(tmp_path / "a.wav"), "--model",
                                          str(babbler), *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        return exit_.value.code
    return call


def test_align(run, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("abc def")
    assert run("align", tmp_path / "a.txt") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in lines] == ["abc", "def"]
    assert run("align", "--text", "abc def") == 0
    assert capsys.readouterr().out.splitlines() == lines
    assert run("align", "--text", "abc", "--format", "ctm,json", "--format", "textgrid",
               "--output", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.ctm", "a.json", "a.TextGrid"}


@pytest.mark.parametrize("arguments", [(), ("--text", "xyz"), ("--text", 20 * "abc"),
                                       ("--text", "abc", "--format", "srt")])
def test_what_cannot_be_aligned(run, arguments, capsys):
    assert run("align", *arguments) == 2
    assert capsys.readouterr().out == ""


def test_inspect(run, tmp_path, capsys):
    assert run("inspect", "--output", tmp_path / "a.svg", "--units", "1,3") == 0
    assert "unit 3" in (tmp_path / "a.svg").read_text()
    assert run("inspect", "--output", tmp_path / "a.svg", "--units", "1;3") == 2
    assert "--units takes numbers" in capsys.readouterr().err

"""What a user can mend is one line on stderr, whoever found it; a command by itself is its help."""

import errno
import os
from pathlib import Path

import pytest


@pytest.mark.parametrize(("arguments", "message"), [
    ("train", "Missing argument 'FOLDER' ("),
    ("train --colour", "No such option"),
    ("prepare tabel", "No such command 'tabel'"),
    ("prepare table --nomaliser", "prepare table --help)"),
    ("trian", " --help)"),
    ("validate m.jsonl --frame-shift x", "Invalid value for '--frame-shift': 'x'"),
    ("score a b --missing x", "Invalid value for '--missing': 'x'"),
])
def test_wrong_usage(command_line, capsys, arguments, message):
    assert command_line(*arguments.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("asr: error: ")
    assert message in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", ["", "prepare", "--help", "train --help"])
def test_help(command_line, capsys, arguments):
    command_line(*arguments.split())
    said = capsys.readouterr()
    assert (said.out + said.err).startswith("Usage: ")
    assert "asr: error" not in said.err


def test_a_folder_that_one_may_not_enter(command_line, capsys, monkeypatch):
    """Simulated, since root may enter all."""
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    monkeypatch.setattr(Path, "exists", refuse)
    assert command_line("info", "locked/b") == 2
    assert capsys.readouterr().err == "asr: error: locked/b/bundle.json: Permission denied\n"


def test_a_name_that_no_file_can_have(command_line, capsys):
    assert command_line("info", "a" * 300) == 2
    said = capsys.readouterr().err
    assert said.startswith("asr: error: a")
    assert said.count("\n") == 1

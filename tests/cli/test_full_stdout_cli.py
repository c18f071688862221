"""Results that cannot be printed: one line, whatever the command."""

import sys
from pathlib import Path

import pytest
from dummies import unigrams

from asr.lm.arpa import write_arpa
from asr.manifest import Utterance, write_records


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
@pytest.mark.parametrize("arguments", [
    "score a.trn a.trn", "score a.trn a.trn --json", "compare a.trn a.trn b.trn",
    "compare a.trn a.trn b.trn --json", "info MODEL", "info MODEL --json", "validate a.jsonl",
    "validate a.jsonl --json", "lm perplexity a.arpa a.txt"])
def test_a_full_disk(command_line, tmp_path, monkeypatch, capsys, babbler, arguments):
    for name in ("a.trn", "b.trn"):
        (tmp_path / name).write_text("a b (s-0)\na (s-1)\n")
    (tmp_path / "a.txt").write_text("a b c\n")
    write_records(tmp_path / "a.jsonl", [Utterance(id="a", audio="none.wav", text="a", speaker="s",
                                                   duration=1, sample_rate=8000)])
    write_arpa(tmp_path / "a.arpa", unigrams("a", "b"))
    monkeypatch.chdir(tmp_path)
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = command_line(*arguments.replace("MODEL", str(babbler)).split())
    assert code == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "asr: error: cannot write stdout: No space left on device; free some space or choose "
        "another place")

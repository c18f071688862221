"""Texts that the encoding of stdout lacks."""

import io
import sys


def test_what_is_printed_is_utf8(command_line, tmp_path, monkeypatch):
    (tmp_path / "r.trn").write_text("καλός b (s-0)\n", encoding="utf-8")
    (tmp_path / "h.trn").write_text("x b (s-0)\n")
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "cp1252"))
    assert command_line("score", tmp_path / "r.trn", tmp_path / "h.trn") == 0
    assert "καλός → x" in out.getvalue().decode("utf-8")


def test_a_closed_stdout(command_line, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert command_line("score", "none.trn", "none.trn") == 2

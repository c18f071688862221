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


def test_closed_streams(command_line, tmp_path, monkeypatch):
    (tmp_path / "r.trn").write_text("a b (s-0)\n")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert command_line("score", tmp_path / "r.trn", tmp_path / "r.trn") == 0
    assert command_line("score", "none.trn", "none.trn") == 2

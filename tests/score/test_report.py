import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from asr.errors import AsrError
from asr.score.align import score_utterances
from asr.score.pairs import read_texts
from asr.score.report import FILES, Report, json_report, text_report, write_report

HOSTILE = "\x1b[2J<script> [red]x[/red] [/] \u202eevil :smile: \x07{0} %s"


def report_of(*pairs, **changes):
    score = score_utterances((f"utt-{i}", *pair) for i, pair in enumerate(pairs))
    fields = {"reference": Path("ref.trn"), "hypothesis": Path("hyp.trn"), "normaliser": "none",
              "missing": "error", "missing_ids": []}
    return Report(score=score, **(fields | changes))


def cells(text, name):
    return next(line for line in text.splitlines() if line.startswith(name)).split()


def test_table_holds_the_rates():
    text = text_report(report_of(("a b c d e", "a x d e y"), ("f", "f"), ("g", "g")))
    assert cells(text, "WER")[:2] == ["WER", "42.86"]  # S b→x, D c, I y, of 7 words
    assert cells(text, "WER")[-6:] == ["3", "1", "1", "1", "7", "words"]
    assert cells(text, "SER")[1] == "33.33"
    assert "normaliser  none" in text
    assert "missing" not in text
    assert "Worst utterances (1 of 1 with errors)" in text
    assert "\nutt-0: 1 sub, 1 del, 1 ins, words 5\n" in text


def test_an_alignment_stands_in_columns():
    text = text_report(report_of(("日本 a sat on it", "the a on it now")))
    assert text.endswith("REF 日本 a sat on it ***\n"
                         "HYP the  a *** on it now\n"
                         "    S      D         I\n")


def test_a_perfect_score_names_no_worst_utterance():
    text = text_report(report_of(("a", "a"), ("b", "b")))
    assert cells(text, "WER")[1:5] == ["0.00", "0.00", "–", "0.00"]
    assert "Worst" not in text


def test_no_reference_words_means_no_rate():
    report = report_of(("", "x y"), ("", ""))
    text = text_report(report)
    assert cells(text, "WER")[1:4] == ["n/a", "n/a", "2"]
    assert "the references hold no words" in text
    assert cells(text, "SER")[1] == "50.00"
    values = json.loads(json_report(report))
    assert values["wer"] == {"rate": None, "interval": None, "errors": 2, "length": 0,
                             "substitutions": 0, "deletions": 0, "insertions": 2}


def test_missing_hypotheses_are_stated():
    report = report_of(("a b", ""), ("c", "c"), missing="deletions", missing_ids=["utt-0"])
    assert "1 of 2 utterances had no hypothesis and count as all deleted" in \
        " ".join(text_report(report).split())
    assert json.loads(json_report(report))["missing"] == {"policy": "deletions", "ids": ["utt-0"]}


def test_every_line_fits_80_columns():
    long = " ".join(f"word{'日' * (i % 7)}" for i in range(60))
    text = text_report(report_of((long, long.replace("word日日", "x")), ("z" * 200, "y" * 90),
                                 *[("a " * 3000, "")] * 2, reference=Path("/very/" * 40)))
    assert max(cell_len(line) for line in text.splitlines()) <= 80


def test_hostile_text_can_neither_steer_the_terminal_nor_the_layout():
    report = report_of((HOSTILE, "a"), (HOSTILE.replace("x", "y"), HOSTILE),
                       hypothesis=Path(HOSTILE))
    text = text_report(report)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "[red]x[/red]" in text
    assert ":smile:" in text
    coloured = text_report(report, colour=True)
    assert "\x1b[2J" not in coloured
    assert json.loads(json_report(report))["hypothesis"] == HOSTILE


def test_json_holds_totals_that_the_utterances_sum_to():
    values = json.loads(json_report(report_of(("a b c d", "a x d y"), ("e", ""))))
    assert (values["schema"], values["version"]) == ("asr.score", 1)
    assert values["wer"]["rate"] == 4 / 5
    for name, kind in (("wer", "words"), ("cer", "characters")):
        for key in ("substitutions", "deletions", "insertions", "length"):
            assert values[name][key] == sum(u[kind][key] for u in values["utterances"])
    low, high = values["wer"]["interval"]
    assert low <= values["wer"]["rate"] <= high
    assert values["ser"]["errors"] == values["ser"]["length"] == 2


def test_writing_the_folder(tmp_path):
    report = report_of(("a  b", "a"), ("", "c"))
    write_report(report, tmp_path / "new" / "out")
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == sorted(FILES)
    assert read_texts(tmp_path / "new" / "out" / "ref.trn", None) == {"utt-0": "a b", "utt-1": ""}
    assert read_texts(tmp_path / "new" / "out" / "hyp.trn", None) == {"utt-0": "a", "utt-1": "c"}
    write_report(report_of(("x", "x")), tmp_path / "new" / "out")  # an earlier report is replaced
    assert read_texts(tmp_path / "new" / "out" / "ref.trn", None) == {"utt-0": "x"}


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(AsrError, match=r"holds other files \(thesis.tex\)"):
        write_report(report_of(("a", "a")), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_current_folder_can_be_the_output(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    write_report(report_of(("a", "a")), Path())
    assert (tmp_path / "out" / "report.txt").is_file()


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path):
    score = score_utterances([("bad\nid", "a", "a")])
    report = Report(score, Path("r"), Path("h"), "none", "error", [])
    with pytest.raises(AsrError, match="cannot stand in a"):
        write_report(report, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []

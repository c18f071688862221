import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from asr.score.align import score_utterances
from asr.score.groups import group_utterances
from asr.score.json_report import json_report
from asr.score.normalisation import Changes
from asr.score.report import Report
from asr.score.text_report import text_report
from asr.score.transcript import Transcript

HOSTILE = "\x1b[2J<script> [red]x[/red] [/] \u202eevil :smile: \x07{0} %s"


def report_of(*pairs, **changes):
    score = score_utterances((f"utt-{i}", *pair) for i, pair in enumerate(pairs))
    fields = {"reference": Path("ref.trn"), "hypothesis": Path("hyp.trn"), "alignment": "unit",
              "transcripts": [Transcript(reference) for reference, _ in pairs],
              "confidences": [()] * len(pairs), "changes": Changes("none", None, 0, 0, []),
              "missing": "error", "missing_ids": []}
    return Report(score=score, **(fields | changes))


def json_of(report):
    return json.loads("".join(json_report(report)))


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
    values = json_of(report)
    assert values["wer"] == {"rate": None, "interval": None, "speaker_interval": None,
                             "errors": 2, "length": 0, "substitutions": 0, "deletions": 0,
                             "insertions": 2}


def test_missing_hypotheses_are_stated():
    report = report_of(("a b", ""), ("c", "c"), missing="deletions", missing_ids=["utt-0"])
    assert "1 of 2 utterances had no hypothesis and count as all deleted" in \
        " ".join(text_report(report).split())
    assert json_of(report)["missing"] == {"policy": "deletions", "ids": ["utt-0"]}


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
    assert json_of(report)["hypothesis"] == HOSTILE


def test_json_holds_totals_that_the_utterances_sum_to():
    values = json_of(report_of(("a b c d", "a x d y"), ("e", "")))
    assert (values["schema"], values["version"]) == ("asr.score", 2)
    assert values["wer"]["rate"] == 4 / 5
    for name, kind in (("wer", "words"), ("cer", "characters")):
        for key in ("substitutions", "deletions", "insertions", "length"):
            assert values[name][key] == sum(u[kind][key] for u in values["utterances"])
    low, high = values["wer"]["interval"]
    assert low <= values["wer"]["rate"] <= high
    assert values["ser"]["errors"] == values["ser"]["length"] == 2


def test_groups_speakers_and_confidences():
    transcripts = [Transcript("a b", speaker="s1", extra={"gender": "F"}),
                   Transcript("c d", speaker="s2", extra={"gender": "M"}),
                   Transcript("e f", speaker="s1", extra={"gender": "F"})]
    report = report_of(("a b", "a x"), ("c d", "c d"), ("e f", "f"), transcripts=transcripts,
                       confidences=[(0.9, 0.2), (0.8, 1.0), ()])
    report.groups["gender"] = group_utterances("gender", transcripts, report.score.words)
    text = text_report(report)
    assert cells(text, "F ")[:2] == ["F", "50.00"]
    assert cells(text, "M ")[:2] == ["M", "0.00"]
    assert "expected calibration error 0.125, of 4 words" in text  # (0.1 + 0.2 + 0.2 + 0) / 4
    values = json_of(report)
    assert [group["name"] for group in values["groups"]["gender"]] == ["F", "M"]
    assert values["groups"]["gender"][0]["utterances"] == 2
    assert values["wer"]["speaker_interval"] == [0.0, 0.5]  # of 2 speakers one alone, or both
    assert values["calibration_error"] == pytest.approx(0.125)


def test_an_unknown_speaker_means_no_interval_over_speakers():
    transcripts = [Transcript("a", speaker="s"), Transcript("b")]
    assert report_of(("a", "a"), ("b", "c"),
                     transcripts=transcripts).rates["wer"].speaker_interval is None


def test_the_report_says_what_the_normaliser_did_and_how_words_were_aligned():
    report = report_of(("a", "a"), alignment="sclite",
                       changes=Changes("librispeech", Path("my.glm"), 2, 1, [("A-b", "a b", 3)]))
    text = " ".join(text_report(report).split())
    assert "librispeech, then my.glm; changed 1 of 2 texts: “A-b” → “a b”" in text
    assert "costs 4, 3, 3 of substitution, deletion, insertion, as sclite" in text


def test_confused_words_stand_side_by_side():
    lines = text_report(report_of(("a b c", "a x c d"), ("b e", "x"))).splitlines()
    row = next(line for line in lines if "b → x" in line)
    assert row.split() == ["2", "b", "→", "x", "1", "e", "1", "d"]


def test_words_that_a_language_model_lacks():
    report = report_of(("a zyzzyva b", "a b c"), vocabulary=frozenset("ab"))
    text = " ".join(text_report(report).split())
    assert "1 reference words are not in the language model (zyzzyva); 1 of the 2" in text
    assert json_of(report)["unknown"] == {"words": 1, "errors": 1, "all_errors": 2,
                                          "frequent": [{"word": "zyzzyva", "count": 1}]}

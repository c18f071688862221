from pathlib import Path

from asr.score.align import score_utterances
from asr.score.groups import group_utterances
from asr.score.markdown_report import markdown_report
from asr.score.normalisation import Changes
from asr.score.report import Report
from asr.score.transcript import Transcript


def report_of(*pairs, hypothesis="h.trn"):
    score = score_utterances((f"u{i}", *pair) for i, pair in enumerate(pairs))
    transcripts = [Transcript(reference, speaker="a|b") for reference, _ in pairs]
    return Report(score, transcripts, [()] * len(pairs), Path("r.trn"), Path(hypothesis), "unit",
                  Changes("none", None, 0, 0, []), "error", [],
                  {"speaker": group_utterances("speaker", transcripts, score.words)})


def test_tables():
    lines = markdown_report(report_of(("a b c", "a x c"), ("d", "d e"))).splitlines()
    assert "| WER | 50.00 | 33.33 – 100.00 | 2 | 1 | 0 | 1 | 4 words |" in lines
    assert r"| a\|b | 50.00 | 33.33 – 100.00 | 2 | 1 | 0 | 1 | 4 |" in lines
    assert "| b → x | 1 |" in lines
    assert "- hypothesis: h.trn" in lines
    tables = [line for line in lines if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in tables} == {9, 3}


def test_hostile_text_is_inert():
    text = markdown_report(report_of(("<script>", "[x](y)\x1b[2J"), hypothesis="*a*\n# b"))
    assert "<script>" not in text.replace(r"\<script\>", "")
    assert r"\[x\](y)" in text
    assert "\x1b" not in text
    assert "\n# b" not in text


def test_no_words():
    assert "| WER | n/a | n/a | 1 | 0 | 0 | 1 | 0 words |" in markdown_report(
        report_of(("", "x"), ("", "")))

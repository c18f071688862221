"""A report in Markdown, to paste into an issue or a paper's notes."""

import re
from collections.abc import Iterable, Sequence

from asr.console import printable
from asr.score.align import Counts
from asr.score.origin import interval_text, origin
from asr.score.report import Report
from asr.score.statistics import Rate

_FREQUENT = 20  # confusions, deletions, insertions listed
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&])")


def markdown_report(report: Report) -> str:
    """Rates, how they came about, groups, and the most frequent errors, as GitHub's tables."""
    score, rates, analysis = report.score, report.rates, report.analysis
    parts = [_table(["", "%", "95 % interval", "errors", "sub", "del", "ins", "of"], [
        ["WER", *_rate(rates["wer"], score.words), f"{rates['wer'].length:,} words"],
        ["CER", *_rate(rates["cer"], score.characters), f"{rates['cer'].length:,} characters"],
        ["SER", *_rate(rates["ser"]), f"{rates['ser'].length:,} utterances"]])]
    parts.append("".join(f"- {name}: {_text(value)}\n" for name, value in origin(report)))
    for key, groups in report.groups.items():
        parts.append(f"## By {_text(key)}\n\n" + _table(
            [key, "WER %", "95 % interval", "errors", "sub", "del", "ins", "words"],
            [[group.name, *_rate(group.rate, group.counts), f"{group.rate.length:,}"]
             for group in groups]))
    for title, rows in (
            ("Substitutions", [(f"{a} → {b}", count) for a, b, count in analysis.substitutions]),
            ("Deletions", analysis.deletions), ("Insertions", analysis.insertions)):
        if rows:
            parts.append(f"## {title}\n\n" + _table(
                ["words", "times"], [[name, f"{count:,}"] for name, count in rows[:_FREQUENT]]))
    return "\n".join(parts)


def _rate(rate: Rate, counts: Counts | None = None) -> list[str]:
    kinds = ["", "", ""] if counts is None else [
        f"{kind.sum():,}" for kind in (counts.substitutions, counts.deletions, counts.insertions)]
    return ["n/a" if rate.value is None else f"{100 * rate.value:.2f}",
            interval_text(rate.interval), f"{rate.errors:,}", *kinds]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return "".join("| " + " | ".join(cells if i == 1 else map(_text, cells)) + " |\n"
                   for i, cells in enumerate(lines))


def _text(text: str) -> str:
    """Printable, and without meaning for Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", printable(text))

"""Systems side by side: whether they differ by more than chance, and where."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table
from rich.text import Text

from asr.console import printable, text_console, without_trailing_spaces
from asr.errors import AsrError
from asr.files import file_name
from asr.score.align import Score
from asr.score.origin import interval_text
from asr.score.report import Report
from asr.score.significance import (
    Difference,
    MatchedPairs,
    McNemar,
    bootstrap_difference,
    mapsswe,
    mcnemar,
    signed_rank,
    verdict,
)
from asr.score.text_report import aligned_lines

VERSION = 1
_SHOWN = 5  # utterances shown side by side


class Comparison(NamedTuple):
    """System A beside system B, by their indices."""

    a: int
    b: int
    difference: Difference
    by_speaker: Difference | None
    """With speakers drawn instead of utterances; None unless all are known."""
    matched_pairs: MatchedPairs
    signed_rank: float
    mcnemar: McNemar
    verdict: str


def compare(reports: Sequence[Report]) -> list[Comparison]:
    """Compare every two systems that were scored on the same references.

    Raises
    ------
    AsrError
        There are fewer than two, or see `asr.score.significance`.
    """
    if len(reports) < 2:
        raise AsrError("there is nothing to compare: name two or more hypothesis files")
    names = system_names(reports)
    comparisons = []
    for a, b in combinations(range(len(reports)), 2):
        one, other = reports[a].score, reports[b].score
        difference, matched = bootstrap_difference(one, other), mapsswe(one, other)
        speakers = reports[a].speakers
        by_speaker = None if speakers is None else bootstrap_difference(one, other, speakers)
        comparisons.append(Comparison(
            a, b, difference, by_speaker, matched, signed_rank(one, other), mcnemar(one, other),
            verdict(names[a], names[b], difference, matched.p)))
    return comparisons


def system_names(reports: Sequence[Report]) -> list[str]:
    """The hypothesis files' names, or their whole paths where names are equal."""
    names = [file_name(report.hypothesis.stem) for report in reports]
    return names if len(set(names)) == len(names) else [file_name(r.hypothesis) for r in reports]


def text_comparison(reports: Sequence[Report], comparisons: Sequence[Comparison],
                    colour: bool = False) -> str:
    """Rates, a verdict and the tests' figures for every two, and where the systems differ."""
    names = [printable(name) for name in system_names(reports)]
    console, buffer = text_console(colour)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "WER %", "95 % interval", "CER %", "SER %"):
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    for name, report in zip(names, reports, strict=True):
        rates = [report.rates[kind] for kind in ("wer", "cer", "ser")]
        values = ["n/a" if rate.value is None else f"{100 * rate.value:.2f}" for rate in rates]
        table.add_row(Text(name), values[0], interval_text(rates[0].interval), *values[1:])
    console.print(table)
    for comparison in comparisons:
        console.print(Text(f"\n{printable(comparison.verdict)}", style="bold"), overflow="fold")
        for line in _figures(comparison, names):
            console.print(Text(f"  {line}"), overflow="fold")
    scores = [report.score for report in reports]
    for index in _most_different(scores):
        errors = ", ".join(f"{name} {score.words.errors[index]}"
                           for name, score in zip(names, scores, strict=True))
        console.print(Text(f"\n{printable(scores[0].ids[index])}: {errors} errors", style="bold"),
                      overflow="fold")
        for name, score in zip(names, scores, strict=True):
            console.print(Text(name, style="italic"), overflow="fold")
            for aligned in aligned_lines(score.alignment(index)):
                console.print(aligned, overflow="fold")
    return without_trailing_spaces(buffer)


def _figures(comparison: Comparison, names: Sequence[str]) -> list[str]:
    a, b = names[comparison.a], names[comparison.b]
    improvement, pairs, only = (comparison.difference.improvement, comparison.matched_pairs,
                                comparison.mcnemar)
    lines = [] if improvement is None else [
        f"probability that {b} makes fewer errors: {improvement:.3f}"]
    by_speaker = comparison.by_speaker
    if by_speaker is not None and by_speaker.interval is not None:
        low, high = (f"{100 * end:.2f}" for end in by_speaker.interval)
        lines.append(f"{b} minus {a}, interval over speakers: {low} to {high}")
    return [*lines,
            f"matched pairs: {pairs.segments:,} segments, z = {pairs.z:.3f}, {_p(pairs.p)}",
            f"signed rank of utterances: {_p(comparison.signed_rank)}",
            f"McNemar: {only.only_a_right:,} utterances right only by {a}, "
            f"{only.only_b_right:,} only by {b}, {_p(only.p)}"]


def _p(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def _most_different(scores: Sequence[Score]) -> list[int]:
    """Up to `_SHOWN` utterances whose numbers of errors differ, by most first."""
    gap = np.ptp([score.words.errors for score in scores], axis=0)
    return [int(i) for i in np.argsort(-gap, kind="stable")[:_SHOWN] if gap[i]]


def json_comparison(reports: Sequence[Report], comparisons: Sequence[Comparison]
                    ) -> dict[str, Any]:
    """What `text_comparison` says, for programs; docs/scoring.md lists the keys."""
    names = system_names(reports)
    return {
        "schema": "asr.compare", "version": VERSION,
        "reference": file_name(reports[0].reference),
        "systems": [{"name": name, "hypothesis": file_name(report.hypothesis),
                     **{kind: {"rate": rate.value, "interval": rate.interval}
                        for kind, rate in report.rates.items()}}
                    for name, report in zip(names, reports, strict=True)],
        "comparisons": [{
            "a": names[c.a], "b": names[c.b], "verdict": c.verdict,
            "difference": c.difference._asdict(),
            "speaker_interval": c.by_speaker and c.by_speaker.interval,
            "matched_pairs": c.matched_pairs._asdict(), "signed_rank": {"p": c.signed_rank},
            "mcnemar": c.mcnemar._asdict(),
        } for c in comparisons],
    }

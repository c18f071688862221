"""Plots of a report as SVG to put inside a page; the same numbers give the same bytes."""

import io
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from asr.console import printable
from asr.score.confidence import BINS, WordConfidences, calibration_error
from asr.score.groups import Group, group_utterances
from asr.score.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 40
"""No plot shows more groups."""
_NAME = 24  # characters of a group's name
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#767676"  # apart for the colour-blind as well


def plotted(report: Report) -> dict[str, Sequence[Group]]:
    """Groups by name: the speakers with most words, lengths, and whatever was asked for."""
    groups: dict[str, Sequence[Group]] = {}
    if any(transcript.speaker is not None for transcript in report.transcripts):
        speakers = {transcript.speaker for transcript in report.transcripts}
        some = f" (the {ROWS} with most words)" if len(speakers) > ROWS else ""
        groups["speaker" + some] = _speakers(report)
    groups["words in the reference"] = group_utterances("length", report.transcripts,
                                                        report.score.words)
    return groups | {key: found for key, found in report.groups.items()
                     if key not in ("speaker", "length")}


def _speakers(report: Report) -> list[Group]:
    """The speakers with most words, highest error rate first."""
    groups = group_utterances("speaker", report.transcripts, report.score.words)
    most = sorted(groups, key=lambda group: -group.rate.length)[:ROWS]
    return sorted(most, key=lambda group: -(group.rate.value or 0.0))


def rates(groups: Sequence[Group], overall: float, name: str) -> str:
    """Word error rates with intervals, one row each; of many groups those with most words.

    Parameters
    ----------
    overall : float
        The rate of all utterances, drawn as a line.
    name : str
        Another one for each plot of a page: their ids must differ.
    """
    most = sorted(range(len(groups)), key=lambda i: -groups[i].rate.length)[:ROWS]
    shown = [groups[i] for i in sorted(most) if groups[i].rate.length]
    figure = _figure(0.8 + 0.2 * len(shown))
    axes = figure.subplots()
    for row, group in enumerate(shown):
        if group.rate.interval is not None:
            low, high = group.rate.interval
            axes.hlines(row, 100 * low, 100 * high, color=_BLUE)
    axes.plot([100 * (group.rate.value or 0.0) for group in shown], range(len(shown)), "o",
              color=_BLUE, markersize=5)
    axes.axvline(100 * overall, color=_ORANGE, linestyle="--", linewidth=1,
                 label=f"all: {100 * overall:.2f} %")
    figure.legend(loc="outside upper right", frameon=False)
    axes.set_yticks(range(len(shown)), [_label(group) for group in shown], parse_math=False)
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel="WER (%), with 95 % interval"
             + (f"; the {ROWS} with most words" if len(groups) > ROWS else ""))
    axes.set_xlim(left=0)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    return _svg(figure, name)


def reliability(words: WordConfidences, name: str) -> str:
    """The share of words that is right beside the confidence, and how many words there are."""
    bins = np.minimum((words.confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    some = count > 0
    confidence, right = (np.bincount(bins, values, BINS)[some] / count[some]
                         for values in (words.confidence, words.correct))
    figure = _figure(4.8)
    axes, histogram = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    axes.plot([0, 1], [0, 1], "--", color=_GREY, linewidth=1, label="as it should be")
    axes.plot(confidence, right, "o-", color=_BLUE, markersize=5, label=f"words, in {BINS} bins")
    axes.set(ylabel="share right", ylim=(0, 1.02),
             title=f"Expected calibration error {calibration_error(words):.3f}")
    axes.legend(frameon=False)
    axes.grid(color="#dddddd")
    histogram.bar((np.arange(BINS) + 0.5) / BINS, count, 0.9 / BINS, color=_BLUE)
    histogram.set(xlabel="confidence", ylabel="words", xlim=(0, 1))
    return _svg(figure, name)


def _figure(height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(6, height), layout="constrained")


def _label(group: Group) -> str:
    name = group.name if len(group.name) <= _NAME else group.name[:_NAME - 1] + "…"
    return printable(f"{name} ({group.rate.length:,})")


def _svg(figure: "Figure", name: str) -> str:
    """The figure's SVG element, with text as text, and only the ids that it refers to."""
    import matplotlib

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    text = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), \
            warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # browsers have other fonts
        figure.savefig(text, format="svg", metadata=nothing)
    svg = re.sub('<g id="[^"]*"', "<g", text.getvalue())
    return svg[svg.index("<svg "):].replace("<svg ", '<svg role="img" ', 1)

"""A score for people (text) and programs (JSON, .trn)."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asr.files import atomic_folder
from asr.score import statistics
from asr.score.align import Counts, Score
from asr.score.pairs import Missing
from asr.score.statistics import Rate, rate
from asr.score.trn import write_trn

FILES = ("report.txt", "report.json", "ref.trn", "hyp.trn")
_KEYS = ("length", "substitutions", "deletions", "insertions")
_WIDTH = 80
_WORST = 10  # utterances shown
_LINE = 70  # columns of aligned words in one line
_JOINERS = "\u200c\u200d"  # zero width, unprintable to Python, at home in Persian and Hindi words


@dataclass(frozen=True)
class Report:
    """A score with how it came about."""

    score: Score
    reference: Path
    hypothesis: Path
    normaliser: str
    """What was done to both sides' texts, see `asr.text.normalise`."""
    missing: Missing
    missing_ids: list[str]
    """References without hypothesis, counted as deleted."""

    @cached_property
    def rates(self) -> dict[str, Rate]:
        """Word, character and sentence error rate: `wer`, `cer`, `ser`."""
        words, characters = self.score.words, self.score.characters
        wrong = (words.errors > 0).astype(np.int64)
        return {"wer": rate(words.errors, words.length),
                "cer": rate(characters.errors, characters.length),
                "ser": rate(wrong, np.ones_like(wrong))}


def write_report(report: Report, folder: Path) -> None:
    """Write report.txt, report.json, ref.trn and hyp.trn into `folder`, all or nothing.

    An earlier report there is replaced; a folder that holds anything else is an `AsrError`.
    """
    score = report.score
    with atomic_folder(folder.resolve(), FILES) as new:
        (new / "report.txt").write_text(text_report(report), encoding="utf-8")
        (new / "report.json").write_text(json_report(report) + "\n", encoding="utf-8")
        write_trn(new / "ref.trn", zip(score.ids, score.references, strict=True))
        write_trn(new / "hyp.trn", zip(score.ids, score.hypotheses, strict=True))


def json_report(report: Report) -> str:
    """One JSON object: origin, rates with their intervals, and every utterance's counts.

    Rates are fractions, null where the references hold nothing to divide by.
    """
    score = report.score
    words, characters = (_columns(counts) for counts in (score.words, score.characters))
    return json.dumps({
        "schema": "asr.score", "version": 1,
        "reference": str(report.reference),
        "hypothesis": str(report.hypothesis),
        "normaliser": report.normaliser,
        "missing": {"policy": report.missing, "ids": report.missing_ids},
        "bootstrap": {"unit": "utterance", "confidence": statistics.CONFIDENCE,
                      "resamples": statistics.RESAMPLES, "seed": statistics.SEED},
        "wer": _json_rate(report.rates["wer"], score.words),
        "cer": _json_rate(report.rates["cer"], score.characters),
        "ser": _json_rate(report.rates["ser"]),
        "utterances": [
            {"id": utterance, "words": dict(zip(_KEYS, w, strict=True)),
             "characters": dict(zip(_KEYS, c, strict=True))}
            for utterance, w, c in zip(score.ids, words, characters, strict=True)],
    }, ensure_ascii=False)


def _columns(counts: Counts) -> list[list[int]]:
    return np.stack([getattr(counts, key) for key in _KEYS], axis=1).tolist()


def _json_rate(rate: Rate, counts: Counts | None = None) -> dict[str, Any]:
    values = {"rate": rate.value, "interval": rate.interval, "errors": rate.errors,
              "length": rate.length}
    if counts is not None:
        values |= {key: int(getattr(counts, key).sum()) for key in _KEYS[1:]}
    return values


def text_report(report: Report, colour: bool = False) -> str:
    """A table of the rates, how they came about, and the worst utterances, 80 columns wide."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=_WIDTH, force_terminal=colour, highlight=False,
                      color_system="standard" if colour else None, legacy_windows=False)
    console.print(_rate_table(report))
    console.print()
    console.print(_origin(report))
    worst = report.score.worst(_WORST)
    if worst:
        console.print(f"\nWorst utterances ({len(worst)} of {report.rates['ser'].errors} with "
                      "errors)")
    for index in worst:
        length, *edits = (getattr(report.score.words, key)[index] for key in _KEYS)
        console.print(Text("\n{}: {} sub, {} del, {} ins, words {}".format(
            _printable(report.score.ids[index]), *edits, length), style="bold"), overflow="fold")
        for line in _aligned_lines(report.score.alignment(index)):
            console.print(line, overflow="fold")
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())


def _rate_table(report: Report) -> Table:
    rates, score = report.rates, report.score
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "%", "95 % interval", "errors", "sub", "del", "ins", "of"):
        table.add_column(heading, justify="left" if heading in ("", "of") else "right")
    rows = (("wer", score.words, "words"), ("cer", score.characters, "chars"),
            ("ser", None, "utterances"))
    for name, counts, kind in rows:
        rate = rates[name]
        parts = ["", "", ""] if counts is None else [
            f"{part.sum():,}" for part in (counts.substitutions, counts.deletions,
                                           counts.insertions)]
        table.add_row(name.upper(), "n/a" if rate.value is None else f"{100 * rate.value:.2f}",
                      "n/a" if rate.interval is None
                      else " – ".join(f"{100 * end:.2f}" for end in rate.interval),
                      f"{rate.errors:,}", *parts, f"{rate.length:,} {kind}",
                      style="bold" if name == "wer" else "")
    return table


def _origin(report: Report) -> Table:
    count = len(report.score.ids)
    missing = len(report.missing_ids)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rows = [("reference", str(report.reference)), ("hypothesis", str(report.hypothesis)),
            ("normaliser", report.normaliser)]
    if report.missing == "deletions":
        rows.append(("missing", f"{missing} of {count} utterances had no hypothesis and count as "
                                "all deleted"))
    if report.rates["wer"].value is None:
        rows.append(("no rate", "the references hold no words"))
    rows.append(("interval", f"{statistics.RESAMPLES:,} bootstrap resamples of utterances, seed "
                             f"{statistics.SEED}"))
    rows.append(("characters", "Unicode code points, single spaces between words included"))
    for name, value in rows:
        table.add_row(name, Text(_printable(value)))
    return table


def _aligned_lines(alignment: list[tuple[str | None, str | None]]) -> Iterator[Text]:
    """Lines `REF`, `HYP` and one that marks S, D and I, again and again for a long utterance."""
    lines = _new_lines()
    for reference, hypothesis in alignment:
        expected, found = (None if word is None else _printable(word)
                           for word in (reference, hypothesis))
        width = max(cell_len(expected or ""), cell_len(found or ""))
        if reference == hypothesis:
            mark, style = "", ""
        elif reference is None:
            mark, style = "I", "green"
        elif hypothesis is None:
            mark, style = "D", "red"
        else:
            mark, style = "S", "yellow"
        if lines[0].cell_len + width > _LINE and len(lines[0]) > len("REF "):
            yield from lines
            lines = _new_lines()
        for line, word in zip(lines, (expected, found, mark), strict=True):
            word = "*" * width if word is None else word
            line.append(word + " " * (width - cell_len(word) + 1), style)
    yield from lines


def _new_lines() -> tuple[Text, Text, Text]:
    return Text("REF "), Text("HYP "), Text("    ")


def _printable(text: str) -> str:
    """Without what would steer a terminal: escapes, controls, changes of direction."""
    return "".join(c if c.isprintable() or c in _JOINERS else "\ufffd" for c in text)

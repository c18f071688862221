"""A report for people: tables and aligned words, 80 columns wide."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from asr.console import printable, text_console, without_trailing_spaces
from asr.score.align import Counts, Pair
from asr.score.groups import Group
from asr.score.origin import interval_text, origin
from asr.score.report import Report
from asr.score.statistics import Rate

_WORST = 10  # utterances shown
_FREQUENT = 10  # confusions, deletions, insertions shown
_LINE = 70  # columns of aligned words in one line
_CELL = 24  # columns of a name or a pair of words in a table


def text_report(report: Report, colour: bool = False) -> str:
    """Rates, how they came about, groups, confused words and the worst utterances."""
    console, buffer = text_console(colour)
    console.print(_rate_table(report))
    console.print()
    console.print(_origin(report))
    for key, groups in report.groups.items():
        console.print(Text(f"\nBy {printable(key)}", style="bold"))
        console.print(_group_table(groups))
    if report.rates["wer"].errors:
        console.print()
        console.print(_confusion_table(report))
    worst = report.score.worst(_WORST)
    if worst:
        console.print(f"\nWorst utterances ({len(worst)} of {report.rates['ser'].errors} with "
                      "errors)")
    for index in worst:
        words = report.score.words
        console.print(Text(
            f"\n{printable(report.score.ids[index])}: {words.substitutions[index]} sub, "
            f"{words.deletions[index]} del, {words.insertions[index]} ins, words "
            f"{words.length[index]}", style="bold"), overflow="fold")
        for line in aligned_lines(report.score.alignment(index)):
            console.print(line, overflow="fold")
    return without_trailing_spaces(buffer)


def _rate_table(report: Report) -> Table:
    rates, score = report.rates, report.score
    table = _table("", "%", "95 % interval", "errors", "sub", "del", "ins", "of")
    rows = (("wer", score.words, "words"), ("cer", score.characters, "chars"),
            ("ser", None, "utterances"))
    for name, counts, kind in rows:
        rate = rates[name]
        parts = ["", "", ""] if counts is None else _totals(counts)
        table.add_row(name.upper(), *_percent(rate), f"{rate.errors:,}", *parts,
                      f"{rate.length:,} {kind}", style="bold" if name == "wer" else "")
    return table


def _table(*headings: str) -> Table:
    """Without lines; what has no heading, and what counts something, stands on the left."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("", "of") else "right")
    return table


def _percent(rate: Rate) -> tuple[str, str]:
    value = "n/a" if rate.value is None else f"{100 * rate.value:.2f}"
    return value, interval_text(rate.interval)


def _totals(counts: Counts) -> list[str]:
    return [f"{part.sum():,}" for part in (counts.substitutions, counts.deletions,
                                           counts.insertions)]


def _group_table(groups: Sequence[Group]) -> Table:
    table = _table("", "WER %", "95 % interval", "errors", "sub", "del", "ins", "words")
    for group in groups:
        table.add_row(Text(_short(group.name)), *_percent(group.rate), f"{group.rate.errors:,}",
                      *_totals(group.counts), f"{group.rate.length:,}")
    return table


def _confusion_table(report: Report) -> Table:
    """The most frequent substitutions, deletions and insertions, side by side."""
    analysis = report.analysis
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "substituted", "", "deleted", "", "inserted"):
        table.add_column(heading, justify="left" if heading else "right")
    columns = [[(f"{expected} → {found}", count)
                for expected, found, count in analysis.substitutions[:_FREQUENT]],
               analysis.deletions[:_FREQUENT], analysis.insertions[:_FREQUENT]]
    for row in range(max(map(len, columns))):
        cells: list[Text] = []
        for column in columns:
            text, count = column[row] if row < len(column) else ("", 0)
            cells += [Text(f"{count:,}" if count else ""), Text(_short(text))]
        table.add_row(*cells)
    return table


def _short(name: str) -> str:
    """Printable, and no wider than a cell."""
    text = Text(printable(name))
    text.truncate(_CELL, overflow="ellipsis")
    return text.plain


def _origin(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in origin(report):
        table.add_row(name, Text(printable(value)))
    return table


def aligned_lines(alignment: list[Pair]) -> Iterator[Text]:
    """Lines `REF`, `HYP` and one that marks S, D and I, again and again for a long utterance."""
    lines = _new_lines()
    for reference, hypothesis in alignment:
        expected, found = (None if word is None else printable(word)
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

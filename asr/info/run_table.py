"""Trainings side by side, for people."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from asr.console import printable
from asr.train.runs import Run, differing

_WIDTH = 80
_WIDEST = 24  # columns of a training; longer names and values are folded
_GAP = 2
_RESULTS = (
    ("epochs", "epochs", "{epochs} of {of}"),
    ("hours", "hours", "{hours:.2f}"),
    ("parameters", "parameters", "{parameters:,}"),
    ("lowest dev WER", "best_wer", "{best_wer:.2%}"),
    ("in epoch", "best_epoch", "{best_epoch}"),
    ("last dev WER", "last_wer", "{last_wer:.2%}"),
    ("averaged model's WER", "averaged_wer", "{averaged_wer:.2%}"),
    ("lowest dev CER", "best_cer", "{best_cer:.2%}"),
    ("last dev CER", "last_cer", "{last_cer:.2%}"),
    ("averaged model's CER", "averaged_cer", "{averaged_cer:.2%}"),
    ("lowest dev loss", "best_loss", "{best_loss:.3f}"),
    ("last dev loss", "last_loss", "{last_loss:.3f}"))  # label, key in `Run.results`, how written


def run_tables(runs: dict[str, Run]) -> Iterator[Table]:
    """A column for each training: what it was told otherwise than the others, and its results.

    Of a single one the settings are those that are not the defaults. Trainings that do not fit
    beside the others follow in another table.
    """
    results = [run.results() for run in runs.values()]
    rows = [(name, [_written(value) for value in values])
            for name, values in differing([run.settings for run in runs.values()]).items()
            if name != "epochs"]  # which stands among the results
    for key in ("training_data", "development_data"):
        if len({result[key] for result in results}) > 1:
            rows.append((key.replace("_", " "), [_written(result[key]) for result in results]))
    if rows:
        rows.append(("", [""] * len(runs)))
    rows += [(label, ["–" if r[key] is None else form.format(**r) for r in results])
             for label, key, form in _RESULTS]
    names = [printable(name) for name in runs]
    label_width = max(cell_len(label) for label, _ in rows)
    widths = [min(_WIDEST, max(map(cell_len, [name, *(cells[i] for _, cells in rows)])))
              for i, name in enumerate(names)]
    for columns in _fitting(widths, _WIDTH - label_width):
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        table.add_column("", no_wrap=True)
        for i in columns:
            table.add_column(Text(names[i]), justify="right", overflow="fold", max_width=widths[i])
        for label, cells in rows:
            table.add_row(label, *(Text(cells[i]) for i in columns))
        yield table


def _written(value: Any) -> str:
    return "–" if value is None else printable(str(value))


def _fitting(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Neighbouring columns that have room beside each other, at least one at a time."""
    columns: list[int] = []
    for i, width in enumerate(widths):
        if columns and sum(widths[j] + _GAP for j in columns) + _GAP + width > room:
            yield columns
            columns = []
        columns.append(i)
    if columns:
        yield columns

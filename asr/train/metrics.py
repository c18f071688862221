"""What a training says of itself: a line per epoch, metrics.jsonl, TensorBoard, a picture."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.errors import AsrError
from asr.files import atomic_write, cannot_write, read_lines
from asr.progress import log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = dict[str, Any]
# Told apart with any colour vision: Okabe and Ito (2008), with wine for yellow, faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#882255")
_MARKERS = "os^Dv"


def report(folder: Path, history: Sequence[Record]) -> None:
    """Say the newest record, and write all of them anew: an interrupted epoch leaves no trace."""
    log(describe(history[-1]))
    with atomic_write(folder / "metrics.jsonl") as file:
        for record in history:
            file.write(json.dumps(record) + "\n")
    try:
        _tensorboard(folder / "tensorboard", history[-1])
    except OSError as error:
        raise cannot_write(folder / "tensorboard", error) from error
    plot_curves(folder / "curves.png", history)


def describe(record: Record) -> str:
    """One line for people."""
    return (f"epoch {record['epoch']:3d}  loss {record['train_loss']:.3f}  "
            f"dev loss {record['dev_loss']:.3f}  CER {100 * record['dev_cer']:.2f} %  "
            f"WER {100 * record['dev_wer']:.2f} %  lr {record['learning_rate']:.2e}  "
            f"{record['seconds']:.0f} s  {record['hours_per_hour']:.0f} h/h  "
            f"waiting {100 * record['waiting']:.1f} %")


def _tensorboard(folder: Path, record: Record) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for name, value in record.items():
            if name != "epoch":
                writer.add_scalar(name, value, record["epoch"])


def read_metrics(path: Path) -> list[Record]:
    """The records of metrics.jsonl.

    Raises
    ------
    AsrError
        A line is no record of an epoch; it is named.
    """
    history = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            record = json.loads(line)
            describe(record)  # needs all of it
        except (ValueError, KeyError, TypeError):
            raise AsrError(f"{path}:{number}: not the record of an epoch; with --resume `asr "
                           "train` writes the file anew after its next epoch") from None
        history.append(record)
    return history


def plot_curves(path: Path, history: Sequence[Record]) -> None:
    """Draw a training's losses and error rates over epochs into a PNG file."""
    epochs = [record["epoch"] for record in history]
    with _panels(path, (9, 3.5)) as (losses, rates):
        losses.plot(epochs, [r["train_loss"] for r in history], label="training (augmented)")
        losses.plot(epochs, [r["dev_loss"] for r in history], label="development")
        rates.plot(epochs, [100 * r["dev_wer"] for r in history], label="word error rate")
        rates.plot(epochs, [100 * r["dev_cer"] for r in history], label="character error rate")
        for axes in (losses, rates):
            axes.set_ylim(0, None)
            axes.legend(frameon=False)


def plot_runs(path: Path, runs: Mapping[str, Sequence[Record]]) -> None:
    """Draw losses and word error rates of several trainings over epochs into a PNG file.

    Both axes are logarithmic, so that what differs late is seen as well as what differs early.

    Parameters
    ----------
    runs : mapping of str to sequence of Record
        The history of each by its name.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import AutoLocator, LogLocator, NullLocator

    with _panels(path, (12, 5)) as (losses, rates):
        lines: list[Line2D] = []
        for (name, history), colour, marker in zip(runs.items(), cycle(COLOURS), cycle(_MARKERS)):
            epochs = [record["epoch"] for record in history]
            style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4,
                                     "markevery": max(1, len(epochs) // 8)}
            lines += losses.plot(epochs, [r["dev_loss"] for r in history], label=name, **style)
            losses.plot(epochs, [r["train_loss"] for r in history], ":", color=colour)
            rates.plot(epochs, [100 * r["dev_wer"] for r in history], label=name, **style)
        losses.legend([Line2D([], [], color="0.3", linestyle=style) for style in ("-", ":")],
                      ["development", "training (augmented)"], frameon=False)
        rates.set_ylabel("development WER, greedy (%)")
        for axes in (losses, rates):
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7))
                                         if high > 3 * low else AutoLocator())
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
        losses.figure.legend(handles=lines, loc="outside right upper", frameon=False)


@contextmanager
def _panels(path: Path, size: tuple[float, float]) -> "Iterator[tuple[Axes, Axes]]":
    """Axes over epochs for losses and for error rates, side by side, of a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    losses, rates = figure.subplots(1, 2)
    losses.set(xlabel="epoch", ylabel="CTC loss (nats per label)")
    rates.set(xlabel="epoch", ylabel="development, greedy (%)")
    yield losses, rates
    for axes in (losses, rates):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format="png", dpi=120)

"""What a training says of itself: a line per epoch, metrics.jsonl, TensorBoard, a picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asr.files import atomic_write
from asr.progress import log

Record = dict[str, Any]


def report(folder: Path, history: Sequence[Record]) -> None:
    """Say the newest record, and write all of them anew: an interrupted epoch leaves no trace."""
    log(describe(history[-1]))
    with atomic_write(folder / "metrics.jsonl") as file:
        for record in history:
            file.write(json.dumps(record) + "\n")
    _tensorboard(folder / "tensorboard", history[-1])
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


def plot_curves(path: Path, history: Sequence[Record]) -> None:
    """Draw losses and error rates over epochs into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    epochs = [record["epoch"] for record in history]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    losses, rates = figure.subplots(1, 2)
    losses.plot(epochs, [r["train_loss"] for r in history], label="training (augmented)")
    losses.plot(epochs, [r["dev_loss"] for r in history], label="development")
    losses.set(xlabel="epoch", ylabel="CTC loss (nats per label)", ylim=(0, None))
    rates.plot(epochs, [100 * r["dev_wer"] for r in history], label="word error rate")
    rates.plot(epochs, [100 * r["dev_cer"] for r in history], label="character error rate")
    rates.set(xlabel="epoch", ylabel="development, greedy (%)", ylim=(0, None))
    for axes in (losses, rates):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format="png", dpi=120)

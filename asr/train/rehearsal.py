"""What a training will take, before it starts."""

from pathlib import Path

import numpy as np
import torch

from asr.train.loop import Trainer

_TIMED = 6  # batches from short to long utterances, after the first, which warms up


def rehearse(trainer: Trainer) -> str:
    """Shapes of an epoch's batches, peak memory and time, from a few steps; nothing is written.

    Returns
    -------
    str
        Lines for people. An epoch's time is without development; a step's is taken to be
        proportional to its frames, padding included.
    """
    lengths = trainer.training.lengths
    plan = trainer.plan()
    sizes = np.array([len(batch) for batch in plan])
    longest = np.array([lengths[batch].max() for batch in plan])
    padded, frames = sizes * longest, sum(int(lengths[batch].sum()) for batch in plan)
    largest = trainer.try_largest_batch()
    by_length = np.argsort(longest, kind="stable")
    timed = by_length[np.linspace(0, len(plan) - 1, min(_TIMED, len(plan))).round().astype(int)]
    seconds = trainer.step_seconds([plan[i] for i in (timed[-1], *timed)])[1:]
    epoch = sum(seconds) / padded[timed].sum() * padded.sum()
    hours = frames * trainer.training.store.config.frame_shift / 3600
    return "".join(f"{line}\n" for line in (
        f"batches an epoch   {len(plan):,}",
        f"utterances each    {_spread(sizes)}",
        f"frames, padded     {_spread(padded)}",
        f"padding            {100 * (1 - frames / padded.sum()):.1f} %",
        f"largest batch      {len(largest)} utterances, up to {lengths[largest].max():,} frames",
        f"peak memory        {_peak_memory(trainer.processes.device)}",
        f"an epoch           {epoch:,.0f} s, {hours / (epoch / 3600):,.0f} hours of speech an hour",
        f"{trainer.config.epochs} epochs".ljust(19)
        + f"{trainer.config.epochs * epoch / 3600:.1f} h, development not included"))


def _spread(values: np.ndarray) -> str:
    low, middle, high = (f"{round(value):,}" for value in np.quantile(values, (0, 0.5, 1)))
    return f"{low} to {high}, half of them up to {middle}"


def _peak_memory(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB of the GPU's"
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # not Linux
        return "not known here"
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    return f"{int(kilobytes) * 1024 / 1e9:.2f} GB of the process"

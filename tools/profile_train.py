#!/usr/bin/env python
"""Where the time of a training step goes: torch's profiler over real steps of a real store.

    python tools/profile_train.py TRAIN_STORE DEV_STORE [--config FILE.yaml] [--steps 4]
                                  [--picture step.svg] [--trace step.json] [key=value ...]

Prints the share of each kind of operation, and of the time in which the device worked at all; the
trace can be looked at in a browser (chrome://tracing, ui.perfetto.dev). On a GPU the time is that
of its kernels, otherwise that of the operations on the processor. Batches are drawn evenly from
short to long; the first step is left out.
"""

import asr  # noqa: F401, I001  # before torch: a layer's directions share the cores, as in trainings

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from asr.config import load_config
from asr.features.store import Store
from asr.train.config import TrainConfig
from asr.train.loop import Trainer
from asr.train.stage import prepare_training

KINDS = {  # the first whose word is in an operation's or kernel's name
    "recurrent layers": ("rnn", "lstm", "gru", "recurrence"),
    "convolutions": ("conv", "wgrad", "dgrad", "fprop", "nhwc"),  # the last four are cuDNN's
    "CTC loss": ("ctc",),
    "other products": ("mm", "gemm", "cutlass", "matmul", "nvjet"),  # the last is cuBLAS's
    "normalisation": ("layer_norm", "rms_norm", "layernorm"),
    "optimiser": ("adam", "muon", "sgd", "foreach", "multi_tensor"),
    "copies, casts, gathers": ("copy", "cat", "index", "gather", "scatter", "to_copy", "memcpy",
                               "memset", "fill", "transpose"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--trace", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args()
    training = Store.open(options.train)
    trainer = prepare_training(Path(), training, Store.open(options.dev, training.config),
                               load_config(TrainConfig, options.config, options.overrides),
                               None).trainer
    plan = batches(trainer, options.steps)
    trainer.step_seconds(plan[:1])
    cuda = trainer.processes.device.type == "cuda"
    start = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda]) as profiler:
        trainer.step_seconds(plan)
    seconds = time.perf_counter() - start
    times = by_kind(profiler, cuda)
    busy = sum(times.values())
    print(f"{options.steps} steps, {1000 * seconds / options.steps:.0f} ms each, profiled; "
          f"{'the GPU works' if cuda else 'in operations'} {100 * busy / seconds:.0f} % of it")
    for kind, spent in times.most_common():
        print(f"{kind:24}{1000 * spent / options.steps:9.1f} ms{100 * spent / busy:7.1f} %")
    if options.trace:
        profiler.export_chrome_trace(str(options.trace))
    if options.picture:
        draw(options.picture, times, options.steps, "kernels" if cuda else "operations")


def batches(trainer: Trainer, steps: int) -> list[list[int]]:
    """Of an epoch, evenly from short to long utterances."""
    plan = sorted(trainer.plan(), key=lambda batch: trainer.training.lengths[batch].max())
    return [plan[i] for i in np.linspace(0, len(plan) - 1, steps).round().astype(int)]


def by_kind(profiler: profile, cuda: bool) -> Counter[str]:
    """Seconds in operations by kind, those inside others not counted twice."""
    times: Counter[str] = Counter()
    for event in profiler.key_averages():
        # An operation has its kernels' time as well.
        if event.device_type != (DeviceType.CUDA if cuda else DeviceType.CPU):
            continue
        spent = event.self_device_time_total if cuda else event.self_cpu_time_total
        name = event.key.lower()
        kind = next((kind for kind, words in KINDS.items() if any(w in name for w in words)),
                    "all else")
        times[kind] += spent / 1e6
    return times


def draw(path: Path, times: Counter[str], steps: int, what: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.subplots()
    names = [name for name, _ in times.most_common()]
    spent = [1000 * times[name] / steps for name in names]
    bars = axes.barh(names, spent, color="#0072b2")
    axes.bar_label(bars, [f"{100 * value / sum(spent):.0f} %" for value in spent], padding=3)
    axes.invert_yaxis()
    axes.set(xlabel="milliseconds", title=f"A training step: {sum(spent):.0f} ms in {what}")
    axes.set_xlim(0, 1.15 * max(spent))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    main()

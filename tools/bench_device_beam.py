#!/usr/bin/env python
"""Time beam search in tensors, batch by batch, and the compiled search of the same posteriors.

Posteriors are made up, like a trained network's: spikes of one or two frames with blanks between,
one in ten of them doubtful; 29 units, frames of 20 ms. The pruning is the default one. The compiled
search runs on one core and on all. Both are without a language model, words and times; the time of
a batch includes reading the labellings off on the CPU.

    python tools/bench_device_beam.py [--device cuda] [--batches 1 8 32 128] [--beams 16 100]
"""

import argparse
import time
from functools import partial

import numpy as np
import torch

from asr.decode.beam import Labelling, beam_search
from asr.decode.config import DecodeConfig
from asr.decode.device_beam import device_beam_search
from asr.parallel import cores, ordered_map

UNITS = 29
FRAME_SHIFT = 0.02


def made_up(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Log posteriors, shape (frames, UNITS)."""
    starts = np.sort(rng.choice(frames // 3, frames // 4, replace=False)) * 3
    labels = rng.integers(1, UNITS, len(starts))
    logits = rng.normal(0, 1.5, (frames, UNITS))
    target = np.zeros(frames, int)
    target[starts] = labels
    lasting = rng.random(len(starts)) < 0.3
    target[starts[lasting] + 1] = labels[lasting]
    logits[np.arange(frames), target] += 10
    doubtful = starts[rng.random(len(starts)) < 0.1]
    logits[doubtful, rng.integers(0, UNITS, len(doubtful))] += 10
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits.astype(np.float32)


def seconds(work, repeats: int) -> float:
    """The best of some runs, which other programs have disturbed least."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def compiled(limits: tuple, posteriors: list[np.ndarray], threads: int) -> list[list[Labelling]]:
    return list(ordered_map(lambda rows: list(beam_search(rows, *limits)), posteriors, threads))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--beams", type=int, nargs="+", default=[16, 100])
    parser.add_argument("--frames", type=int, default=506)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    posteriors = [made_up(options.frames, rng) for _ in range(max(options.batches))]
    there = [torch.from_numpy(rows).to(options.device) for rows in posteriors]
    name = (torch.cuda.get_device_name(options.device) if options.device.startswith("cuda")
            else options.device)
    print(f"utterances of {options.frames * FRAME_SHIFT:.0f} s, {UNITS} units; tensors on "
          f"{name}, {cores()} cores\n{'':32}{'ms/utt':>10}{'RTF':>12}")

    def row(title: str, utterances: int, duration: float) -> None:
        each = duration / utterances
        print(f"{title:32}{1e3 * each:10.3f}{each / (options.frames * FRAME_SHIFT):12.6f}",
              flush=True)

    defaults = DecodeConfig()
    for beam in options.beams:
        limits = (beam, defaults.threshold, defaults.min_posterior, defaults.sure_blank)
        expected = compiled(limits, posteriors, cores())
        for threads in sorted({1, cores()}):
            work = partial(compiled, limits, posteriors, threads)
            row(f"beam {beam}, compiled, {threads} threads", len(posteriors),
                seconds(work, options.repeats))
        for size in options.batches:
            found = device_beam_search(there[:size], *limits)  # also loads the device's kernels
            same = sum(ours[0].labels.tolist() == theirs[0].labels.tolist()
                       for ours, theirs in zip(found, expected, strict=False))
            row(f"beam {beam}, batches of {size}", size,
                seconds(partial(device_beam_search, there[:size], *limits), options.repeats))
            if same < size:
                print(f"  {size - same} of {size} best labellings differ")


if __name__ == "__main__":
    main()

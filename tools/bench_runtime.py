#!/usr/bin/env python
"""Time the network of a bundle on the processor, in ONNX Runtime and in torch.

    python tools/bench_runtime.py [--model BUNDLE] [--threads 1 2] [--repeat 5]

Random frames in batches of several sizes; lengths within a batch vary by a tenth. Shown is the best
of --repeat turns, the runtimes in turn, in milliseconds and as seconds for a second of speech, and
the largest difference of a log posterior from torch's in float32. bfloat16 is torch's autocast;
int8 is ONNX Runtime's dynamic quantisation of matrices and LSTM to 8 bits.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from asr.model.bundle import Bundle

SIZES = [(1, 500), (8, 1000), (24, 500)]  # utterances, frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a bundle; the package's own by default")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    for threads in options.threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        measure(options.model, threads, options.repeat)


def measure(model: Path | None, threads: int, repeat: int) -> None:
    import torch

    from asr.model.bundle import load_bundle, packaged_bundle
    from asr.model.inference import log_posteriors

    torch.set_num_threads(threads)
    bundle = load_bundle(model or packaged_bundle())
    features = bundle.config.features

    def bfloat16(frames: list[np.ndarray], statistics: np.ndarray) -> list[np.ndarray]:
        with torch.autocast("cpu", torch.bfloat16):
            return log_posteriors(bundle.network, frames, statistics)

    runtimes: dict[str, Callable] = {
        "torch": lambda *batch: log_posteriors(bundle.network, *batch),
        "torch, bfloat16": bfloat16,
        "ONNX Runtime": bundle.log_posteriors,
        "ONNX Runtime, int8": quantised(bundle, threads),
    }
    random = np.random.default_rng(0)
    for count, frames in SIZES:
        lengths = random.integers(round(0.9 * frames), frames + 1, count)
        batch = ([random.standard_normal((n, features.dimension)).astype(np.float16)
                  for n in lengths],
                 np.tile(np.array([[0.0], [1.0]], np.float32), (count, 1, features.dimension)))
        seconds = lengths.sum() * features.frame_shift
        expected = runtimes["torch"](*batch)
        best = dict.fromkeys(runtimes, np.inf)
        difference = {}
        for turn in range(repeat + 1):
            for name, run in runtimes.items():
                start = time.perf_counter()
                found = run(*batch)
                took = time.perf_counter() - start
                if turn:
                    best[name] = min(best[name], took)
                difference[name] = max(np.abs(f - e).max()
                                       for f, e in zip(found, expected, strict=True))
        for name in runtimes:
            print(f"{threads} threads, {count:2} × {frames:4} frames  {name:20}"
                  f"{1e3 * best[name]:7.1f} ms  {best[name] / seconds:.5f} s/s  "
                  f"differs by {difference[name]:.1e}", flush=True)


def quantised(bundle: Bundle, threads: int) -> Callable:
    """The network with its matrices in 8 bits, as `Bundle.log_posteriors`."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from asr.export.onnx_file import export_onnx
    from asr.features.batch import padded

    with tempfile.TemporaryDirectory() as folder:
        export_onnx(bundle, Path(folder) / "full.onnx")
        quantize_dynamic(f"{folder}/full.onnx", f"{folder}/int8.onnx",
                         weight_type=QuantType.QInt8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(f"{folder}/int8.onnx", options,
                                               providers=["CPUExecutionProvider"])

    def run(frames: list[np.ndarray], statistics: np.ndarray) -> list[np.ndarray]:
        x, lengths = padded(frames)
        posteriors, output_lengths = session.run(None, {
            "features": x.astype(np.float32), "lengths": lengths, "statistics": statistics})
        return [posteriors[:length, i] for i, length in enumerate(output_lengths)]
    return run


if __name__ == "__main__":
    main()

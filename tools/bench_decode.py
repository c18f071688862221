#!/usr/bin/env python
"""Time the search: greedy and beams of several widths, with the default pruning and without.

Posteriors are made up, like a trained network's: spikes of one or two frames with blanks between,
one in ten of them doubtful. By default 33 utterances of 506 frames of 20 ms (334 s of audio) over
29 characters. Where flashlight-text is installed, torchaudio's lexicon-free decoder, which is
built on it, runs on the same posteriors in the same process, summing paths as ours does.

    python tools/bench_decode.py [--utterances 33] [--frames 506] [--beams 16 100 500]
"""

import argparse
import math
import operator
import time
from functools import partial

import numpy as np

from asr.decode.beam import beam_search
from asr.decode.config import DecodeConfig
from asr.decode.greedy import greedy_search
from asr.decode.hypotheses import decode_posteriors
from asr.parallel import cores, ordered_map
from asr.text.units import CharacterUnits

UNITS = CharacterUnits(["<blank>", "|", "'", *"abcdefghijklmnopqrstuvwxyz"])
FRAME_SHIFT = 0.02


def made_up(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Log posteriors, shape (frames, 29)."""
    starts = np.sort(rng.choice(frames // 3, frames // 4, replace=False)) * 3
    labels = rng.integers(1, len(UNITS), len(starts))
    logits = rng.normal(0, 1.5, (frames, len(UNITS)))
    target = np.zeros(frames, int)
    target[starts] = labels
    lasting = rng.random(len(starts)) < 0.3
    target[starts[lasting] + 1] = labels[lasting]
    logits[np.arange(frames), target] += 10
    doubtful = starts[rng.random(len(starts)) < 0.1]
    logits[doubtful, rng.integers(0, len(UNITS), len(doubtful))] += 10
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits.astype(np.float32)


def seconds(work, repeats: int = 3) -> float:
    """The best of some runs, which other programs have disturbed least."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def beam_labels(beam: int, threshold: float, least: float, posteriors: np.ndarray) -> np.ndarray:
    """Units of the best labelling."""
    return next(beam_search(posteriors, beam, threshold, least)).labels


def flashlight(beam: int):
    """torchaudio's lexicon-free decoder, or None where flashlight-text is not installed."""
    try:
        import torch
        from torchaudio.models.decoder import ctc_decoder
        decoder = ctc_decoder(None, UNITS.symbols, beam_size=beam, beam_threshold=1e9,
                              log_add=True, blank_token="<blank>", sil_token="|",
                              unk_word="<blank>")
    except (ImportError, RuntimeError):
        return None
    # It puts a silence before and after.
    return lambda posteriors: decoder(torch.from_numpy(posteriors)[None])[0][0].tokens[1:-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--utterances", type=int, default=33)
    parser.add_argument("--frames", type=int, default=506)
    parser.add_argument("--beams", type=int, nargs="+", default=[16, 100, 500])
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    posteriors = [made_up(options.frames, rng) for _ in range(options.utterances)]
    audio = options.utterances * options.frames * FRAME_SHIFT
    print(f"{options.utterances} utterances, {audio:.0f} s of audio, {len(UNITS)} units, "
          f"{cores()} cores")

    def hypotheses(config, threads):
        ids = map(str, range(options.utterances))
        return list(decode_posteriors(ids, posteriors, UNITS, FRAME_SHIFT, config,
                                      threads=threads))

    for search in ("greedy", "beam"):
        first = seconds(partial(hypotheses, DecodeConfig(search=search), 1), 1)
        print(f"first {search} search, compiled or from the cache: {first:.2f} s")
    print(f"\n{'':36}{'one core':^22}{'all cores':^22}\n{'':36}" +
          f"{'ms/utt':>10}{'RTF':>12}" * 2 + f"{'not as unpruned':>17}")

    def row(name, work, differ=""):
        times = [seconds(partial(work, threads)) for threads in (1, cores())]
        print(f"{name:36}" + "".join(f"{1e3 * s / options.utterances:10.3f}{s / audio:12.6f}"
                                     for s in times) + f"{differ:>17}", flush=True)

    def search_row(name, search, exact=None):
        """Time a search alone; count the labellings that differ from `exact`."""
        found = [list(search(each)) for each in posteriors]
        differ = "" if exact is None else sum(map(operator.ne, found, exact))
        row(name, lambda threads: list(ordered_map(search, posteriors, threads)), differ)
        return found

    search_row("greedy", lambda each: greedy_search(each)[0])
    row("  with words and times", partial(hypotheses, DecodeConfig(search="greedy")))
    defaults = DecodeConfig()
    for beam in options.beams:
        exact = search_row(f"beam {beam}", partial(beam_labels, beam, math.inf, 0.0))
        for threshold, least in [(defaults.threshold, 0.0), (math.inf, defaults.min_posterior),
                                 (defaults.threshold, defaults.min_posterior), (10.0, 1e-3)]:
            search_row(f"  {threshold:g} nats, posteriors of {least:g}",
                       partial(beam_labels, beam, threshold, least), exact)
        row("  defaults, with words and times", partial(hypotheses, DecodeConfig(beam=beam)))
        if peer := flashlight(beam):
            search_row("  flashlight, lexicon-free", peer, exact)


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""Time and measure searches on a trained network's posteriors, beside other decoders.

    python tools/bench_decode.py BUNDLE STORE ARPA [--utterances 200] [--beams 10 100 500]
                                 [--others PYTHON ...]

All searches get the same posteriors, those with a language model divided by the bundle's label
priors, the same word n-grams and the weights of the bundle's own decoding; natural and common
logarithms are accounted for. Where flashlight-text and kenlm are installed, torchaudio's
`ctc_decoder`, which is built on them, runs in the same process: with a lexicon and without, sums of
paths like ours, and with a lexicon the 10 tokens a frame that its users choose. Its lexicon's words
end with a boundary, so it gets one more frame that is surely that. Units without a boundary, as
byte pairs and phones, are not for the other decoders, which are left out then. PYTHON is the
interpreter of another environment that has pyctcdecode (which needs numpy below 2) with kenlm, or
ctc-beam-decoder, which has its interface. Error rates are on the bundle's development set, on which
its weights were tuned: for comparison alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from asr.decode.beam import beam_search
from asr.decode.config import DecodeConfig
from asr.decode.greedy import greedy_search
from asr.decode.hypotheses import Search, without_priors
from asr.decode.material import Material, gather
from asr.decode.settings import WordSearch
from asr.lm.binary import load_lm, save_lm
from asr.lm.ngram import SPECIAL
from asr.model.bundle import load_bundle
from asr.parallel import cores, ordered_map
from asr.score.align import score_utterances
from asr.text.units import BLANK, WORD_BOUNDARY, Units

Decoder = Callable[[np.ndarray], str]

OTHER = """
import json, sys, time
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
try:
    from pyctcdecode import build_ctcdecoder
except ImportError:
    from ctc_beam_decoder import build_ctcdecoder
settings = json.load(open(sys.argv[1]))
rows = np.load(sys.argv[2])
posteriors = [rows[a:b] for a, b in zip(settings["offsets"], settings["offsets"][1:])]
start = time.perf_counter()
decoder = build_ctcdecoder(settings["labels"], settings["arpa"], settings["words"],
                           alpha=settings["alpha"], beta=settings["beta"],
                           unk_score_offset=settings["unknown"])
print(json.dumps([build_ctcdecoder.__module__.split(".")[0], time.perf_counter() - start]),
      flush=True)
for beam in settings["beams"]:
    start = time.perf_counter()
    texts = [decoder.decode(each, beam_width=beam) for each in posteriors]
    one = time.perf_counter() - start
    if hasattr(decoder, "decode_batch"):
        with get_context("fork").Pool(settings["cores"]) as pool:
            start = time.perf_counter()
            decoder.decode_batch(pool, posteriors, beam_width=beam)
            all_ = time.perf_counter() - start
    else:  # C++, which lets other threads run
        with ThreadPoolExecutor(settings["cores"]) as pool:
            start = time.perf_counter()
            list(pool.map(lambda each: decoder.decode(each, beam_width=beam), posteriors))
            all_ = time.perf_counter() - start
    print(json.dumps([beam, texts, one, all_]), flush=True)
print(json.dumps(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])), flush=True)
"""

START = """
import json, sys, time
from pathlib import Path
import numpy as np
from asr.decode.beam import beam_search
from asr.decode.settings import WordSearch
from asr.lm.binary import load_lm
from asr.model.bundle import load_bundle
bundle = load_bundle(Path(sys.argv[1]))
config = bundle.config.decoding
start = time.perf_counter()
words = WordSearch(load_lm(Path(sys.argv[2])), bundle.units, None)
loading = time.perf_counter() - start
start = time.perf_counter()
next(beam_search(np.load(sys.argv[3]), config.beam, config.threshold, config.min_posterior,
                 config.sure_blank, words.search(config).scorer))
# Not getrusage's figure, which begins with what the parent had.
print(json.dumps([loading, time.perf_counter() - start,
                  int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])]))
"""


def flashlight(units: Units, beam: int, threshold: float, **options: object) -> Decoder:
    """torchaudio's decoder; `options` are those of its lexicon and language model."""
    import torch
    from torchaudio.models.decoder import ctc_decoder

    decoder = ctc_decoder(tokens=units.symbols, beam_size=beam, beam_threshold=threshold,
                          log_add=True, blank_token="<blank>", sil_token=WORD_BOUNDARY,
                          **{"lexicon": None, "unk_word": "<blank>"} | options)
    last = np.full((1, len(units)), -30, np.float32)
    last[0, units.symbols.index(WORD_BOUNDARY)] = 0

    def decode(log_posteriors: np.ndarray) -> str:
        best = decoder(torch.from_numpy(np.concatenate([log_posteriors, last]))[None])[0][0]
        return " ".join(best.words) if options else units.decode(best.tokens.tolist())
    return decode


def lexicon_file(path: Path, search: WordSearch) -> str:
    """What flashlight reads: a word and its units a line."""
    symbols = search.units.symbols
    path.write_text("".join(
        f"{word} {' '.join(symbols[unit] for unit in spelling)} {WORD_BOUNDARY}\n"
        for word in search.model.words[len(SPECIAL):]
        for spelling in search.units.spellings(word)))
    return str(path)


class Bench:
    """Prints a row for each decoder: error rate, and time on one core and on all."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.audio = material.duration
        config = material.bundle.config.decoding
        self.without_priors = [
            without_priors(each, config.label_priors, config.prior_weight)
            for each in material.log_posteriors]
        """Posteriors for searches with a language model."""
        print(f"{len(material.ids)} utterances, {self.audio:.0f} s of audio, "
              f"{len(material.bundle.units)} units, {cores()} cores")
        print(f"{'':34}{'WER':>8}{'one core':>12}{'all cores':>12}  ms an utterance; "
              "real-time factor on one")

    def row(self, name: str, decoder: Decoder, lm: bool = False) -> None:
        """Run and time a decoder, with a language model or without."""
        posteriors = self.without_priors if lm else self.material.log_posteriors
        found: Sequence[str] = []
        times = []
        for threads in (1, cores()):
            start = time.perf_counter()
            found = list(ordered_map(decoder, posteriors, threads))
            times.append(time.perf_counter() - start)
        self.show(name, found, times)

    def show(self, name: str, found: Sequence[str], times: Sequence[float]) -> None:
        """Print what was found in how many seconds."""
        words = score_utterances(zip(self.material.ids, self.material.texts, found,
                                     strict=True)).words
        print(f"{name:34}{100 * words.errors.sum() / words.length.sum():6.2f} %"
              + "".join(f"{1e3 * t / len(found):12.2f}" for t in times)
              + f"{times[0] / self.audio:12.5f}", flush=True)


def run_other(bench: Bench, python: Path, arpa: Path, beams: Sequence[int],
              config: DecodeConfig, words: Sequence[str], folder: Path) -> None:
    """In its own environment, a process that reports each beam's texts and seconds, and memory."""
    posteriors = bench.without_priors
    labels = ["" if i == BLANK else " " if s == WORD_BOUNDARY else s
              for i, s in enumerate(bench.material.bundle.units.symbols)]
    offsets = [0, *np.cumsum([len(each) for each in posteriors]).tolist()]
    np.save(folder / "posteriors.npy", np.concatenate(posteriors))
    (folder / "settings.json").write_text(json.dumps({
        "labels": labels, "offsets": offsets, "arpa": str(arpa), "words": words, "beams": beams,
        "alpha": config.lm_weight, "beta": config.word_bonus, "unknown": config.unknown_score,
        "cores": cores()}))
    process = subprocess.run(
        [python, "-c", OTHER, folder / "settings.json", folder / "posteriors.npy"],
        stdout=subprocess.PIPE, text=True, check=True)
    (name, loading), *results, memory = map(json.loads, process.stdout.splitlines())
    for beam, texts, one, all_cores in results:
        bench.show(f"{name}, beam {beam}", texts, [one, all_cores])
    print(f"    (loaded in {loading:.1f} s; {memory / 1024:.0f} MiB at most)")


def show_starts(bundle: Path, lm: Path, log_posteriors: np.ndarray, folder: Path) -> None:
    """Of a process that searches one utterance, compiling and then from numba's cache."""
    np.save(folder / "first.npy", log_posteriors)
    for kind in ("compiled", "from the cache"):
        process = subprocess.run(
            [sys.executable, "-c", START, bundle, lm, folder / "first.npy"], text=True,
            stdout=subprocess.PIPE, check=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(folder / "numba")})
        loading, first, memory = json.loads(process.stdout)
        print(f"    (model and lexicon in {loading:.2f} s, the first search, {kind}, in "
              f"{first:.2f} s; {memory / 1024:.0f} MiB at most, bundle included)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("bundle", "store", "arpa"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 100, 500])
    parser.add_argument("--others", type=Path, nargs="+", metavar="PYTHON", default=[])
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    bench = Bench(gather(bundle, options.store, options.utterances, cores()))
    units, config = bundle.units, bundle.config.decoding

    def ours(beam: int, search: Search, least: float, sure: float, each: np.ndarray) -> str:
        best = next(beam_search(each, beam, config.threshold, least, sure, search.scorer))
        return " ".join(search.words(best, units))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_lm(folder / "words.lm", load_lm(options.arpa))
        words = WordSearch(load_lm(folder / "words.lm"), units, options.arpa)
        show_starts(options.bundle, folder / "words.lm", bench.material.log_posteriors[0], folder)
        bench.row("greedy", lambda each: units.decode(greedy_search(each)[0].tolist()))
        searches = {"open vocabulary": words.search(config), "closed vocabulary":
                    words.search(config.model_copy(update={"open_vocabulary": False}))}
        ours(4, searches["open vocabulary"], 0.0, 1.0, bench.material.log_posteriors[0])
        others = WORD_BOUNDARY in units.symbols
        if not others:
            print("    (no other decoders: the units have no boundary between words)")
        lexicon = lexicon_file(folder / "lexicon.txt", words)
        for beam in options.beams:
            bench.row(f"beam {beam}", partial(ours, beam, Search(config), config.min_posterior,
                                              config.sure_blank))
            for kind, search in searches.items():
                bench.row(f"beam {beam}, {kind}", partial(ours, beam, search, config.min_posterior,
                                                          config.sure_blank), lm=True)
                bench.row("  all units and frames", partial(ours, beam, search, 0.0, 1.0), lm=True)
            if not others:
                continue
            try:
                peers = {"lexicon-free": flashlight(units, beam, 1e9)}
                start = time.perf_counter()
                peers["lexicon"] = flashlight(
                    units, beam, config.threshold, lexicon=lexicon, lm=str(options.arpa),
                    beam_size_token=10, unk_word="<unk>", word_score=config.word_bonus,
                    lm_weight=config.lm_weight * float(np.log(10)))
                loading = time.perf_counter() - start
            except (ImportError, RuntimeError) as error:
                print(f"    (no flashlight: {error})")
                continue
            for kind, decoder in peers.items():
                bench.row(f"flashlight, beam {beam}, {kind}", decoder, kind == "lexicon")
            print(f"    (loaded in {loading:.1f} s)")
        for python in options.others if others else []:
            run_other(bench, python, options.arpa, options.beams, config,
                      words.model.words[len(SPECIAL):], folder)


if __name__ == "__main__":
    main()

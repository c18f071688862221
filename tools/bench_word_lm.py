#!/usr/bin/env python
"""Time and measure beam search with a word n-gram model, beside flashlight-text's lexicon decoder.

    python tools/bench_word_lm.py LM TEXT [--arpa FILE] [--utterances 100] [--beams 10 100 500]

TEXT holds sentences, one a line, that the model has not seen, in the case of its words. Posteriors
are made up from them, like a trained network's: frames of 30 ms, a spike for each letter, blanks
between, one spike in eight doubtful and one in sixteen wrong. With --arpa, the same model as an
ARPA file, and where flashlight-text and kenlm are installed, torchaudio's `ctc_decoder` runs on the
same posteriors in the same process, with the same weights, closed vocabulary and summed paths, and
with its users' 10 tokens a frame. Its load time is that of the ARPA file.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from asr.decode.beam import beam_search
from asr.decode.config import DecodeConfig
from asr.decode.settings import WordSearch
from asr.lm.binary import load_lm
from asr.lm.ngram import SPECIAL
from asr.parallel import cores, ordered_map
from asr.score.align import score_utterances
from asr.text.units import CharacterUnits

FRAME_SHIFT = 0.03


def heard(text: str, units: CharacterUnits, rng: np.random.Generator) -> np.ndarray:
    """Log posteriors of a sentence, shape (T, V)."""
    labels = np.array(units.encode(text))
    gaps = 1 + rng.integers(0, 3, len(labels))  # frames from one spike to the next
    gaps[1:] += (labels[1:] == labels[:-1]) & (gaps[1:] == 1)
    spikes = np.cumsum(gaps)
    logits = rng.normal(0, 1.5, (spikes[-1] + 3, len(units)))
    target = np.zeros(len(logits), int)
    target[spikes] = labels
    chance = rng.random(len(labels))
    others = rng.integers(1, len(units), len(labels))
    logits[np.arange(len(logits)), target] += 9
    doubtful = chance < 1 / 8
    logits[spikes[doubtful], others[doubtful]] += 9
    wrong = chance < 1 / 16
    logits[spikes[wrong], others[wrong]] += 3
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def flashlight(beam: int, arpa: Path, search: WordSearch, config: DecodeConfig) -> Callable:
    """torchaudio's decoder as a function from posteriors to words."""
    import torch
    from torchaudio.models.decoder import ctc_decoder

    symbols = search.units.symbols
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lexicon:
        for word in search.model.words[len(SPECIAL):]:
            if all(letter in symbols for letter in word):
                lexicon.write(f"{word} {' '.join(word)} |\n")
        lexicon.flush()
        decoder = ctc_decoder(
            lexicon.name, symbols, str(arpa), beam_size=beam, beam_size_token=10,
            beam_threshold=config.threshold, lm_weight=config.lm_weight * float(np.log(10)),
            word_score=config.word_bonus, log_add=True, blank_token="<blank>", sil_token="|",
            unk_word="<unk>")
    return lambda posteriors: " ".join(decoder(torch.from_numpy(posteriors)[None])[0][0].words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lm", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--arpa", type=Path)
    parser.add_argument("--utterances", type=int, default=100)
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 100, 500])
    options = parser.parse_args()
    lines = [line for line in options.text.read_text("utf-8").splitlines()
             if 8 <= len(line.split()) <= 35][:options.utterances]
    units = CharacterUnits.from_texts(lines)
    rng = np.random.default_rng(0)
    posteriors = [heard(line, units, rng) for line in lines]
    audio = sum(map(len, posteriors)) * FRAME_SHIFT
    print(f"{len(lines)} utterances, {audio:.0f} s, {len(units)} units, {cores()} cores")
    start = time.perf_counter()
    search = WordSearch(load_lm(options.lm), units, options.lm)
    print(f"model and lexicon ready in {time.perf_counter() - start:.2f} s; "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB at most so far")
    config = DecodeConfig(open_vocabulary=False)
    scorer = search.scorer(config)

    def ours(beam: int, least: float, sure: float, each: np.ndarray) -> str:
        best = next(beam_search(each, beam, config.threshold, least, sure, scorer))
        return units.decode(best.labels.tolist())

    start = time.perf_counter()
    ours(4, 0.0, 1.0, posteriors[0])
    print(f"first search, compiled or from the cache: {time.perf_counter() - start:.2f} s\n")
    print(f"{'':34}{'WER':>8}{'one core':>12}{'all cores':>12}  ms an utterance")

    def row(name: str, work: Callable[[np.ndarray], str]) -> None:
        found, times = [], []
        for threads in (1, cores()):
            start = time.perf_counter()
            found = list(ordered_map(work, posteriors, threads))
            times.append(1e3 * (time.perf_counter() - start) / len(lines))
        words = score_utterances(zip(lines, lines, found, strict=True)).words
        print(f"{name:34}{100 * words.errors.sum() / words.length.sum():6.2f} %"
              + "".join(f"{t:12.2f}" for t in times), flush=True)

    for beam in options.beams:
        row(f"beam {beam}, all units and frames", partial(ours, beam, 0.0, 1.0))
        row(f"beam {beam}, default pruning",
            partial(ours, beam, config.min_posterior, config.sure_blank))
        if options.arpa:
            start = time.perf_counter()
            peer = flashlight(beam, options.arpa, search, config)
            loading = time.perf_counter() - start
            row(f"beam {beam}, flashlight", peer)
            print(f"    (loaded in {loading:.1f} s)")


if __name__ == "__main__":
    main()

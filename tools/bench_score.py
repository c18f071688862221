"""Scoring beside jiwer, kaldialign, texterrors and sclite, on the same utterances in one run.

    .venv/bin/python tools/bench_score.py [--utterances 100000] [--words 20]

Prints seconds of one core's time and each scorer's substitutions, deletions and insertions. Scorers
that are not installed are left out: `uv pip install kaldialign texterrors`; sclite
is in Debian's package sctk. `asr score` is measured whole, as a process that reads two .trn files
and prints a report with intervals; the others are measured without reading where they can be.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from asr.score.align import score_utterances
from asr.score.trn import write_trn

VOCABULARY = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    pairs = make_pairs(arguments.utterances, arguments.words, arguments.seed)
    references = [reference.split() for _, reference, _ in pairs]
    hypotheses = [hypothesis.split() for _, _, hypothesis in pairs]
    print(f"{len(pairs):,} utterances, {sum(map(len, references)):,} words, seed {arguments.seed}")
    print(f"{'':34}{'s':>8}{'sub':>9}{'del':>9}{'ins':>9}")
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder), pairs)
        for sclite in (False, True):
            for run in ("first", "again") if sclite else ("",):
                name = f"asr score{' --sclite' * sclite} {run}"
                row(name, lambda s=sclite: asr_score(files, s))  # type: ignore[misc]
        for alignment in ("unit", "sclite"):
            row(f"score_utterances, {alignment}",
                lambda a=alignment: ours(pairs, a))  # type: ignore[misc]
        row("jiwer.process_words", lambda: jiwer_counts(references, hypotheses))
        row("kaldialign, sclite mode", lambda: kaldialign_counts(references, hypotheses))
        row("texterrors", lambda: texterrors_counts(references, hypotheses))
        row("sclite -o sum", lambda: sclite_counts(files))


def make_pairs(utterances: int, words: int, seed: int) -> list[tuple[str, str, str]]:
    """Random words with about 14 % of errors."""
    rng = random.Random(seed)
    vocabulary = [f"w{i}xy"[:6] for i in range(VOCABULARY)]
    pairs = []
    for number in range(utterances):
        reference = rng.choices(vocabulary, k=words)
        hypothesis: list[str] = []
        for word in reference:
            draw = rng.random()
            if draw < 0.06:
                hypothesis.append(rng.choice(vocabulary))
            elif draw >= 0.10:
                hypothesis += [word, rng.choice(vocabulary)] if draw < 0.14 else [word]
        pairs.append((f"s{number % 50}-{number:07}", " ".join(reference), " ".join(hypothesis)))
    return pairs


def write_files(folder: Path, pairs: list[tuple[str, str, str]]) -> tuple[Path, Path]:
    files = folder / "r.trn", folder / "h.trn"
    for file, side in zip(files, (1, 2), strict=True):
        write_trn(file, [(pair[0], pair[side]) for pair in pairs])
    return files


def row(name: str, count: Callable[[], tuple[int, int, int]]) -> None:
    """One scorer's line: CPU seconds of this process and its children."""
    before = cpu_seconds()
    try:
        counts = count()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        print(f"{name:34}  not installed ({error})")
        return
    print(f"{name:34}{cpu_seconds() - before:8.2f}" + "".join(f"{value:9,}" for value in counts))


def cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def asr_score(files: tuple[Path, Path], sclite: bool) -> tuple[int, int, int]:
    command = [sys.executable, "-m", "asr", "score", *map(str, files)]
    report = subprocess.run([*command, "--json"] + ["--sclite"] * sclite, check=True,
                            capture_output=True, text=True,
                            env=os.environ | {"OMP_NUM_THREADS": "1"}).stdout
    words = json.loads(report)["wer"]
    return words["substitutions"], words["deletions"], words["insertions"]


def ours(pairs: list[tuple[str, str, str]], alignment: str) -> tuple[int, int, int]:
    words = score_utterances(pairs, alignment).words  # type: ignore[arg-type]
    return (int(words.substitutions.sum()), int(words.deletions.sum()),
            int(words.insertions.sum()))


def jiwer_counts(references: list[list[str]], hypotheses: list[list[str]]
                 ) -> tuple[int, int, int]:
    import jiwer

    found = jiwer.process_words([" ".join(words) for words in references],
                                [" ".join(words) for words in hypotheses])
    return found.substitutions, found.deletions, found.insertions


def kaldialign_counts(references: list[list[str]], hypotheses: list[list[str]]
                      ) -> tuple[int, int, int]:
    import kaldialign

    totals = [0, 0, 0]
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        found = kaldialign.edit_distance(reference, hypothesis, sclite_mode=True)
        for i, kind in enumerate(("sub", "del", "ins")):
            totals[i] += found[kind]
    return totals[0], totals[1], totals[2]


def texterrors_counts(references: list[list[str]], hypotheses: list[list[str]]
                      ) -> tuple[int, int, int]:
    import texterrors

    totals = [0, 0, 0]
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        aligned, found, _ = texterrors.align_texts(reference, hypothesis, use_chardiff=False)
        for expected, word in zip(aligned, found, strict=True):
            if expected != word:
                totals[1 if word == "<eps>" else 2 if expected == "<eps>" else 0] += 1
    return totals[0], totals[1], totals[2]


def sclite_counts(files: tuple[Path, Path]) -> tuple[int, int, int]:
    program = shutil.which("sclite") or shutil.which("sclite", path="/usr/lib/sctk/bin")
    if program is None:
        raise FileNotFoundError("Debian's package sctk")
    reference, hypothesis = map(str, files)
    table = subprocess.run(
        [program, "-r", reference, "trn", "-h", hypothesis, "trn", "-i", "spu_id", "-s", "-e",
         "utf-8", "-o", "rsum", "stdout", "-f", "0"], check=True, capture_output=True,
        text=True).stdout
    line = next(line for line in table.splitlines() if line.lstrip(" |").startswith("Sum"))
    numbers = [int(number) for number in re.findall(r"\d+", line)]
    return numbers[3], numbers[4], numbers[5]


if __name__ == "__main__":
    main()

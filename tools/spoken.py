"""What the benchmarks of noise and rooms share: arguments, utterances, and an error rate."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from asr.audio import read_audio
from asr.features.batch import evenly
from asr.manifest import Utterance, read_manifest
from asr.score.align import score_utterances


def parser(description: str, utterances: int) -> argparse.ArgumentParser:
    """MANIFEST, NOISE_DIR, --model and --utterances, of which there are so many by default."""
    made = argparse.ArgumentParser(description=description,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("manifest", type=Path)
    made.add_argument("noise", type=Path)
    made.add_argument("--model", help="a bundle; the package's own by default")
    made.add_argument("--utterances", type=int, default=utterances)
    return made


def spread(manifest: Path, number: int, rate: int) -> list[tuple[Utterance, np.ndarray]]:
    """Utterances evenly spread over a manifest, and their samples at `rate`."""
    everything = read_manifest(manifest)
    chosen = [everything[i] for i in evenly(len(everything), number)]
    return [(u, read_audio(Path(u.audio), rate, u.start, u.duration)) for u in chosen]


def error_rate(utterances: Iterable[tuple[str, str, str]]) -> tuple[float, int]:
    """Percent of the words of (id, reference, hypothesis) that are wrong, and their number."""
    words = score_utterances(utterances).words
    return 100 * words.errors.sum() / words.length.sum(), words.length.sum()

"""The features stage: a manifest becomes a store."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from asr.audio import read_audio
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.extract import change_speed, extract
from asr.features.store import Entry, write_store
from asr.manifest import Utterance, read_manifest
from asr.parallel import ordered_map
from asr.progress import track


def make_store(manifest: Path, path: Path, config: FeatureConfig, speeds: Sequence[float],
               threads: int) -> None:
    """Compute the features of every utterance, at every speed, and write them to `path`.

    Raises
    ------
    AsrError
        An utterance's audio cannot be read; the message names the utterance. No store is left.
    """
    utterances = read_manifest(manifest)

    def compute(utterance: Utterance) -> list[tuple[Entry, np.ndarray]]:
        try:
            samples = read_audio(Path(utterance.audio), config.sample_rate, utterance.start,
                                 utterance.duration)
        except AsrError as error:
            raise AsrError(f"utterance {utterance.id}: {error}") from None
        return [(Entry(id=utterance.id, text=utterance.text, speaker=utterance.speaker,
                       speed=speed), extract(change_speed(samples, speed), config))
                for speed in speeds]

    def items() -> Iterator[tuple[Entry, np.ndarray]]:
        computed = ordered_map(compute, utterances, threads)
        for copies in track(computed, f"features of {manifest.stem}", len(utterances)):
            yield from copies

    inner_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # an utterance a thread is faster than threads within one
    try:
        write_store(path, config, items())
    finally:
        torch.set_num_threads(inner_threads)

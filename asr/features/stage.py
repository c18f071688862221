"""The features stage: a manifest becomes a store."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from asr.audio import read_audio
from asr.augment.config import AugmentConfig
from asr.augment.copies import Copier
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.extract import extract
from asr.features.store import Entry, write_store
from asr.manifest import Utterance, read_manifest
from asr.parallel import ordered_map
from asr.progress import track


def make_store(manifest: Path, path: Path, config: FeatureConfig, augment: AugmentConfig,
               threads: int) -> None:
    """Compute the features of every copy of every utterance and write them to `path`.

    Raises
    ------
    AsrError
        An utterance's audio cannot be read, which the message names, or there is no noise to add.
        No store is left.
    """
    utterances = read_manifest(manifest)
    copier = Copier(augment, utterances, config.sample_rate)

    def compute(utterance: Utterance) -> list[tuple[Entry, np.ndarray]]:
        try:
            samples = read_audio(Path(utterance.audio), config.sample_rate, utterance.start,
                                 utterance.duration)
        except AsrError as error:
            raise AsrError(f"utterance {utterance.id}: {error}") from None
        return [(Entry(id=utterance.id, text=utterance.text, speaker=utterance.speaker,
                       speed=copy.speed, copy_number=copy.number), extract(copy.samples, config))
                for copy in copier.copies(utterance.id, samples)]

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

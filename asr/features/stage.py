"""The features stage: a manifest becomes a store."""

from collections.abc import Iterator, Sequence
from itertools import cycle, groupby, islice
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from asr.audio import read_audio
from asr.augment.config import AugmentConfig
from asr.augment.copies import Copier
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.extract import extract
from asr.features.store import Entry, Store, write_store
from asr.manifest import Utterance, read_manifest
from asr.parallel import ordered_map
from asr.progress import track
from asr.shards import WHOLE, Shard, write_in_parts


def make_store(manifest: Path, path: Path, config: FeatureConfig, augment: AugmentConfig,
               threads: int, shard: Shard = WHOLE) -> None:
    """Compute the features of every copy of every utterance and write them to `path`.

    A shard has its share of the utterances; see `write_in_parts` for where it leaves them.

    Raises
    ------
    AsrError
        An utterance's audio cannot be read, which the message names, or there is no noise to add.
        No store is left.
    """
    utterances = read_manifest(manifest)
    own = shard.share(utterances)
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
        computed = ordered_map(compute, own, threads)
        for copies in track(computed, f"features of {manifest.stem}", len(own)):
            yield from copies

    def write(target: Path) -> None:
        with threadpool_limits(1):  # an utterance a thread is faster than threads within one
            write_store(target, config, items())

    write_in_parts(path, shard, [config.model_dump_json(), augment.model_dump_json(), manifest,
                                 *copier.sources()], write,
                   lambda parts: write_store(path, config, _dealt(parts, len(utterances))))


def _dealt(parts: Sequence[Path], utterances: int) -> Iterator[tuple[Entry, np.ndarray]]:
    """What is in the shards' stores, all copies of an utterance from each in turn."""
    stores = [Store.open(part) for part in parts]
    copies = [groupby(enumerate(store.entries), lambda item: item[1].id) for store in stores]
    for store, own in islice(cycle(zip(stores, copies, strict=True)), utterances):
        for i, entry in next(own)[1]:
            yield entry, store.frames(i)

"""The decode stage: a model bundle and a store become hypotheses."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr.decode.beam import Labelling
from asr.decode.config import DecodeConfig
from asr.decode.device_beam import device_beam_search
from asr.decode.device_scorer import DeviceScorer, device_scorer
from asr.decode.hypotheses import Search, decode_labellings, decode_posteriors
from asr.decode.settings import SearchRequest, prepare_search
from asr.features.store import FILES as STORE_FILES
from asr.features.store import Store
from asr.files import atomic_write, read_lines
from asr.manifest import write_records
from asr.model.bundle import bundle_files, load_bundle
from asr.model.inference import (
    batches_by_length,
    inference_device,
    store_batches,
    store_log_posteriors,
)
from asr.progress import track
from asr.shards import WHOLE, Shard, write_in_parts


def decode_store(bundle_folder: Path, store_folder: Path, output: Path, request: SearchRequest,
                 threads: int, shard: Shard = WHOLE) -> None:
    """Decode every utterance of a store and write the hypotheses in the store's order.

    The network runs while threads search what it has already made; on a GPU the search runs there
    too, if its scorer can, and threads do the rest. Shards take whole batches, so that the network
    computes what it would for all: sums of other shapes are rounded otherwise.

    Raises
    ------
    AsrError
        The store was made with another configuration than the bundle's, or see
        `prepare_search`.
    """
    device = inference_device()
    bundle = load_bundle(bundle_folder, str(device))
    search = prepare_search(bundle, request)
    store = Store.open(store_folder, bundle.config.features)
    statistics = bundle.statistics(store.moments, [entry.speaker for entry in store.entries])
    scorer = _scorer_on(device, search)
    batches = batches_by_length(store)

    def write(path: Path) -> None:
        order = list(chain.from_iterable(shard.share(batches)))
        ids = [store.entries[i].id for i in order]
        if scorer is None:
            posteriors = store_log_posteriors(bundle.network, store, statistics, order)
            decoded = decode_posteriors(ids, posteriors, bundle.units, bundle.frame_shift, search,
                                        threads)
        else:
            tensors = store_batches(bundle.network, store, statistics, order)
            decoded = decode_labellings(ids, search_batches(tensors, search.config, scorer),
                                        bundle.units, bundle.frame_shift, search, threads)
        found = dict(zip(order, track(decoded, f"decode {store_folder.name}", len(order)),
                         strict=True))
        write_records(path, (found[i] for i in sorted(order)))

    def merge(parts: Sequence[Path]) -> None:
        lines: dict[int, str] = {}
        for number, part in enumerate(parts, start=1):
            order = chain.from_iterable(Shard(number, len(parts)).share(batches))
            lines.update(zip(sorted(order), read_lines(part), strict=True))
        with atomic_write(output) as file:
            for i in range(len(store)):
                file.write(lines[i] + "\n")

    write_in_parts(output, shard, _sources(bundle_folder, store_folder, request), write, merge)


def _sources(bundle: Path, store: Path, request: SearchRequest) -> Iterator[str | Path]:
    """What hypotheses depend on; of the features, their sums stand for them."""
    yield from request.depends()
    yield from bundle_files(bundle)
    yield from (store / name for name in STORE_FILES if name != "frames.f16")


def _scorer_on(device: torch.device, search: Search) -> DeviceScorer | None:
    """The scorer with which to search on the network's device, if that is the place to search."""
    config = search.config
    if device.type == "cpu" or config.search != "beam" or config.prior_weight:
        return None
    return device_scorer(search.scorer, device)


def search_batches(batches: Iterable[list[Tensor]], config: DecodeConfig, scorer: DeviceScorer
                   ) -> Iterator[tuple[np.ndarray, list[Labelling]]]:
    """Yield the log posteriors of each utterance and what beam search finds in them."""
    for batch in batches:
        found = device_beam_search(batch, config.beam, config.threshold, config.min_posterior,
                                   config.sure_blank, scorer)
        yield from zip((rows.cpu().numpy() for rows in batch), found, strict=True)

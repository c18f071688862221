"""The decode stage: a model bundle and a store become hypotheses."""

from collections.abc import Iterable, Iterator
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
from asr.features.store import Store
from asr.manifest import write_records
from asr.model.bundle import load_bundle
from asr.model.inference import by_length, store_batches, store_log_posteriors
from asr.progress import track


def decode_store(bundle_folder: Path, store_folder: Path, output: Path, request: SearchRequest,
                 threads: int) -> None:
    """Decode every utterance of a store and write the hypotheses in the store's order.

    The network runs while threads search what it has already made; on a GPU the search runs there
    too, if its scorer can, and threads do the rest.

    Raises
    ------
    AsrError
        The store was made with another configuration than the bundle's, or see
        `prepare_search`.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bundle = load_bundle(bundle_folder, str(device))
    search = prepare_search(bundle, request)
    store = Store.open(store_folder, bundle.config.features)
    statistics = bundle.statistics(store.moments, [entry.speaker for entry in store.entries])
    order = by_length(store, range(len(store)))
    ids = [store.entries[i].id for i in order]
    scorer = _scorer_on(device, search)
    if scorer is None:
        posteriors = store_log_posteriors(bundle.network, store, statistics, order)
        decoded = decode_posteriors(ids, posteriors, bundle.units, bundle.frame_shift, search,
                                    threads)
    else:
        batches = store_batches(bundle.network, store, statistics, order)
        decoded = decode_labellings(ids, search_batches(batches, search.config, scorer),
                                    bundle.units, bundle.frame_shift, search, threads)
    found = dict(zip(order, track(decoded, f"decode {store_folder.name}", len(order)),
                     strict=True))
    write_records(output, (found[i] for i in range(len(store))))


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

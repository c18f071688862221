"""The decode stage: a model bundle and a store become hypotheses."""

from pathlib import Path

import torch

from asr.decode.hypotheses import decode_posteriors
from asr.decode.settings import SearchRequest, prepare_search
from asr.features.store import Store
from asr.manifest import write_records
from asr.model.bundle import load_bundle
from asr.model.inference import by_length, store_log_posteriors
from asr.progress import track


def decode_store(bundle_folder: Path, store_folder: Path, output: Path, request: SearchRequest,
                 threads: int) -> None:
    """Decode every utterance of a store and write the hypotheses in the store's order.

    The network runs while threads search what it has already made.

    Raises
    ------
    AsrError
        The store was made with another configuration than the bundle's, or see
        `prepare_search`.
    """
    bundle = load_bundle(bundle_folder, "cuda" if torch.cuda.is_available() else "cpu")
    search = prepare_search(bundle, request)
    store = Store.open(store_folder, bundle.config.features)
    statistics = bundle.statistics(store.moments, [entry.speaker for entry in store.entries])
    order = by_length(store, range(len(store)))
    posteriors = store_log_posteriors(bundle.network, store, statistics, order)
    decoded = decode_posteriors([store.entries[i].id for i in order], posteriors, bundle.units,
                                bundle.frame_shift, search, threads)
    found = dict(zip(order, track(decoded, f"decode {store_folder.name}", len(order)),
                     strict=True))
    write_records(output, (found[i] for i in range(len(store))))

"""The decode stage: a model bundle and a store become hypotheses."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from asr.decode.hypotheses import decode_posteriors
from asr.decode.settings import SearchRequest, prepare_search
from asr.features.batch import batches_by_length, in_batches
from asr.features.store import FILES as STORE_FILES
from asr.features.store import Store
from asr.files import atomic_write, read_lines
from asr.manifest import Hypothesis, write_records
from asr.model.bundle import bundle_files, load_bundle
from asr.model.device import inference_device
from asr.progress import track
from asr.shards import WHOLE, Shard, write_in_parts
from asr.startup import tell_of_compiling


def decode_store(bundle_folder: Path, store_folder: Path, output: Path, request: SearchRequest,
                 threads: int, shard: Shard = WHOLE) -> None:
    """Decode every utterance of a store and write the hypotheses in the store's order.

    The network runs while threads search what it has already made; on a GPU the search runs there
    too, if its scorer can, and threads do the rest. Shards take whole batches, so that the network
    computes what it would for all: sums of other shapes are rounded otherwise.

    Raises
    ------
    AsrError
        The store was made with another configuration than the bundle's, or holds copies of
        utterances; or see `prepare_search`.
    """
    device = inference_device()
    bundle = load_bundle(bundle_folder, device)
    tell_of_compiling()
    search = prepare_search(bundle, request)
    store = Store.open(store_folder, bundle.config.features)
    store.check_plain()
    statistics = bundle.statistics(store.moments, [entry.speaker for entry in store.entries])
    batches = batches_by_length(store)

    def decoded(order: Sequence[int]) -> Iterator[Hypothesis]:
        if device != "cpu":
            from asr.decode.device_stage import decode_on_device, scorer_on

            scorer = scorer_on(device, search)
            if scorer is not None:
                return decode_on_device(bundle, store, statistics, order, search, scorer, threads)
        posteriors = chain.from_iterable(
            in_batches(store, statistics, order, bundle.log_posteriors))
        return decode_posteriors([store.entries[i].id for i in order], posteriors, bundle.units,
                                 bundle.frame_shift, search, threads)

    def write(path: Path) -> None:
        order = list(chain.from_iterable(shard.share(batches)))
        found = dict(zip(order, track(decoded(order), f"decode {store_folder.name}", len(order)),
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

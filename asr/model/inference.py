"""Log posteriors of many utterances, batched without a trace in the result."""

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from asr.features.batch import FrameBatch, cut_batches
from asr.features.store import Store
from asr.model.network import Network

BATCH_FRAMES = 24_000  # feature frames at once: 4 minutes of speech


def inference_device() -> torch.device:
    """The GPU if there is one; torchrun's processes take the machine's GPUs in turn."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local = int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", local % torch.cuda.device_count())
    torch.cuda.set_device(device)  # or pinned memory would take some of the first GPU as well
    return device


def device_log_posteriors(network: Network, frames: Sequence[np.ndarray], statistics: np.ndarray
                          ) -> list[Tensor]:
    """Run the network on one batch, in float32.

    Parameters
    ----------
    frames : sequence of N np.ndarray, shape = (T, F) each, float16
    statistics : np.ndarray, shape = (N, 2, F), float32

    Returns
    -------
    list of N Tensor, shape = (T', V) each, float32
        Natural logarithms, on the network's device; an utterance without frames gives shape (0, V).
    """
    device = next(network.parameters()).device
    spoken = [i for i, f in enumerate(frames) if len(f)]
    results = [torch.zeros((0, network.head.out_features), device=device)] * len(frames)
    if spoken:
        batch = FrameBatch.of([frames[i] for i in spoken], statistics[spoken]).to(device)
        with torch.inference_mode():
            posteriors = network(batch.x, batch.lengths, batch.statistics)
        for column, i in enumerate(spoken):
            length = network.output_lengths(torch.tensor(len(frames[i])))
            results[i] = posteriors[:length, column].contiguous()
    return results


def log_posteriors(network: Network, frames: Sequence[np.ndarray], statistics: np.ndarray
                   ) -> list[np.ndarray]:
    """As `device_log_posteriors`, in the processor's memory."""
    return [rows.cpu().numpy() for rows in device_log_posteriors(network, frames, statistics)]


def by_length(store: Store, indexes: Sequence[int]) -> list[int]:
    """Entries of a store from short to long, so that batches of them hold little padding."""
    return sorted(indexes, key=lambda i: (store.lengths[i], i))


def batches_by_length(store: Store) -> list[list[int]]:
    """All entries in the batches that `store_batches` makes of them by length.

    Some of these one after the other are cut into the same batches again: each ends where the next
    longer entry no longer fits, so a longer one does not either.
    """
    return list(cut_batches(by_length(store, range(len(store))), store.lengths, BATCH_FRAMES))


def evenly(size: int, wanted: int) -> list[int]:
    """`wanted` of `size` places, evenly spread; all for 0."""
    if not wanted or wanted >= size:
        return list(range(size))
    return [i * size // wanted for i in range(wanted)]


def store_batches(network: Network, store: Store, statistics: np.ndarray,
                  indexes: Sequence[int]) -> Iterator[list[Tensor]]:
    """Yield the log posteriors of the entries `indexes` of a store, in that order, in batches.

    They are those of `device_log_posteriors`.

    Parameters
    ----------
    statistics : np.ndarray, shape = (len(store), 2, F), float32
    """
    for batch in cut_batches(indexes, store.lengths, BATCH_FRAMES):
        yield device_log_posteriors(network, [store.frames(i) for i in batch], statistics[batch])


def store_log_posteriors(network: Network, store: Store, statistics: np.ndarray,
                         indexes: Sequence[int]) -> Iterator[np.ndarray]:
    """As `store_batches`, one by one and in the processor's memory."""
    for batch in store_batches(network, store, statistics, indexes):
        yield from (rows.cpu().numpy() for rows in batch)

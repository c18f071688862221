"""Log posteriors of many utterances, batched without a trace in the result."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from asr.features.batch import FrameBatch, cut_batches
from asr.features.store import Store
from asr.model.network import Network

BATCH_FRAMES = 24_000  # feature frames at once: 4 minutes of speech


def log_posteriors(network: Network, frames: Sequence[np.ndarray], statistics: np.ndarray
                   ) -> list[np.ndarray]:
    """Run the network on one batch, in float32.

    Parameters
    ----------
    frames : sequence of N np.ndarray, shape = (T, F) each, float16
    statistics : np.ndarray, shape = (N, 2, F), float32

    Returns
    -------
    list of N np.ndarray, shape = (T', V) each, float32
        Natural logarithms; an utterance without frames gives shape (0, V).
    """
    device = next(network.parameters()).device
    spoken = [i for i, f in enumerate(frames) if len(f)]
    results = [np.zeros((0, network.head.out_features), np.float32)] * len(frames)
    if spoken:
        batch = FrameBatch.of([frames[i] for i in spoken], statistics[spoken]).to(device)
        with torch.inference_mode():
            posteriors = network(batch.x, batch.lengths, batch.statistics).cpu().numpy()
        for column, i in enumerate(spoken):
            length = network.output_lengths(torch.tensor(len(frames[i])))
            results[i] = np.ascontiguousarray(posteriors[:length, column])
    return results


def by_length(store: Store, indexes: Sequence[int]) -> list[int]:
    """Entries of a store from short to long, so that batches of them hold little padding."""
    return sorted(indexes, key=lambda i: (store.lengths[i], i))


def evenly(size: int, wanted: int) -> list[int]:
    """`wanted` of `size` places, evenly spread; all for 0."""
    if not wanted or wanted >= size:
        return list(range(size))
    return [i * size // wanted for i in range(wanted)]


def store_log_posteriors(network: Network, store: Store, statistics: np.ndarray,
                         indexes: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the log posteriors of the entries `indexes` of a store, in that order.

    Parameters
    ----------
    statistics : np.ndarray, shape = (len(store), 2, F), float32
    """
    for batch in cut_batches(indexes, store.lengths, BATCH_FRAMES):
        yield from log_posteriors(network, [store.frames(i) for i in batch], statistics[batch])

"""Which utterances go through a network together, and how."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from asr.features.store import Store

A = TypeVar("A")
BATCH_FRAMES = 24_000  # feature frames at once: 4 minutes of speech


def padded(frames: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Utterances side by side.

    Parameters
    ----------
    frames : sequence of N np.ndarray, shape = (T, F) each

    Returns
    -------
    x : np.ndarray, shape = (N, T, F)
        T is that of the longest; zero past an utterance's length.
    lengths : np.ndarray, shape = (N,), int64
    """
    lengths = np.array([len(f) for f in frames], np.int64)
    x = np.zeros((len(frames), lengths.max(), frames[0].shape[1]), frames[0].dtype)
    for row, utterance in zip(x, frames, strict=True):
        row[:len(utterance)] = utterance
    return x, lengths


def cut_batches(order: Sequence[int], lengths: np.ndarray, max_frames: int) -> Iterator[list[int]]:
    """Cut a sequence of utterances into batches of at most `max_frames`, padding included.

    Parameters
    ----------
    order : sequence of int
        Utterances, best sorted by length, so that little is padded.
    lengths : np.ndarray, shape = (at least max(order) + 1,)
        Frames of each utterance; one that is longer than `max_frames` makes a batch of its own.
    """
    batch: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, int(lengths[index]))
        if batch and longest * (len(batch) + 1) > max_frames:
            yield batch
            batch, longest = [], int(lengths[index])
        batch.append(index)
    if batch:
        yield batch


def by_length(store: Store, indexes: Sequence[int]) -> list[int]:
    """Entries of a store from short to long, so that batches of them hold little padding."""
    return sorted(indexes, key=lambda i: (store.lengths[i], i))


def batches_by_length(store: Store) -> list[list[int]]:
    """All entries in the batches that `in_batches` makes of them by length.

    Some of these one after the other are cut into the same batches again: each ends where the next
    longer entry no longer fits, so a longer one does not either.
    """
    return list(cut_batches(by_length(store, range(len(store))), store.lengths, BATCH_FRAMES))


def evenly(size: int, wanted: int) -> list[int]:
    """`wanted` of `size` places, evenly spread; all for 0."""
    if not wanted or wanted >= size:
        return list(range(size))
    return [i * size // wanted for i in range(wanted)]


def in_batches(store: Store, statistics: np.ndarray, indexes: Sequence[int],
               posteriors: Callable[[Sequence[np.ndarray], np.ndarray], list[A]]
               ) -> Iterator[list[A]]:
    """Yield what a network makes of the entries `indexes` of a store, in that order, in batches.

    Parameters
    ----------
    statistics : np.ndarray, shape = (len(store), 2, F), float32
    posteriors : callable
        E.g. `Bundle.log_posteriors`, given a batch's frames and statistics.
    """
    for batch in cut_batches(indexes, store.lengths, BATCH_FRAMES):
        yield posteriors([store.frames(i) for i in batch], statistics[batch])

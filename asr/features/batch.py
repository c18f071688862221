"""Frames of several utterances in one padded tensor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class FrameBatch:
    """N utterances on one device; see `asr.model.network.Network.forward`."""

    x: Tensor
    """Shape (N, T, F), float16; zero past an utterance's length."""
    lengths: Tensor
    """Shape (N,), int64."""
    statistics: Tensor
    """Shape (N, 2, F), float32."""

    @classmethod
    def of(cls, frames: Sequence[np.ndarray], statistics: np.ndarray) -> "FrameBatch":
        """Pad frames of shape (T, F) each to the longest.

        In numpy: training calls this from a thread of its own, and a second thread in which torch
        starts OpenMP workers makes those of the first sleep between operations (libgomp spins
        only while there are no more workers than cores); see docs/training.md for the cost.
        """
        lengths = np.array([len(f) for f in frames])
        x = np.zeros((len(frames), lengths.max(), frames[0].shape[1]), np.float16)
        for row, utterance in zip(x, frames, strict=True):
            row[:len(utterance)] = utterance
        return cls(torch.from_numpy(x), torch.from_numpy(lengths),
                   torch.from_numpy(np.array(statistics, np.float32)))

    def __getitem__(self, rows: slice) -> "FrameBatch":
        """Some of the utterances, as padded as all."""
        return FrameBatch(self.x[rows], self.lengths[rows], self.statistics[rows])

    def to(self, device: torch.device) -> "FrameBatch":
        """The same on another device; copies to a GPU overlap with its work."""
        if device.type == "cuda":
            return FrameBatch(*(t.pin_memory().to(device, non_blocking=True)
                                for t in (self.x, self.lengths, self.statistics)))
        return self


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

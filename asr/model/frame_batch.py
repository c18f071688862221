"""Frames of several utterances in one padded tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asr.features.batch import padded


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
        x, lengths = padded(frames)
        return cls(torch.from_numpy(x), torch.from_numpy(lengths),
                   torch.from_numpy(np.array(statistics, np.float32)))

    def __getitem__(self, rows: slice) -> "FrameBatch":
        """Some of the utterances, as padded as all."""
        return FrameBatch(self.x[rows], self.lengths[rows], self.statistics[rows])

    def pinned(self) -> "FrameBatch":
        """The same in memory from which a GPU copies while it works."""
        return FrameBatch(*(tensor.pin_memory()
                            for tensor in (self.x, self.lengths, self.statistics)))

    def to(self, device: torch.device) -> "FrameBatch":
        """The same on another device, see `moved`."""
        return FrameBatch(*(moved(tensor, device)
                            for tensor in (self.x, self.lengths, self.statistics)))


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the processor's on another device; a copy to a GPU overlaps with its work."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor

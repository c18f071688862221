"""Log posteriors of several utterances by torch, batched without a trace in the result."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from asr.memory import out_of_memory
from asr.model.frame_batch import FrameBatch
from asr.model.network import Network


def device_log_posteriors(network: Network, frames: Sequence[np.ndarray], statistics: np.ndarray
                          ) -> list[Tensor]:
    """As `asr.model.bundle.Bundle.log_posteriors`, in tensors on the network's device.

    A batch for which memory runs out is done in two halves, and so on.
    """
    try:
        return _log_posteriors(network, frames, statistics)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error) or len(frames) == 1:
            raise
    half = len(frames) // 2  # outside of the handler: the exception holds what did not fit
    return [row for part in (slice(half), slice(half, None))
            for row in device_log_posteriors(network, frames[part], statistics[part])]


def _log_posteriors(network: Network, frames: Sequence[np.ndarray], statistics: np.ndarray
                    ) -> list[Tensor]:
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

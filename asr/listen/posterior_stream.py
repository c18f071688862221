"""Feature frames in blocks → log posteriors, by a one-directional network."""

import numpy as np
import torch
from torch import Tensor

from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.model.config import ModelConfig
from asr.model.network import Network
from asr.model.recurrent import RecurrentLayer, State


def check_live(model: ModelConfig, features: FeatureConfig) -> None:
    """Refuse a model that must have heard all of an utterance before it can say anything.

    Raises
    ------
    AsrError
        It is bidirectional, or normalises by the utterance or the speaker.
    """
    if model.bidirectional:
        fault, wanted = "hears each utterance from both ends", "model.bidirectional=false"
    elif features.cmvn in ("utterance", "speaker"):
        fault, wanted = f"normalises by the whole {features.cmvn}", "features with cmvn=global"
    else:
        return
    raise AsrError(f"this model {fault}, so it cannot listen while somebody speaks; train one for "
                   f"that ({wanted}; docs/listening.md), or record and use asr transcribe")


class PosteriorStream:
    """Log posteriors of a recording whose frames come in blocks, in constant memory.

    They are the network's of the whole, but for float32's rounding. Each is given with the last
    frame that the front end takes in for it.

    Parameters
    ----------
    network : Network
        See `check_live`.
    statistics : np.ndarray, shape = (2, F), float32
        Mean and reciprocal standard deviation, see `asr.features.cmvn`.
    """

    def __init__(self, network: Network, statistics: np.ndarray) -> None:
        self._network = network
        self._device = next(network.parameters()).device
        self._statistics = torch.tensor(statistics, device=self._device)[None]
        self._frames = torch.zeros((1, 0, statistics.shape[1]), device=self._device)
        self._context = 0  # output frames that the first of `_frames` are kept for
        self._states: list[State] = [None] * len(network.layers)

    def push(self, frames: np.ndarray) -> np.ndarray:
        """Take frames, shape = (T, F), and give log posteriors, shape = (T', V); T' may be 0."""
        x = torch.from_numpy(frames).to(self._device)[None]
        with torch.inference_mode():
            lengths = torch.tensor([x.shape[1]], device=self._device)
            x = self._network.normalise(x, lengths, self._statistics)
            self._frames = torch.cat([self._frames, x], dim=1)
            front_end = self._network.front_end
            before, after = self._network.config.reach
            # Frame t needs those up to t · subsampling + after.
            ready = (self._frames.shape[1] - after - 1) // front_end.subsampling + 1
            return self._posteriors(ready, keep=-(-before // front_end.subsampling))

    def finish(self) -> np.ndarray:
        """The log posteriors that waited for what would follow; shape = (T', V), float32."""
        with torch.inference_mode():
            frames = torch.tensor(self._frames.shape[1])
            return self._posteriors(int(self._network.output_lengths(frames)), keep=0)

    def _posteriors(self, ready: int, keep: int) -> np.ndarray:
        """Go on to output frame `ready` of those kept, then keep what is before it for `keep`.

        The front end runs on all that is kept: the edges of that are edges of the recording, or
        lie in what is left out.
        """
        network = self._network
        if ready <= self._context:
            return np.zeros((0, network.head.out_features), np.float32)
        lengths = torch.tensor([self._frames.shape[1]], device=self._device)
        x = network.front_end(self._frames, lengths)[:, self._context:ready].transpose(0, 1)
        posteriors = network.stacked(x.contiguous(), self._layer)
        self._context = min(keep, ready)
        self._frames = self._frames[:, (ready - self._context) * network.front_end.subsampling:]
        return posteriors[:, 0].cpu().numpy()

    def _layer(self, index: int, x: Tensor) -> Tensor:
        layer = self._network.layers[index]
        assert isinstance(layer, RecurrentLayer)
        y, self._states[index] = layer.go_on(x, self._states[index])
        return y

"""Front ends: feature frames → fewer, wider frames.

Shapes: N utterances, T frames, F feature values, D = `outputs`. Frames past an utterance's length
are zero on entry; each front end keeps them out of the others.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asr.model.config import ModelConfig


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """True where a frame belongs to its utterance: shape (N, frames), bool."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def frame_norm(kind: str, values: int) -> nn.Module:
    """What `ModelConfig.norm` names, for frames of so many values."""
    if kind == "none":
        return nn.Identity()
    return nn.LayerNorm(values) if kind == "layer" else nn.RMSNorm(values)


class _MaskedReLU(torch.autograd.Function):
    """relu(x) · mask. The gradient passes where the result is above zero, so that one look at it
    is enough where autograd would take two.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        y = torch.relu(x).mul_(mask.to(x.dtype))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        y, = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, y, 0), None


class FrontEnd(nn.Module):
    """What all front ends have."""

    subsampling: int
    outputs: int
    """Values of a frame that comes out."""

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Frames that come out for `lengths` frames that go in."""
        return (lengths + self.subsampling - 1) // self.subsampling


class Conv2dFrontEnd(FrontEnd):
    """Two 2-d convolutions, each followed by ReLU, normalised per frame.

    The first strides over time and frequency, the second over frequency. Padding is zeroed before
    each, so that what an utterance gets does not depend on its neighbours.
    """

    def __init__(self, features: int, channels: int, subsampling: int, norm: str) -> None:
        super().__init__()
        self.subsampling = subsampling
        # Windows overlap by a bit more than half.
        self.first = nn.Conv2d(1, channels, (2 * subsampling + 1, 3), (subsampling, 2),
                               (subsampling, 1))
        self.second = nn.Conv2d(channels, channels, (3, 3), (1, 2), (1, 1))
        self.outputs = channels * ((features + 3) // 4)
        self.norm = frame_norm(norm, self.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Shape (N, T, F) → (N, ⌈T / subsampling⌉, D)."""
        # On a CPU channels come last in memory, which oneDNN need not bring into another order.
        x = self._of_windows(x) if x.is_cuda else self.first(x[..., None].permute(0, 3, 1, 2))
        x = _MaskedReLU.apply(x, frame_mask(self.output_lengths(lengths),
                                            x.shape[2])[:, None, :, None])
        return self.norm(torch.relu(self.second(x).transpose(1, 2).flatten(2)))

    def _of_windows(self, x: Tensor) -> Tensor:
        """`first` as a matrix product: the gradient of the weights that a single channel has took
        cuDNN, asked for sums of one order, a fifth of a step on an H100 (docs/training.md).
        """
        s = self.subsampling
        windows = F.pad(x, (1, 1, s, s)).unfold(1, 2 * s + 1, s).unfold(2, 3, 2)
        return F.linear(windows.flatten(3), self.first.weight.flatten(1),
                        self.first.bias).permute(0, 3, 1, 2)


class Conv1dFrontEnd(FrontEnd):
    """As `Conv2dFrontEnd`, over time alone: the features are the first one's channels."""

    def __init__(self, features: int, channels: int, subsampling: int, norm: str) -> None:
        super().__init__()
        self.subsampling = subsampling
        self.outputs = 8 * channels
        self.first = nn.Conv1d(features, self.outputs, 2 * subsampling + 1, subsampling,
                               subsampling)
        self.second = nn.Conv1d(self.outputs, self.outputs, 3, 1, 1)
        self.norm = frame_norm(norm, self.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Shape (N, T, F) → (N, ⌈T / subsampling⌉, D)."""
        x = self.first(x.transpose(1, 2))
        x = _MaskedReLU.apply(x, frame_mask(self.output_lengths(lengths), x.shape[2])[:, None])
        x = torch.relu(self.second(x))
        return self.norm(x.transpose(1, 2))


class StackFrontEnd(FrontEnd):
    """`subsampling` neighbouring frames side by side."""

    def __init__(self, features: int, subsampling: int) -> None:
        super().__init__()
        self.subsampling = subsampling
        self.outputs = features * subsampling

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Shape (N, T, F) → (N, ⌈T / subsampling⌉, D)."""
        missing = -x.shape[1] % self.subsampling
        x = F.pad(x, (0, 0, 0, missing))
        return x.unflatten(1, (-1, self.subsampling)).flatten(2)


def make_front_end(config: ModelConfig, features: int) -> FrontEnd:
    """The front end that a configuration names, for frames of so many features."""
    if config.front_end == "stack":
        return StackFrontEnd(features, config.subsampling)
    kind = {"conv2d": Conv2dFrontEnd, "conv1d": Conv1dFrontEnd}[config.front_end]
    return kind(features, config.channels, config.subsampling, config.norm)

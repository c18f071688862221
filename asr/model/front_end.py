"""Front ends: feature frames → fewer, wider frames.

Shapes: N utterances, T frames, F feature values, D = `outputs`. Frames past an utterance's length
are zero on entry; each front end keeps them out of the others.
"""

import torch
from torch import Tensor, nn


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """True where a frame belongs to its utterance: shape (N, frames), bool."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


class ConvFrontEnd(nn.Module):
    """Two 2-d convolutions, each followed by ReLU, normalised per frame.

    The first strides over time and frequency, the second over frequency. Padding is zeroed before
    each, so that what an utterance gets does not depend on its neighbours.
    """

    def __init__(self, features: int, channels: int, subsampling: int) -> None:
        super().__init__()
        self.subsampling = subsampling
        reach = subsampling  # half the kernel: windows overlap by a bit more than half
        self.first = nn.Conv2d(1, channels, (2 * reach + 1, 3), (subsampling, 2), (reach, 1))
        self.second = nn.Conv2d(channels, channels, (3, 3), (1, 2), (1, 1))
        self.outputs = channels * ((features + 3) // 4)
        self.norm = nn.LayerNorm(self.outputs)

    @property
    def reach(self) -> tuple[int, int]:
        """Frames before and after frame t · `subsampling` that output frame t depends on."""
        return 2 * self.subsampling, 2 * self.subsampling

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Frames that come out for `lengths` frames that go in."""
        return (lengths + self.subsampling - 1) // self.subsampling

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Shape (N, T, F) → (N, ⌈T / subsampling⌉, D)."""
        x = torch.relu(self.first(x[:, None]))
        x = x * frame_mask(self.output_lengths(lengths), x.shape[2])[:, None, :, None]
        x = torch.relu(self.second(x))
        return self.norm(x.transpose(1, 2).flatten(2))


class StackFrontEnd(nn.Module):
    """`subsampling` neighbouring frames side by side."""

    def __init__(self, features: int, subsampling: int) -> None:
        super().__init__()
        self.subsampling = subsampling
        self.outputs = features * subsampling

    @property
    def reach(self) -> tuple[int, int]:
        """Frames before and after frame t · `subsampling` that output frame t depends on."""
        return 0, self.subsampling - 1

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Frames that come out for `lengths` frames that go in."""
        return (lengths + self.subsampling - 1) // self.subsampling

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Shape (N, T, F) → (N, ⌈T / subsampling⌉, D)."""
        missing = -x.shape[1] % self.subsampling
        x = nn.functional.pad(x, (0, 0, 0, missing))
        return x.unflatten(1, (-1, self.subsampling)).flatten(2)

"""Shape of the network."""

from typing import Literal

from pydantic import Field

from asr.config import Config


class ModelConfig(Config):
    """Front end, recurrent stack and CTC head."""

    front_end: Literal["conv2d", "conv1d", "stack"] = "conv2d"
    """Two convolutions over time and frequency, two over time, or neighbouring frames side by
    side."""
    subsampling: int = Field(3, ge=1, le=8)
    """Feature frames per output frame."""
    channels: int = Field(32, ge=1)
    """Of the 2-d convolutions; the 1-d ones have 8 times as many."""
    cell: Literal["lstm", "gru"] = "lstm"
    layers: int = Field(3, ge=1, le=100)
    """Recurrent layers."""
    units: int = Field(256, ge=1)
    """Cells per layer and direction."""
    bidirectional: bool = True
    """One-directional networks hear only the past."""
    projection: int = Field(0, ge=0)
    """Values to which a linear map reduces the outputs of each recurrent layer, both directions
    together; 0 leaves them as they are."""
    residual: bool = True
    """Each recurrent layer but the first adds to its input instead of replacing it."""
    norm: Literal["layer", "rms", "none"] = "layer"
    """What the front end's and each recurrent layer's frames are normalised by, over the values of
    a frame (Ba et al. 2016; Zhang & Sennrich 2019)."""
    dropout: float = Field(0.2, ge=0, le=0.99)
    """Probability of dropping a cell's output after each recurrent layer, in each frame; to the
    nearest 1/256."""

    @property
    def width(self) -> int:
        """Values a frame has between recurrent layers."""
        return self.projection or self.units * (2 if self.bidirectional else 1)

    @property
    def reach(self) -> tuple[int, int]:
        """Feature frames before and after frame t · `subsampling` that the front end takes in for
        its frame t."""
        if self.front_end == "stack":
            return 0, self.subsampling - 1
        return 2 * self.subsampling, 2 * self.subsampling

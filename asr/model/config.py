"""Shape of the network."""

from typing import Literal

from pydantic import Field

from asr.config import Config


class ModelConfig(Config):
    """Front end, recurrent stack and CTC head."""

    front_end: Literal["conv", "stack"] = "conv"
    """`conv`: two 2-d convolutions over time and frequency; `stack`: neighbouring frames side by
    side."""
    subsampling: int = Field(3, ge=1, le=8)
    """Feature frames per output frame."""
    channels: int = Field(32, ge=1)
    """Channels of the convolutions."""
    cell: Literal["lstm", "gru"] = "lstm"
    layers: int = Field(3, ge=1)
    """Recurrent layers."""
    units: int = Field(256, ge=1)
    """Cells per layer and direction."""
    bidirectional: bool = True
    """One-directional networks hear only the past."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Probability of dropping a cell's output after each recurrent layer, in each frame."""

    @property
    def width(self) -> int:
        """Values a frame has between recurrent layers."""
        return self.units * (2 if self.bidirectional else 1)

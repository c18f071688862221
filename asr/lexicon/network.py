"""The network that reads words aloud: letters → phones by CTC."""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from asr.config import Config
from asr.model.recurrent import RecurrentLayer


class G2pConfig(Config):
    """Shape of the network."""

    embedding: int = Field(64, ge=1, le=1 << 12)
    """Values of a frame that a letter is read as."""
    frames: int = Field(2, ge=1, le=8)
    """Frames that each letter is read as: a pronunciation may have that many phones for each."""
    layers: int = Field(2, ge=1, le=16)
    """Bidirectional LSTM layers."""
    units: int = Field(192, ge=1, le=1 << 12)
    """Cells per layer and direction."""


class G2pNetwork(nn.Module):
    """Embedding, bidirectional LSTM layers with residuals, linear output.

    As in speech recognition, phones are fewer than frames and in their order, so CTC needs no
    alignment of letters with phones (compare Rao et al. 2015, Grapheme-to-phoneme conversion using
    long short-term memory recurrent neural networks, section 3.3).
    """

    def __init__(self, config: G2pConfig, letters: int, phones: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(0.3 * nn.init.uniform_(
            torch.empty(letters, config.frames * config.embedding), -1, 1))
        self.layers = nn.ModuleList(
            RecurrentLayer("lstm", 2 * config.units if index else config.embedding, config.units,
                           bidirectional=True) for index in range(config.layers))
        self.head = nn.Linear(2 * config.units, phones + 1)

    def forward(self, letters: Tensor, lengths: Tensor, keep: float = 1.0) -> Tensor:
        """Log posteriors of blank and phones; shape (N, L) → (frames · L, N, phones + 1).

        Parameters
        ----------
        letters : Tensor, shape = (N, L), int64
        lengths : Tensor, shape = (N,)
            Letters of each word; what is past them is ignored.
        keep : float
            Share of each layer's outputs that dropout leaves.
        """
        size, longest = letters.shape
        x = F.embedding(letters, self.embedding)
        x = x.view(size, longest * self.config.frames, -1).transpose(0, 1).contiguous()
        lengths = lengths * self.config.frames
        for index, layer in enumerate(self.layers):
            y = F.dropout(layer(x, lengths), 1 - keep)
            x = x + y if index else y
        return self.head(x).float().log_softmax(dim=2)

"""The network of an LSTM language model: from units to what comes next."""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from asr.config import Config
from asr.model.recurrent import initialise

State = list[tuple[Tensor, Tensor]]
"""Output and cell of each layer, shape (N, units) each."""


class LstmConfig(Config):
    """Shape of the network."""

    embedding: int = Field(512, ge=1, le=1 << 14)
    """Values that stand for a unit."""
    layers: int = Field(1, ge=1, le=16)
    """LSTM layers."""
    units: int = Field(512, ge=1, le=1 << 14)
    """Cells per layer."""
    tied: bool = True
    """Whether the output layer's weights are the embeddings (Press and Wolf 2017)."""

    @property
    def widths(self) -> list[int]:
        """Values a unit has before the first layer and after each."""
        return [self.embedding, *[self.units] * self.layers]

    @model_validator(mode="after")
    def _fit(self) -> "LstmConfig":
        if self.tied and self.embedding != self.units:
            raise ValueError(f"the output layer can share the weights of embeddings as wide as the "
                             f"layers only ({self.embedding} is not {self.units}); make them equal "
                             "or set tied=false")
        return self


class LstmNetwork(nn.Module):
    """Embedding, LSTM layers, linear output. No randomness of its own: dropout comes in.

    Parameters
    ----------
    symbols : int
        V, the size of the vocabulary.
    """

    def __init__(self, config: LstmConfig, symbols: int) -> None:
        super().__init__()
        # No nn.Embedding: its own initial values cost seconds of imports on the meta device.
        self.embedding = nn.Parameter(torch.empty(symbols, config.embedding))
        layers = [nn.LSTM(a, b) for a, b in itertools.pairwise(config.widths)]
        self.layers = nn.ModuleList(layers)
        self.output = None if config.tied else nn.Parameter(torch.empty(symbols, config.units))
        self.bias = nn.Parameter(torch.zeros(symbols))
        for layer in layers:
            initialise(layer, config.units)
        for matrix in (self.embedding, self.output):
            if matrix is not None:
                # With the ±0.1 of Zaremba et al. (2014) the embeddings hardly reach the gates, and
                # much of a short training goes by before the context is used.
                nn.init.uniform_(matrix, -0.3, 0.3)

    def forward(self, units: Tensor, dropout: Sequence[Tensor] | None = None) -> Tensor:
        """What the last layer makes of sentences; `logits` predicts the next units from it.

        Sentences run from left to right, so padding at their ends changes nothing before it.

        Parameters
        ----------
        units : Tensor, shape = (T, N), int64
            The first of each is `BOUNDARY`.
        dropout : sequence of layers + 1 Tensors, shape = (T, N, width) each, optional
            Factors of the embeddings and of each layer's outputs.

        Returns
        -------
        Tensor, shape = (T, N, units)
        """
        x = F.embedding(units, self.embedding)
        if dropout is not None:
            x = x * dropout[0]
        for i, layer in enumerate(self.layers):
            x, _ = layer(x)
            if dropout is not None:
                x = x * dropout[i + 1]
        return x

    def step(self, units: Tensor, state: State | None) -> tuple[Tensor, State]:
        """The same, one unit of each sentence at a time, which oneDNN's layers are slow at.

        Parameters
        ----------
        units : Tensor, shape = (N,), int64
        state : State, optional
            Before them; None at the beginning of the sentences.

        Returns
        -------
        hidden : Tensor, shape = (N, units)
        state : State
        """
        x = F.embedding(units, self.embedding)
        after: State = []
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, nn.LSTM)
            before = state[i] if state else (x.new_zeros(len(x), layer.hidden_size),) * 2
            x, cell = torch.lstm_cell(x, before, *layer.all_weights[0])
            after.append((x, cell))
        return x, after

    def logits(self, hidden: Tensor) -> Tensor:
        """Shape (…, units) → (…, V): log probabilities of the next unit, but for a constant."""
        weight = self.embedding if self.output is None else self.output
        return F.linear(hidden, weight, self.bias)

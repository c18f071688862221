"""The network: front end → recurrent stack → log posteriors of the units."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from asr.model.config import ModelConfig
from asr.model.front_end import frame_mask, make_front_end
from asr.model.recurrent import RecurrentLayer
from asr.splitmix import words


class Network(nn.Module):
    """Bidirectional stacked LSTM with a CTC head.

    It holds no randomness: dropout masks come in from outside, so that what an utterance gets
    depends on nothing but the utterance.

    Parameters
    ----------
    features : int
        Values of a feature frame.
    symbols : int
        Number of units, the blank included.
    """

    def __init__(self, config: ModelConfig, features: int, symbols: int) -> None:
        super().__init__()
        self.config = config
        self.front_end = make_front_end(config, features)
        self.layers = nn.ModuleList(
            RecurrentLayer(config.cell, config.width if index else self.front_end.outputs,
                           config.units, config.bidirectional, config.projection, config.norm)
            for index in range(config.layers))
        self.head = nn.Linear(config.width, symbols)
        nn.init.zeros_(self.head.bias)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Output frames of utterances with `lengths` feature frames."""
        return self.front_end.output_lengths(lengths)

    def forward(self, x: Tensor, lengths: Tensor, statistics: Tensor,
                dropout: Sequence[Tensor] | None = None) -> Tensor:
        """Log posteriors.

        Parameters
        ----------
        x : Tensor, shape = (N, T, F), float16 or float32
            Feature frames as the store holds them; what is past an utterance's length is ignored.
        lengths : Tensor, shape = (N,), int64
        statistics : Tensor, shape = (N, 2, F), float32
            Mean and reciprocal standard deviation, see `asr.features.cmvn`.
        dropout : sequence of Tensor, shape = (T', N, D), bool
            Which of each layer's outputs are kept, from `dropout_masks`; None when not training.

        Returns
        -------
        Tensor, shape = (T', N, V), float32
            T' = `output_lengths(T)`; frames past an utterance's length are meaningless.
        """
        return self.from_normalised(self.normalise(x, lengths, statistics), lengths, dropout)

    @staticmethod
    def normalise(x: Tensor, lengths: Tensor, statistics: Tensor) -> Tensor:
        """Mean and variance normalised frames in float32, zero past an utterance's length."""
        x = (x.float() - statistics[:, None, 0]) * statistics[:, None, 1]
        return x * frame_mask(lengths, x.shape[1])[:, :, None]

    def from_normalised(self, x: Tensor, lengths: Tensor, dropout: Sequence[Tensor] | None
                        ) -> Tensor:
        """As `forward`, from normalised frames whose padding is zero."""
        x = self.front_end(x, lengths).transpose(0, 1).contiguous()
        lengths = self.output_lengths(lengths)

        def run(index: int, x: Tensor) -> Tensor:
            y = self.layers[index](x, lengths)
            if dropout is None:
                return y
            # A product of halves with booleans would convert both, which takes longer on a CPU.
            return y * dropout[index].to(y.dtype) / (1 - _dropped(self.config) / 256)

        return self.stacked(x, run)

    def stacked(self, x: Tensor, run: Callable[[int, Tensor], Tensor]) -> Tensor:
        """Log posteriors from the front end's frames, shape (T', N, D) → (T', N, V).

        Parameters
        ----------
        run : callable
            What the layer with this index makes of its input.
        """
        for index in range(len(self.layers)):
            y = run(index, x)
            # The front end's frames have another width.
            x = x + y if index and self.config.residual else y
        return self.head(x).float().log_softmax(dim=2)


def arrays(state: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """A network's `state_dict`, or what is like it, as `asr.model.bundle.save_bundle` takes it."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}


def _dropped(config: ModelConfig) -> int:
    """How many of 256 outputs dropout drops: masks are drawn as bytes."""
    return round(256 * config.dropout)


def dropout_masks(config: ModelConfig, seeds: Tensor, frames: int) -> list[Tensor] | None:
    """Which outputs of the recurrent layers are kept, a function of each utterance's seed alone.

    Parameters
    ----------
    seeds : Tensor, shape = (N,), int64
        One of each utterance, see `asr.randomness.seed_of`.
    frames : int
        Output frames T' of the longest.

    Returns
    -------
    list of Tensor, shape = (T', N, D), bool
        A layer's outputs each, False with probability `config.dropout` (to the nearest 1/256);
        None where that probability is 0.
    """
    dropped = _dropped(config)
    if dropped == 0:
        return None
    eights = -(-config.width // 8)  # a word has eight masks
    places = torch.arange(frames * eights, device=seeds.device).view(frames, 1, eights)
    return [words(seeds[:, None], places + (layer << 40))
            .view(torch.uint8)[:, :, :config.width] >= dropped
            for layer in range(config.layers)]

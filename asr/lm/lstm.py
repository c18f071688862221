"""An LSTM language model: what it makes of sentences, and its file.

The probability of a sentence is that of its units and of the boundary after them, each given all
that came before it in the sentence. Every sentence starts from the same state, a zero one.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from asr import __version__
from asr.config import Config, parse_config
from asr.errors import AsrError, one_line
from asr.features.batch import cut_batches
from asr.files import atomic_write
from asr.lm.lstm_network import LstmConfig, LstmNetwork
from asr.lm.vocabulary import BOUNDARY, Kind, Vocabulary
from asr.model.weights import check_contents, contents
from asr.randomness import generator

FORMAT = "asr LSTM language model 1"
_REMAKE = "make it again with asr lm train"
_METADATA = "description"  # one entry: safetensors writes several in any order
_VOCABULARY = "vocabulary"  # name of its content among the tensors
_BATCH = 8192  # units that are scored at once, padding included
_STEPS = 1024  # units of a sentence at once: a long one is gone through in stretches
_LOGITS = 1 << 24  # at once, 64 MiB
_SAMPLES = 256  # sentences at once


class LstmModel:
    """A network and the vocabulary whose units it predicts. Threads may share one."""

    def __init__(self, vocabulary: Vocabulary, network: LstmNetwork) -> None:
        self.vocabulary = vocabulary
        self.network = network

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> "LstmModel":
        """Read what `save_lstm` wrote.

        Raises
        ------
        AsrError
            The file is missing, damaged, or something else; or sentencepiece is not there, which
            byte pairs need.
        """
        try:
            with safe_open(path, framework="pt") as file:
                values = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
                if not isinstance(values, dict) or values.get("format") != FORMAT:
                    raise AsrError(f"{path}: not written as `{FORMAT}`; make one with asr lm train")
                description = parse_config(_Description, values, str(path))
                with torch.device("meta"):  # shapes only: memory is taken once the file fits them
                    network = LstmNetwork(description.model, description.symbols)
                if file.get_slice(_VOCABULARY).get_dtype() != "U8":
                    raise ValueError("no vocabulary")
                shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
                check_contents(path, file, contents(shapes), _REMAKE, {_VOCABULARY})
                content = file.get_tensor(_VOCABULARY).numpy().tobytes()
                vocabulary = Vocabulary(description.units, content)
                if len(vocabulary) != description.symbols:
                    raise ValueError(f"{len(vocabulary)} units, not {description.symbols}")
                weights = {name: file.get_tensor(name) for name in network.state_dict()}
        except FileNotFoundError:
            raise AsrError(f"{path}: no such file") from None
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise AsrError(f"{path}: no LSTM language model, or a damaged one "
                           f"({one_line(error)}); {_REMAKE}") from None
        if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
            raise AsrError(f"{path}: damaged (weights that are no numbers); {_REMAKE}")
        network.load_state_dict(weights, assign=True)
        return cls(vocabulary, network.to(device))

    def knows(self, word: str) -> bool:
        """See `Vocabulary.knows`."""
        return self.vocabulary.knows(word)

    def score(self, sentences: Sequence[str]) -> np.ndarray:
        """Log probability of each sentence, its end included.

        Words must have been normalised as the training text was. Byte pairs are those that the
        vocabulary makes of a word; other ways to spell it are not added up. See
        `Vocabulary.spell` for what becomes of unknown words.

        Returns
        -------
        np.ndarray, shape = (len(sentences),), float64
            Natural logarithms.
        """
        return np.array([s.sum() for s in self.word_scores([s.split() for s in sentences])])

    def word_scores(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Log probability of each word of each sentence, and of its end.

        Returns
        -------
        list of np.ndarray, shape = (words + 1,) each, float64
            Natural logarithms, summed over a word's units; 0 for a word of which nothing is left.
        """
        spelt = [[*map(self.vocabulary.spell, sentence), (BOUNDARY,)] for sentence in sentences]
        scores: list[np.ndarray] = []
        found = self._unit_scores([[*itertools.chain(*words)] for words in spelt])
        for words, units in zip(spelt, found, strict=True):
            ends = np.cumsum([len(word) for word in words])
            scores.append(np.diff(np.append(0.0, units.cumsum())[ends], prepend=0.0))
        return scores

    def _unit_scores(self, sentences: Sequence[list[int]]) -> list[np.ndarray]:
        """Log probability of every unit, in float64; the last unit is `BOUNDARY`."""
        lengths = np.array([len(units) for units in sentences])
        scores: list[np.ndarray] = [np.empty(0)] * len(sentences)
        for batch in cut_batches(np.argsort(lengths, kind="stable").tolist(), lengths, _BATCH):
            units = np.full((lengths[batch].max() + 1, len(batch)), BOUNDARY)
            for column, i in enumerate(batch):
                units[1:lengths[i] + 1, column] = sentences[i]
            found = self._batch_scores(torch.from_numpy(units))
            for column, i in enumerate(batch):
                scores[i] = found[:lengths[i], column]
        return scores

    @torch.inference_mode()
    def _batch_scores(self, units: Tensor) -> np.ndarray:
        """Log probability of each unit after the first, shape (T + 1, N) → (T, N)."""
        units = units.to(self.network.bias.device)
        state, scores = None, []
        rows = max(1, _LOGITS // len(self.vocabulary))
        for start in range(0, len(units) - 1, _STEPS):
            stretch = units[start:start + _STEPS + 1]
            hidden, state = self.network(stretch[:-1], state)
            loss = [F.cross_entropy(self.network.logits(h), target, reduction="none")
                    for h, target in zip(hidden.flatten(0, 1).split(rows),
                                         stretch[1:].flatten().split(rows), strict=True)]
            scores.append(-torch.cat(loss).double().cpu().numpy().reshape(-1, units.shape[1]))
        return np.concatenate(scores)

    def sample(self, sentences: int, seed: int, temperature: float, longest: int) -> Iterator[str]:
        """Draw sentences from the model, each a function of `seed` and its number.

        Parameters
        ----------
        temperature : float
            By which logits are divided: below 1 for what is likely, above for variety.
        longest : int
            Units after which a sentence is cut off.
        """
        for start in range(0, sentences, _SAMPLES):
            randoms = [generator(seed, "sample", i)
                       for i in range(start, min(start + _SAMPLES, sentences))]
            for units in self._sample(randoms, temperature, longest).T:
                ends = np.flatnonzero(units == BOUNDARY)
                yield self.vocabulary.decode(units[:ends[0]] if len(ends) else units)

    @torch.inference_mode()
    def _sample(self, randoms: Sequence[np.random.Generator], temperature: float, longest: int
                ) -> np.ndarray:
        """Units of N sentences, shape (at most `longest`, N); noise after the first `BOUNDARY`."""
        units = torch.full((1, len(randoms)), BOUNDARY, device=self.network.bias.device)
        state, over = None, np.zeros(len(randoms), bool)
        drawn: list[np.ndarray] = []
        while len(drawn) < longest and not over.all():
            hidden, state = self.network(units, state)
            logits = self.network.logits(hidden[0]).double() / temperature
            cumulated = logits.softmax(1).cumsum(1).cpu().numpy()
            chosen = np.array([row.searchsorted(random.random() * row[-1], "right")
                               for row, random in zip(cumulated, randoms, strict=True)])
            over |= chosen == BOUNDARY
            drawn.append(chosen)
            units = torch.from_numpy(chosen)[None].to(units.device)
        return np.stack(drawn)


def save_lstm(path: Path, vocabulary: Vocabulary, config: LstmConfig,
              weights: Mapping[str, Tensor], provenance: dict[str, Any]) -> None:
    """Write one safetensors file: weights, the vocabulary's content, all else as metadata.

    Parameters
    ----------
    weights : mapping of str to Tensor
        The network's `state_dict`.
    provenance : dict
        What the model comes from, for whoever asks; JSON.
    """
    description = _Description(units=vocabulary.kind, symbols=len(vocabulary), model=config,
                               provenance=provenance)
    content = torch.frombuffer(bytearray(vocabulary.content), dtype=torch.uint8)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic_write(path, binary=True) as file:
        file.write(save(tensors | {_VOCABULARY: content},
                        {_METADATA: description.model_dump_json()}))


class _Description(Config):
    """What a file says of itself."""

    format: str = FORMAT
    asr_version: str = __version__
    """Version that wrote it."""
    units: Kind
    symbols: int = Field(ge=2, le=1 << 20)
    """Size of the vocabulary."""
    model: LstmConfig
    provenance: dict[str, Any]

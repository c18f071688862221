"""An LSTM language model: what it makes of sentences, and its file.

The probability of a sentence is that of its units and of the boundary after them, each given all
that came before it in the sentence. Every sentence starts from the same state, a zero one.
"""

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from asr import __version__
from asr.config import Config, parse_config
from asr.errors import AsrError, one_line
from asr.features.batch import cut_batches
from asr.files import atomic_write
from asr.lm.lstm_network import LstmConfig, LstmNetwork, State
from asr.lm.vocabulary import BOUNDARY, Kind, Vocabulary
from asr.model.weights import check_contents, contents
from asr.randomness import generator

FORMAT = "asr LSTM language model 1"
_REMAKE = "make it again with asr lm train"
_METADATA = "description"  # one entry: safetensors writes several in any order
_VOCABULARY = "vocabulary"  # name of its content among the tensors
_BATCH = 1 << 16  # units that are scored at once, padding included
_LOGITS = 1 << 24  # at once, 64 MiB
_ROWS = 4  # at least; what MKL makes of fewer depends on where in memory they lie
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
        """Log probability of every unit, in float64; the last unit is `BOUNDARY`.

        What sentences begin with in common is gone through once: of a beam's texts that is most.
        """
        order = sorted(range(len(sentences)), key=sentences.__getitem__)
        lengths = np.array([len(units) for units in sentences])
        scores: list[np.ndarray] = [np.empty(0)] * len(sentences)
        for batch in cut_batches(order, lengths, _BATCH):
            units = np.full((len(batch), lengths[batch].max()), -1)
            for row, i in enumerate(batch):
                units[row, :lengths[i]] = sentences[i]
            found = self._batch_scores(units, lengths[batch])
            for row, i in enumerate(batch):
                scores[i] = found[row, :lengths[i]]
        return scores

    @torch.inference_mode()
    def _batch_scores(self, units: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Log probability of each unit of sentences in their order, shape (N, T)."""
        device = self.network.bias.device
        alike = np.logical_and.accumulate(units[1:] == units[:-1], axis=1).sum(axis=1)
        alike = np.append(-1, alike)  # units in common with the sentence before
        scores = np.zeros(units.shape)
        state: State | None = None
        node = np.zeros(len(units), np.int64)  # of the beginnings at hand, the sentence's own
        for t in range(units.shape[1]):
            going = np.flatnonzero(lengths > t)
            first = alike[going] < t
            first[0] = True
            begin = np.resize(going[first], max(first.sum(), _ROWS))
            before = units[begin, t - 1] if t else np.full(_ROWS, BOUNDARY)
            if state is not None:
                parents = torch.from_numpy(node[begin]).to(device)
                state = [(h[parents], c[parents]) for h, c in state]
            hidden, state = self.network.step(torch.from_numpy(before).to(device), state)
            node[going] = np.cumsum(first) - 1
            scores[going, t] = self._log_probs(hidden, node[going], units[going, t])
        return scores

    def _log_probs(self, hidden: Tensor, rows: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Of units after what some rows of `hidden` stand for; `rows` rise."""
        found, start = [], 0
        parts = math.ceil(len(hidden) * len(self.vocabulary) / _LOGITS)
        for some in hidden.tensor_split(parts):
            logits = self.network.logits(some)
            own = slice(*np.searchsorted(rows, (start, start + len(some))))
            chosen = torch.from_numpy(np.stack([rows[own] - start, units[own]])).to(logits.device)
            found.append((logits[*chosen] - logits.logsumexp(1)[chosen[0]]).double().cpu())
            start += len(some)
        return torch.cat(found).numpy()

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
        rows = max(len(randoms), _ROWS)
        units = torch.full((rows,), BOUNDARY, device=self.network.bias.device)
        state, over = None, np.zeros(len(randoms), bool)
        drawn: list[np.ndarray] = []
        while len(drawn) < longest and not over.all():
            hidden, state = self.network.step(units, state)
            logits = self.network.logits(hidden).double() / temperature
            cumulated = logits.softmax(1).cumsum(1)[:len(randoms)].cpu().numpy()
            chosen = np.array([row.searchsorted(random.random() * row[-1], "right")
                               for row, random in zip(cumulated, randoms, strict=True)])
            over |= chosen == BOUNDARY
            drawn.append(chosen)
            units = torch.from_numpy(np.resize(chosen, rows)).to(units.device)
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

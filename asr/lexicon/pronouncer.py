"""A trained grapheme-to-phoneme model: what it makes of words, and its file."""

import json
from collections.abc import Sequence
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
from asr.decode.greedy import greedy_search
from asr.errors import AsrError, one_line
from asr.features.batch import cut_batches
from asr.files import atomic_write
from asr.lexicon.dictionary import Pronunciation
from asr.lexicon.network import G2pConfig, G2pNetwork
from asr.model.weights import check_contents, contents

FORMAT = "asr grapheme-to-phoneme model 1"
_METADATA = "description"  # one entry: safetensors writes several in any order
_BATCH = 4096  # letters at once, padding included


class Pronouncer:
    """A network with the letters that it reads and the phones that it says."""

    def __init__(self, letters: Sequence[str], phones: Sequence[str], network: G2pNetwork) -> None:
        self.letters = list(letters)
        self.phones = list(phones)
        self.network = network
        self._index = {letter: i for i, letter in enumerate(letters)}

    @classmethod
    def load(cls, path: Path) -> "Pronouncer":
        """Read what `save` wrote.

        Raises
        ------
        AsrError
            The file is missing, damaged, or something else.
        """
        remake = "make it again with asr lexicon train"
        try:
            with safe_open(path, framework="pt") as file:
                values = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
                if not isinstance(values, dict) or values.get("format") != FORMAT:
                    raise AsrError(f"{path}: not written as `{FORMAT}`; make one with asr lexicon "
                                   "train")
                description = parse_config(_Description, values, str(path))
                with torch.device("meta"):  # shapes only: memory is taken once the file fits them
                    network = G2pNetwork(description.model, len(description.letters),
                                         len(description.phones))
                shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
                check_contents(path, file, contents(shapes), remake)
                weights = {name: file.get_tensor(name) for name in network.state_dict()}
        except FileNotFoundError:
            raise AsrError(f"{path}: no such file") from None
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise AsrError(f"{path}: damaged ({one_line(error)}); {remake}") from None
        network.load_state_dict(weights, assign=True)
        return cls(description.letters, description.phones, network)

    def save(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write one safetensors file: weights, all else as metadata.

        Parameters
        ----------
        provenance : dict
            What the model comes from, for whoever asks; JSON.
        """
        description = _Description(letters=self.letters, phones=self.phones,
                                   model=self.network.config, provenance=provenance)
        tensors = {name: tensor.detach().contiguous()
                   for name, tensor in self.network.state_dict().items()}
        with atomic_write(path, binary=True) as file:
            file.write(save(tensors, {_METADATA: description.model_dump_json()}))

    def spell(self, word: str) -> list[int]:
        """The word's letters as numbers; none where one is not among those that are known."""
        return [self._index[c] for c in word] if all(c in self._index for c in word) else []

    def __call__(self, words: Sequence[str]) -> list[Pronunciation]:
        """The most probable phones of each word by greedy search.

        Empty where a word has a letter that was not in the training words, or says nothing.
        """
        spelt = [self.spell(word) for word in words]
        lengths = np.array([len(letters) for letters in spelt])
        order = [i for i in np.argsort(lengths, kind="stable").tolist() if lengths[i]]
        found: list[Pronunciation] = [()] * len(words)
        for batch in cut_batches(order, lengths, _BATCH):
            letters = padded([spelt[i] for i in batch])
            with torch.inference_mode():
                posteriors = self.network(letters, torch.from_numpy(lengths[batch])).numpy()
            for column, i in enumerate(batch):
                frames = lengths[i] * self.network.config.frames
                labels = greedy_search(np.ascontiguousarray(posteriors[:frames, column]))[0]
                found[i] = tuple(self.phones[label - 1] for label in labels)
        return found


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of unequal length in one matrix, zero past their ends; shape (N, L), int64."""
    result = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for line, row in zip(result, rows, strict=True):
        line[:len(row)] = torch.tensor(row)
    return result


class _Description(Config):
    """What a file says of itself."""

    format: str = FORMAT
    asr_version: str = __version__
    """Version that wrote it."""
    letters: list[str] = Field(min_length=1, max_length=1 << 16)
    phones: list[str] = Field(min_length=1, max_length=1 << 16)
    model: G2pConfig
    provenance: dict[str, Any]

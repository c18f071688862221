"""Sentences to train on, as units in one flat array, and the batches of every epoch."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from asr.features.batch import cut_batches
from asr.lm.ngram import END, SPECIAL, START, UNKNOWN
from asr.lm.vocabulary import BOUNDARY, Vocabulary
from asr.randomness import generator

_PART = 1 << 20  # words that are spelt at once


class UnitBatch(NamedTuple):
    """N sentences, padded to the longest; see `asr.lm.lstm_network.LstmNetwork.forward`."""

    units: Tensor
    """Each begins with `BOUNDARY`; shape (T, N), int64."""
    valid: Tensor
    """Which of them belong to a sentence; shape (T, N), bool."""
    targets: Tensor
    """What comes after each of those, row by row; shape (valid,), int64."""
    words: int
    """Words of the sentences."""


class Corpus:
    """Sentences of a text, in two or four bytes a unit.

    Parameters
    ----------
    tokens, words
        See `asr.lm.build.tokenise`.
    """

    def __init__(self, tokens: np.ndarray, words: Sequence[str], vocabulary: Vocabulary) -> None:
        # Each sentence's units with a boundary after it; the one before is that of its predecessor.
        self.units = _spell(tokens, words, vocabulary)
        boundaries = np.flatnonzero(self.units == BOUNDARY)
        self.starts = boundaries[:-1]
        """Place of the boundary before each sentence, shape (N,)."""
        self.lengths = np.diff(boundaries)
        """Units of each sentence and the boundary after it, shape (N,)."""
        self.words = np.diff(np.flatnonzero(tokens == END), prepend=-1) - 2
        """Words of each sentence, shape (N,)."""

    def fingerprint(self, development: Sequence[str]) -> str:
        """16 hex digits that change with the data: a resumed training must find the same."""
        digest = hashlib.sha256(self.units.data)
        digest.update("\n".join(development).encode())
        return digest.hexdigest()[:16]

    def plan(self, seed: int, epoch: int, epoch_sentences: int, batch_units: int
             ) -> list[list[int]]:
        """The batches of an epoch: like lengths together, the order of batches shuffled.

        Sentences are drawn anew whenever all have had their turn, in one epoch or in several of
        about `epoch_sentences`. One that is longer than `batch_units` is in none.
        """
        fit = np.flatnonzero(self.lengths <= batch_units)
        parts = -(-len(fit) // epoch_sentences) if epoch_sentences else 1
        turn, part = divmod(epoch - 1, parts)
        chosen = generator(seed, "order", turn).permutation(fit)[part::parts]
        by_length = chosen[np.argsort(self.lengths[chosen], kind="stable")]
        batches = list(cut_batches(by_length.tolist(), self.lengths, batch_units))
        return [batches[i] for i in generator(seed, "batches", epoch).permutation(len(batches))]

    def batch(self, sentences: Sequence[int]) -> UnitBatch:
        """Assemble a batch of the sentences with these numbers."""
        lengths = self.lengths[sentences]
        steps = np.arange(lengths.max())[:, None]
        valid = steps < lengths
        places = np.where(valid, self.starts[sentences] + steps, 0)
        return UnitBatch(torch.from_numpy(self.units[places].astype(np.int64)),
                         torch.from_numpy(valid),
                         torch.from_numpy(self.units[places[valid] + 1].astype(np.int64)),
                         int(self.words[sentences].sum()))


def dropout_factors(probability: float, widths: Sequence[int], units: Tensor, *name: int | str
                    ) -> list[Tensor]:
    """What `LstmNetwork.forward` multiplies by, a function of `name` alone.

    Parameters
    ----------
    probability : float
        Of a 0, to the nearest 1/256; up to 255/256.
    units : Tensor, shape = (T, N)
        The batch that it is for.

    Returns
    -------
    list of Tensors, shape = (T, N, width) for each of `widths`, float32
        0 or 1 / (1 − probability).
    """
    random, dropped = generator(*name), round(256 * probability)
    factors = []
    for width in widths:
        drawn = np.frombuffer(random.bytes(units.numel() * width), np.uint8)
        kept = (drawn >= dropped).reshape(*units.shape, width)
        factors.append(torch.from_numpy(kept * np.float32(256 / (256 - dropped))))
    return factors


def _spell(tokens: np.ndarray, words: Sequence[str], vocabulary: Vocabulary) -> np.ndarray:
    """Units of all sentences, uint16 where that is enough, with a boundary before and after."""
    markers: dict[int, tuple[int, ...]] = {
        UNKNOWN: vocabulary.spell(SPECIAL[UNKNOWN]), START: (), END: (BOUNDARY,)}
    spellings = [*(markers[i] for i in range(len(SPECIAL))), *map(vocabulary.spell, words)]
    counts = np.array([len(units) for units in spellings])
    firsts = counts.cumsum() - counts
    dtype = np.uint16 if len(vocabulary) <= 1 << 16 else np.int32
    table = np.array([unit for units in spellings for unit in units], dtype)
    parts = [np.array([BOUNDARY], dtype)]
    for part in np.array_split(tokens, 1 + len(tokens) // _PART):
        count = counts[part]
        shift = np.repeat(firsts[part] - (count.cumsum() - count), count)
        parts.append(table[shift + np.arange(len(shift))])
    return np.concatenate(parts)

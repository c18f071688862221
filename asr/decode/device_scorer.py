"""Scorers of `asr.decode.device_beam`: tensor forms of some that `asr.decode.beam` compiles in."""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from asr.decode.character_lm import CharacterScorer
from asr.decode.scorer import NullScorer
from asr.lm.ngram import END, Trie


class DeviceScorer(Protocol):
    """What the search asks, of all prefixes of a batch at once; a state is one integer.

    N utterances, K prefixes each, V units.
    """

    start: int
    """The state of the empty prefix."""

    def advance(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """The state after each unit, and what the unit adds to the log score.

        From shape (N, K), int64, to int64 and float64 of shape (N, K, V) or (N, K, 1). What is said
        of the blank is ignored.
        """

    def finish(self, state: Tensor) -> Tensor:
        """What ending adds: shape (N, K), float64."""


class NullDeviceScorer:
    """Leaves the score to the posteriors."""

    start = 0

    def advance(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """See `DeviceScorer`."""
        return state[:, :, None], torch.zeros_like(state, dtype=torch.float64)[:, :, None]

    def finish(self, state: Tensor) -> Tensor:
        """See `DeviceScorer`."""
        return torch.zeros_like(state, dtype=torch.float64)


class CharacterDeviceScorer:
    """See `asr.decode.character_lm`: the same model and weights, and a state is the same node."""

    def __init__(self, scorer: CharacterScorer, device: torch.device) -> None:
        self.start = scorer.start
        self.weight = scorer.weight
        self.bonus = scorer.bonus
        self.word = torch.from_numpy(scorer.word).to(device, torch.int64)
        self.end = torch.tensor([END], device=device)
        self.model = _DeviceTrie(scorer.model, device)

    def advance(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """See `DeviceScorer`."""
        state, log_prob = self.model.next_words(state, self.word)
        return state, self.weight * log_prob + self.bonus

    def finish(self, state: Tensor) -> Tensor:
        """See `DeviceScorer`."""
        return self.weight * self.model.next_words(state, self.end)[1][:, :, 0]


class _DeviceTrie:
    """A `Trie` in tensors: 8 bytes for each of four numbers of an n-gram."""

    def __init__(self, trie: Trie, device: torch.device) -> None:
        inner = len(trie.back_off)
        self.words = int(trie.first_child[1]) - 1  # the root's children
        parent = np.repeat(np.arange(inner), np.diff(trie.first_child))
        # Nodes are sorted by (parent, word), so that one binary search over all finds a child.
        self.key = torch.from_numpy(np.append(-1, parent * self.words + trie.word[1:])).to(device)
        self.log_prob = torch.from_numpy(trie.log_prob).to(device, torch.float64)
        self.back_off = torch.from_numpy(trie.back_off).to(device, torch.float64)
        self.suffix = torch.from_numpy(trie.suffix).to(device, torch.int64)
        self.back_offs = 0  # the most that lead from a history to the root
        history = np.arange(inner)
        while history.any():
            history = trie.suffix[history]
            self.back_offs += 1

    def next_words(self, state: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """`asr.lm.ngram.next_word` of every state with every word.

        Where that goes from the longest history to the first that knows the word, this goes the
        other way for all words at once, and each longer history that knows one corrects it.

        Parameters
        ----------
        state : Tensor, shape = (N, K), int64
        words : Tensor, shape = (W,), int64

        Returns
        -------
        Tensor, shape = (N, K, W), int64
            The states after them.
        Tensor, shape = (N, K, W), float64
            Their natural log probabilities.
        """
        histories = []
        for _ in range(self.back_offs):
            histories.append(state)
            state = self.suffix[state]
        node = (1 + words).expand(*state.shape, -1)
        log_prob = self.log_prob[node]
        for history in reversed(histories):
            key = history[:, :, None] * self.words + words
            place = torch.searchsorted(self.key, key).clamp(max=len(self.key) - 1)
            known = self.key[place] == key
            log_prob = torch.where(known, self.log_prob[place],
                                   log_prob + self.back_off[history][:, :, None])
            node = torch.where(known, place, node)
        return torch.where(node < len(self.back_off), node, self.suffix[node]), log_prob


def device_scorer(scorer: Any, device: torch.device) -> DeviceScorer | None:
    """A scorer's tensor form, or None if it has none and the search must run on the CPU."""
    if isinstance(scorer, NullScorer):
        return NullDeviceScorer()
    if isinstance(scorer, CharacterScorer):
        return CharacterDeviceScorer(scorer, device)
    return None

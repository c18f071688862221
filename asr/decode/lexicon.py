"""Words by their spelling in units, as a trie in flat arrays."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numba import njit

from asr.lm.ngram import NONE, find_word

ROOT = 0  # before the first unit of a word


class Lexicon(NamedTuple):
    """Nodes are beginnings of words, numbered by length; one element each."""

    parent: np.ndarray
    unit: np.ndarray
    first_child: np.ndarray  # and one more: children of i end where i + 1's begin
    first_word: np.ndarray  # in `words`, and one more: those of i end where i + 1's begin
    words: np.ndarray  # numbers of the words that end at the nodes

    @classmethod
    def build(cls, spellings: Sequence[Sequence[int]], words: Sequence[int]) -> "Lexicon":
        """Make the trie of `spellings`, of which none may be empty; words may be spelt alike.

        Parameters
        ----------
        spellings : sequence of N sequences of int
            Units of each word, without blank and boundary.
        words : sequence of N int
            Number of each word.
        """
        order = sorted(range(len(words)), key=lambda i: tuple(spellings[i]))
        ordered = [spellings[i] for i in order]
        lengths = np.fromiter(map(len, ordered), np.int64, len(ordered))
        units = np.fromiter(chain.from_iterable(ordered), np.int32, int(lengths.sum()))
        offsets = np.cumsum(lengths) - lengths
        at = np.zeros(len(order), np.int32)  # node that each word has come to
        nodes, parents, node_units = 1, [np.zeros(1, np.int32)], [np.zeros(1, np.int32)]
        for depth in range(lengths.max(initial=0)):
            longer = np.flatnonzero(lengths > depth)
            parent, unit = at[longer], units[offsets[longer] + depth]
            new = np.append(True, (np.diff(parent) != 0) | (np.diff(unit) != 0))
            at[longer] = nodes - 1 + np.cumsum(new)
            nodes += int(new.sum())
            parents.append(parent[new])
            node_units.append(unit[new])
        parent = np.concatenate(parents)
        children = np.bincount(parent[1:], minlength=nodes)
        by_node = np.argsort(at, kind="stable")
        return cls(parent, np.concatenate(node_units),
                   np.append(1, 1 + np.cumsum(children)).astype(np.int32),
                   np.append(0, np.cumsum(np.bincount(at, minlength=nodes))).astype(np.int32),
                   np.array(words, np.int32)[order][by_node])

    def find(self, spelling: np.ndarray) -> np.ndarray:
        """Numbers of the words with this spelling (int32)."""
        node = _descend(self.unit, self.first_child, spelling)
        if node == NONE:
            return self.words[:0]
        return self.words[self.first_word[node]:self.first_word[node + 1]]

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The highest of the values of the words that begin with each node's units.

        Parameters
        ----------
        values : np.ndarray, shape = (words,)
            By number of the word.

        Returns
        -------
        np.ndarray, shape = (nodes,), float64
        """
        highest = np.full(len(self.parent), -np.inf)
        ends = np.flatnonzero(np.diff(self.first_word))
        highest[ends] = np.maximum.reduceat(values[self.words], self.first_word[ends])
        _raise_parents(self.parent, highest)
        return highest


@njit(nogil=True, cache=True)
def _descend(unit: np.ndarray, first_child: np.ndarray, spelling: np.ndarray) -> int:
    """The node of a spelling, or `NONE`."""
    node = ROOT
    for each in spelling:
        node = find_word(unit, first_child[node], first_child[node + 1], each)
        if node == NONE:
            break
    return node


@njit(nogil=True, cache=True)
def _raise_parents(parent: np.ndarray, highest: np.ndarray) -> None:
    for node in range(len(highest) - 1, ROOT, -1):  # a child's number is above its parent's
        highest[parent[node]] = max(highest[parent[node]], highest[node])

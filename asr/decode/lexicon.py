"""Words by their spelling in units, as a trie in flat arrays."""

from typing import NamedTuple

import numpy as np
from numba import njit

from asr.lm.ngram import NONE, descend
from asr.text.units import Spellings

ROOT = 0  # before the first unit of a word


class Lexicon(NamedTuple):
    """Nodes are beginnings of words, numbered by length; one element each."""

    parent: np.ndarray
    unit: np.ndarray
    first_child: np.ndarray  # and one more: children of i end where i + 1's begin
    first_word: np.ndarray  # in `words`, and one more: those of i end where i + 1's begin
    words: np.ndarray  # numbers of the words that end at the nodes, ascending at each

    @classmethod
    def build(cls, spellings: Spellings) -> "Lexicon":
        """Make the trie of spellings, of which none may be empty."""
        units, lengths, words = spellings
        offsets = np.cumsum(lengths) - lengths
        kinds = int(units.max(initial=0)) + 1
        at = np.zeros(len(words), np.int64)  # node that each word has come to
        nodes, parents, node_units = 1, [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
        for depth in range(lengths.max(initial=0)):
            longer = np.flatnonzero(lengths > depth)
            new, child = np.unique(at[longer] * kinds + units[offsets[longer] + depth],
                                   return_inverse=True)
            at[longer] = nodes + child
            nodes += len(new)
            parents.append(new // kinds)
            node_units.append(new % kinds)
        parent = np.concatenate(parents).astype(np.int32)
        children = np.bincount(parent[1:], minlength=nodes)
        return cls(parent, np.concatenate(node_units).astype(np.int32),
                   np.append(1, 1 + np.cumsum(children)).astype(np.int32),
                   np.append(0, np.cumsum(np.bincount(at, minlength=nodes))).astype(np.int32),
                   words[np.lexsort((words, at))])

    def find(self, spelling: np.ndarray) -> np.ndarray:
        """Numbers of the words with this spelling (int32)."""
        node = descend(self.unit, self.first_child, spelling)
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
def _raise_parents(parent: np.ndarray, highest: np.ndarray) -> None:
    for node in range(len(highest) - 1, ROOT, -1):  # a child's number is above its parent's
        highest[parent[node]] = max(highest[parent[node]], highest[node])

"""Back-off n-gram models as a trie in flat arrays (Katz 1987: p(w|h) = bow(h) · p(w|h'))."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

UNKNOWN, START, END = 0, 1, 2
SPECIAL = ("<unk>", "<s>", "</s>")
"""Words that every vocabulary begins with."""

ROOT = 0  # the empty history
NONE = -1


class Level(NamedTuple):
    """All n-grams of one order, sorted by (parent, word); one element each."""

    parent: np.ndarray
    """Place of the n-gram without its last word among those of the order below, int32; 0 for
    unigrams."""
    word: np.ndarray
    """Its last word, int32."""
    log_prob: np.ndarray
    """Natural logarithm, float32."""
    back_off: np.ndarray
    """Natural logarithm of its weight as a history, float32."""


class Trie(NamedTuple):
    """A model as compiled code sees it.

    Nodes are numbered order by order: the root, then unigrams (node 1 + word), bigrams, … A node
    that is not of the highest order is inner. A node's number is also the state of a search: the
    longest part of what was said that the model knows as a history.
    """

    word: np.ndarray
    log_prob: np.ndarray
    back_off: np.ndarray  # of inner nodes
    first_child: np.ndarray  # of inner nodes, and one more: children of i end where i+1's begin
    suffix: np.ndarray  # node of the longest n-gram that ends this one and is shorter


class NgramModel:
    """A back-off model and its words.

    Parameters
    ----------
    words : sequence of str
        Beginning with `SPECIAL`.
    levels : sequence of Level
        Unigrams (all words, in order), bigrams, …
    """

    def __init__(self, words: Sequence[str], levels: Sequence[Level]) -> None:
        self.words = list(words)
        self.order = len(levels)
        """Words of the longest n-grams."""
        self.index = {word: i for i, word in enumerate(self.words)}
        self.trie = _trie(levels)

    @property
    def levels(self) -> list[Level]:
        """The n-grams of each order, for writers; parts of the trie, which alone is kept."""
        levels: list[Level] = []
        first, end = ROOT, 1  # nodes of the order below
        for order in range(1, self.order + 1):
            children = np.diff(self.trie.first_child[first:end + 1])
            parent = np.repeat(np.arange(end - first, dtype=np.int32), children)
            first, end = end, end + len(parent)
            back_off = (self.trie.back_off[first:end] if order < self.order
                        else np.zeros(len(parent), np.float32))
            levels.append(Level(parent, self.trie.word[first:end], self.trie.log_prob[first:end],
                                back_off))
        return levels

    @property
    def start(self) -> int:
        """State at the beginning of a sentence."""
        return 1 + START if self.order > 1 else ROOT

    def encode(self, words: Sequence[str]) -> np.ndarray:
        """Indices of words, int32; `UNKNOWN` for those the model does not have."""
        return np.array([self.index.get(word, UNKNOWN) for word in words], np.int32)

    def score(self, words: Sequence[str]) -> np.ndarray:
        """Log probability of each word of a sentence and of its end.

        Returns
        -------
        np.ndarray, shape = (len(words) + 1,), float64
            Natural logarithms.
        """
        return score_words(self.trie, self.start, np.append(self.encode(words), np.int32(END)))

    def knows(self, word: str) -> bool:
        """Whether a word is not <unk>."""
        return self.index.get(word, UNKNOWN) != UNKNOWN

    def word_scores(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """`score` of each sentence."""
        return [self.score(sentence) for sentence in sentences]


@njit(nogil=True)
def find_word(words: np.ndarray, first: int, end: int, word: int) -> int:
    """Where a word is in the ascending stretch `words[first:end]`, or `NONE`."""
    low, high = first, end
    while low < high:
        middle = (low + high) // 2
        if words[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low if low < end and words[low] == word else NONE


# numba's cache sees changes of a function's own file alone: so what others call is here, with
# `find_word`.
@njit(nogil=True, cache=True)
def descend(word: np.ndarray, first_child: np.ndarray, path: np.ndarray) -> int:
    """The node that a path leads to from the root, or `NONE`."""
    node = ROOT
    for each in path:
        node = find_word(word, first_child[node], first_child[node + 1], each)
        if node == NONE:
            break
    return node


@njit(nogil=True, cache=True)
def children_of(first_child: np.ndarray, child_word: np.ndarray, places: np.ndarray,
                words: np.ndarray) -> int:
    """Replace places of n-grams by those of the n-grams with one more word, one order up.

    Returns the first row for which there is none, or -1.
    """
    for row in range(len(places)):
        parent = places[row]
        place = find_word(child_word, first_child[parent], first_child[parent + 1], words[row])
        if place == NONE:
            return row
        places[row] = place
    return -1


@njit(nogil=True)
def _longest(trie: Trie, state: int, word: int) -> tuple[int, float]:
    """The node of the longest known part of a history with a word, and the weights on the way."""
    weight = 0.0
    while state != ROOT:
        node = find_word(trie.word, trie.first_child[state], trie.first_child[state + 1], word)
        if node != NONE:
            return node, weight
        weight += trie.back_off[state]
        state = trie.suffix[state]
    return 1 + word, weight


@njit(nogil=True)
def next_word(trie: Trie, state: int, word: int) -> tuple[int, float]:
    """The state after a word, and the word's natural log probability."""
    node, weight = _longest(trie, state, word)
    return (node if node < len(trie.back_off) else trie.suffix[node]), weight + trie.log_prob[node]


def most_probable(model: NgramModel) -> np.ndarray:
    """A log probability that each word never exceeds, whatever comes before; shape (words,).

    No word is more probable than in its most probable n-gram, but for the weights of a pruned
    model's histories, which may be positive.
    """
    positive = (model.order - 1) * max(0.0, float(model.trie.back_off.max()))
    return _highest(model.trie, len(model.words)) + positive


@njit(nogil=True, cache=True)
def _highest(trie: Trie, words: int) -> np.ndarray:
    highest = np.full(words, -np.inf)
    for node in range(1, len(trie.word)):
        word = trie.word[node]
        highest[word] = max(highest[word], trie.log_prob[node])
    return highest


@njit(nogil=True, cache=True)
def score_words(trie: Trie, state: int, words: np.ndarray) -> np.ndarray:
    """Log probability of each of `words` (int32) from `state` on."""
    scores = np.empty(len(words))
    for i, word in enumerate(words):
        state, scores[i] = next_word(trie, state, word)
    return scores


@njit(nogil=True, cache=True)
def next_words(trie: Trie, states: np.ndarray, parent: np.ndarray, words: np.ndarray
               ) -> tuple[np.ndarray, np.ndarray]:
    """`next_word` of each of `words` from its own place `parent` in `states`.

    Returns the states after them, int32, and their log probabilities, float64.
    """
    after = np.empty(len(words), np.int32)
    log_probs = np.empty(len(words))
    for i in range(len(words)):
        after[i], log_probs[i] = next_word(trie, states[parent[i]], words[i])
    return after, log_probs


_TINY = 1e-12  # where a history's n-grams leave nothing


@njit(nogil=True, cache=True)
def fill_back_offs(trie: Trie) -> None:
    """Give each history the weight with which the probabilities after it sum to 1."""
    for history in range(1, len(trie.back_off)):  # longer ones after those that they end with
        first, end = trie.first_child[history], trie.first_child[history + 1]
        left = lower_left = 1.0
        for node in range(first, end):
            left -= np.exp(trie.log_prob[node])
            lower, weight = _longest(trie, trie.suffix[history], trie.word[node])
            lower_left -= np.exp(weight + trie.log_prob[lower])
        trie.back_off[history] = (np.log(max(left, _TINY) / max(lower_left, _TINY))
                                  if end > first else 0.0)


@njit(nogil=True, cache=True)
def _link(trie: Trie) -> None:
    """Fill in `suffix`, from short n-grams to long ones."""
    trie.suffix[ROOT] = ROOT
    for parent in range(len(trie.back_off)):
        for node in range(trie.first_child[parent], trie.first_child[parent + 1]):
            trie.suffix[node] = ROOT if parent == ROOT else _longest(
                trie, trie.suffix[parent], trie.word[node])[0]


def _trie(levels: Sequence[Level]) -> Trie:
    sizes = [1, *(len(level.word) for level in levels)]
    first = np.cumsum(sizes)  # node of each order's first n-gram
    nodes, inner = int(first[-1]), int(first[-2])
    children = [np.bincount(level.parent, minlength=size)
                for level, size in zip(levels, sizes, strict=False)]
    trie = Trie(
        np.concatenate([np.zeros(1, np.int32), *(level.word for level in levels)]),
        np.concatenate([np.zeros(1, np.float32), *(level.log_prob for level in levels)]),
        np.concatenate([np.zeros(1, np.float32), *(level.back_off for level in levels[:-1])]),
        np.concatenate([[1], 1 + np.cumsum(np.concatenate(children))]).astype(np.int32),
        np.empty(nodes, np.int32))
    assert len(trie.first_child) == inner + 1 and trie.first_child[-1] == nodes
    _link(trie)
    return trie

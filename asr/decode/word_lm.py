"""Word n-grams in beam search (Hannun et al. 2014, section 3.2), with look-ahead within words.

With weight α, bonus β and the model's natural log probability, a word w after the words h adds
α·log p(w|h) + β to a labelling's score, one that the lexicon does not have α·log p(<unk>|h) + β and
a penalty, and the end of the utterance α·log p(</s>|h). A word's share is known when it ends; its
prefixes are already charged the least that any word with this beginning would cost at the start of
a text (the potential of a lexicon node: unigram look-ahead, Ortmanns & Ney 2000), which is made
good in the end: so prefixes of rare words don't crowd the beam, and no total changes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from asr.decode.lexicon import ROOT, Lexicon, step
from asr.decode.scorer import implement
from asr.lm.ngram import END, NONE, SPECIAL, UNKNOWN, NgramModel, Trie, next_word


class WordScorer(NamedTuple):
    """Language model and lexicon, for units with a word boundary between words.

    A state is the model's state times 2^32 plus the place within a word: a node of the lexicon, or
    one past the last for the inside of a word that it does not have.
    """

    start: int
    boundary: int  # unit
    ceilings: np.ndarray  # of each unit
    model: Trie
    lexicon: Lexicon
    potential: np.ndarray  # of each place within a word
    weight: float
    bonus: float
    unknown: float  # added to an unknown word's score; -inf forbids them


def word_scorer(model: NgramModel, lexicon: Lexicon, symbols: int, boundary: int, weight: float,
                bonus: float, unknown: float) -> WordScorer:
    """Prepare a scorer for `beam_search`.

    Parameters
    ----------
    lexicon : Lexicon
        Its words' numbers are the model's.
    symbols : int
        Number of units, blank included.
    boundary : int
        The unit between words.
    weight, bonus : float
        α ≥ 0 and β.
    unknown : float
        Added for each word that the lexicon does not have, in nats; -inf allows none.
    """
    trie = model.trie
    first = trie.log_prob[1:1 + len(model.words)].astype(np.float64)  # unigrams
    outside = unknown + weight * first[UNKNOWN]
    potential = np.maximum(weight * lexicon.spread(first), outside)
    potential[ROOT] = 0.0
    # A word is never more probable than in its most probable n-gram; but weights of a pruned
    # model's histories may be positive and add to that.
    highest = _highest(trie, len(model.words)) \
        + (model.order - 1) * max(0.0, float(trie.back_off.max()))
    ends = np.flatnonzero(lexicon.word != NONE)
    gains = weight * highest[lexicon.word[ends]] - potential[ends]
    ceilings = np.zeros(symbols)  # along a word potentials only fall
    ceilings[boundary] = max(0.0, bonus + max(gains.max(initial=0.0),
                                              weight * (highest[UNKNOWN] - first[UNKNOWN])))
    return WordScorer(model.start << 32, boundary, ceilings, trie, lexicon,
                      np.append(potential, outside), weight, bonus, unknown)


@njit(nogil=True, cache=True)
def _highest(trie: Trie, words: int) -> np.ndarray:
    """Of all n-grams that end in each word, the highest log probability."""
    highest = np.full(words, -np.inf)
    for node in range(1, len(trie.word)):
        word = trie.word[node]
        highest[word] = max(highest[word], trie.log_prob[node])
    return highest


def spell(words: Sequence[str], symbols: Sequence[str], boundary: int) -> Lexicon:
    """The lexicon of a model's words, letter by letter; words with other letters are left out."""
    letters = {s: i for i, s in enumerate(symbols) if len(s) == 1 and i != boundary}
    numbers = [i for i, word in enumerate(words)
               if i >= len(SPECIAL) and all(letter in letters for letter in word)]
    return Lexicon.build([[letters[letter] for letter in words[i]] for i in numbers], numbers)


@njit(nogil=True)
def _end_word(scorer: WordScorer, history: int, place: int) -> tuple[int, float]:
    """The model's state after the word that ends here, and what is left to add for it."""
    word = NONE if place == len(scorer.lexicon.word) else scorer.lexicon.word[place]
    gain = scorer.bonus - scorer.potential[place]
    if word == NONE:
        if scorer.unknown == -np.inf:
            return history, -np.inf
        word = UNKNOWN
        gain += scorer.unknown
    history, log_prob = next_word(scorer.model, history, word)
    return history, gain + scorer.weight * log_prob


def _advance(scorer: WordScorer, state: int, unit: int) -> tuple[int, float]:
    history, place = state >> 32, state & 0xFFFFFFFF
    if unit == scorer.boundary:
        if place == ROOT:
            return state, 0.0
        history, gain = _end_word(scorer, history, place)
        return history << 32, gain
    outside = len(scorer.potential) - 1
    then = NONE if place == outside else step(scorer.lexicon, place, unit)
    if then == NONE:
        then = outside
        if scorer.unknown == -np.inf:
            return state, -np.inf
    return history << 32 | then, scorer.potential[then] - scorer.potential[place]


def _ceiling(scorer: WordScorer, unit: int) -> float:
    return scorer.ceilings[unit]


def _finish(scorer: WordScorer, state: int) -> float:
    history, place = state >> 32, state & 0xFFFFFFFF
    gain = 0.0
    if place != ROOT:
        history, gain = _end_word(scorer, history, place)
    return gain + scorer.weight * next_word(scorer.model, history, END)[1]


implement(WordScorer, _advance, _ceiling, _finish)

"""Word n-grams in beam search (Hannun et al. 2014, section 3.2), with look-ahead within words.

With weight α, bonus β and the model's natural log probability, a word w after the words h adds
α·log p(w|h) + β to a labelling's score, one that the lexicon does not have α·log p(<unk>|h) + β and
a penalty, and the end of the utterance α·log p(</s>|h); hotwords add something of their own. A
word's share is known when it ends; its prefixes are already charged the least that any word with
this beginning would cost at the start of a text (the potential of a lexicon node: unigram
look-ahead, Ortmanns & Ney 2000), which is made good in the end: so prefixes of rare words don't
crowd the beam, and no total changes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from asr.decode.lexicon import ROOT, Lexicon
from asr.decode.scorer import implement
from asr.lm.ngram import (
    END,
    NONE,
    SPECIAL,
    UNKNOWN,
    NgramModel,
    Trie,
    find_word,
    most_probable,
    next_word,
)


class WordScorer(NamedTuple):
    """Language model and lexicon, for units with a word boundary between words.

    A state is the model's state times 2^32 plus the place within a word: a node of the lexicon, or
    one past the last for the inside of a word that it does not have.
    """

    start: int
    boundary: int  # unit
    ceilings: np.ndarray  # of each unit
    model: Trie
    weight: float
    unit: np.ndarray  # unit and first_child: of the lexicon
    first_child: np.ndarray
    potential: np.ndarray  # of each place within a word
    word: np.ndarray  # of the model, for a word that ends at each place
    end: np.ndarray  # added there beside its probability; -inf where no word may end


def word_scorer(model: NgramModel, lexicon: Lexicon, symbols: int, boundary: int, weight: float,
                bonus: float, unknown: float, boosts: Sequence[float] = ()) -> WordScorer:
    """Prepare a scorer for `beam_search`.

    Parameters
    ----------
    lexicon : Lexicon
        Its words' numbers are the model's; or larger, for words that the model does not have.
    symbols : int
        Number of units, blank included.
    boundary : int
        The unit between words.
    weight, bonus : float
        α ≥ 0 and β.
    unknown : float
        Added for each word that the lexicon does not have, in nats; -inf allows none.
    boosts : sequence of float
        Added for each word of the lexicon, by number, in nats; 0 for the numbers that are left.
    """
    trie, size = model.trie, len(model.words)
    numbers = max(size, len(boosts), int(lexicon.word.max()) + 1)
    known = np.full(numbers, UNKNOWN, np.int32)
    known[:size] = np.arange(size)
    boost = np.zeros(numbers)
    boost[:len(boosts)] = boosts
    first = trie.log_prob[1:1 + size].astype(np.float64)  # unigrams
    outside = unknown + weight * first[UNKNOWN]
    potential = np.append(lexicon.spread(weight * first[known] + boost), outside)
    potential = np.minimum(np.maximum(potential, outside), 0.0)  # so along a word they only fall
    potential[ROOT] = 0.0
    if unknown == -np.inf:
        potential[-1] = 0.0  # nobody gets there

    spelt = np.append(lexicon.word, NONE)
    word = np.where(spelt == NONE, np.int32(UNKNOWN), known[spelt])
    end = bonus - potential + np.where(spelt == NONE, unknown, boost[spelt])
    ceilings = np.zeros(symbols)
    ceilings[boundary] = max(0.0, (end + weight * most_probable(model)[word]).max())
    return WordScorer(model.start << 32, boundary, ceilings, trie, weight, lexicon.unit,
                      lexicon.first_child, potential, word, end)


def spell(words: Sequence[str], symbols: Sequence[str], boundary: int) -> Lexicon:
    """The lexicon of a model's words, letter by letter; words with other letters are left out."""
    letters = {s: i for i, s in enumerate(symbols) if len(s) == 1 and i != boundary}
    numbers = [i for i, word in enumerate(words)
               if i >= len(SPECIAL) and all(letter in letters for letter in word)]
    return Lexicon.build([[letters[letter] for letter in words[i]] for i in numbers], numbers)


@njit(nogil=True)
def _end_word(scorer: WordScorer, history: int, place: int) -> tuple[int, float]:
    """The model's state after the word that ends here, and what is left to add for it."""
    gain = scorer.end[place]
    if gain == -np.inf:
        return history, gain
    history, log_prob = next_word(scorer.model, history, scorer.word[place])
    return history, gain + scorer.weight * log_prob


def _advance(scorer: WordScorer, state: int, unit: int) -> tuple[int, float]:
    history, place = state >> 32, state & 0xFFFFFFFF
    if unit == scorer.boundary:
        if place == ROOT:
            return state, 0.0
        history, gain = _end_word(scorer, history, place)
        return history << 32, gain
    outside = len(scorer.potential) - 1
    then = NONE if place == outside else find_word(
        scorer.unit, scorer.first_child[place], scorer.first_child[place + 1], unit)
    if then == NONE:
        then = outside
        if scorer.end[outside] == -np.inf:
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

"""Word n-grams in beam search (Hannun et al. 2014, section 3.2), with look-ahead within words.

With weight α, bonus β and the model's natural log probability, a word w after the words h adds
α·log p(w|h) + β to a labelling's score, one that the lexicon does not have α·log p(<unk>|h) + β and
a penalty, and the end of the utterance α·log p(</s>|h); hotwords add something of their own. A
word's share is known when it ends; its prefixes are already charged the least that any word with
this beginning would cost at the start of a text (the potential of a lexicon node: unigram
look-ahead, Ortmanns & Ney 2000), which is made good in the end: so prefixes of rare words don't
crowd the beam, and no total changes. Words that are spelt alike (by phones: that sound alike) are
readings of one spelling, each with a history of its own.
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
from asr.text.units import BEGINNING, BETWEEN, BLANK, INSIDE, Units

# A place within a word: a node of the lexicon.
_PLACE = np.dtype([
    ("unit", np.int32), ("first_child", np.int32),  # as in the lexicon
    ("first_end", np.int32),
    ("most", np.float32),  # what a word's end here can add; 0 at the root
    ("potential", np.float64),
    ("goes_on", np.uint64),  # `bit` of each unit that a word may go on with, and perhaps others
])


class WordScorer(NamedTuple):
    """Language model and lexicon.

    A state is the model's state times 2^32 plus the place within a word: a node of the lexicon, or
    one past the last for the inside of a word that it does not have. A word's end is one of the
    readings of the place: those of place i are first_end[i] to first_end[i + 1], at least one.
    """

    start: int
    part: np.ndarray  # of each unit, `Units.parts`
    bit: np.ndarray  # of each unit, one bit of 64; units may share it
    ceilings: np.ndarray  # of each unit
    beginning: np.ndarray  # of each unit: the potential of the place it begins a word with, or 0
    model: Trie
    weight: float
    places: np.ndarray  # and one more, which is only an end
    word: np.ndarray  # of the model, for each word's end
    end: np.ndarray  # added there beside its probability; -inf where no word may end


def word_scorer(model: NgramModel, lexicon: Lexicon, parts: np.ndarray, weight: float,
                bonus: float, unknown: float, boosts: Sequence[float] = ()) -> WordScorer:
    """Prepare a scorer for `beam_search`.

    Parameters
    ----------
    lexicon : Lexicon
        Its words' numbers are the model's; or larger, for words that the model does not have.
    parts : np.ndarray, shape = (V,)
        Of the units, see `asr.text.units.Units`.
    weight, bonus : float
        α ≥ 0 and β.
    unknown : float
        Added for each word that the lexicon does not have, in nats; -inf allows none.
    boosts : sequence of float
        Added for each word of the lexicon, by number, in nats; 0 for the numbers that are left.
    """
    trie, size = model.trie, len(model.words)
    numbers = max(size, len(boosts), int(lexicon.words.max(initial=-1)) + 1)
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
        potential[-1] = 0.0  # nothing ends there

    # Where no word of the lexicon ends, an unknown one does.
    words = np.append(np.diff(lexicon.first_word), 0)  # and outside of it
    ends = np.maximum(words, 1)
    places = np.zeros(len(ends) + 1, _PLACE)
    places["unit"][:-2] = lexicon.unit
    places["first_child"][:-1] = lexicon.first_child
    places["first_end"][1:] = np.cumsum(ends)
    places["potential"][:-1] = potential
    places["potential"][-2] = outside
    bit = np.uint64(1) << np.arange(len(parts), dtype=np.uint64) % np.uint64(64)
    spelt = np.full(places["first_end"][-1], NONE, np.int32)
    spelt[np.repeat(words > 0, ends)] = lexicon.words
    word = np.where(spelt == NONE, np.int32(UNKNOWN), known[spelt])
    end = (bonus - np.repeat(potential, ends)
           + np.where(spelt == NONE, unknown, boost[spelt]))
    most = np.maximum.reduceat(end + weight * most_probable(model)[word], places["first_end"][:-1])
    most[ROOT] = 0.0
    places["most"][:-1] = np.nextafter(most, np.inf, dtype=np.float32)  # not below, once rounded
    np.bitwise_or.at(places["goes_on"], lexicon.parent[1:], bit[lexicon.unit[1:]])
    beginning = np.full(len(parts), potential[-1])
    first_units = slice(lexicon.first_child[ROOT], lexicon.first_child[ROOT + 1])
    beginning[lexicon.unit[first_units]] = potential[first_units]
    beginning[parts != BEGINNING] = 0.0
    ceilings = np.where(parts == INSIDE, 0.0, most.max()) + beginning
    return WordScorer(model.start << 32, parts, bit, ceilings, beginning, trie, weight,
                      places, word, end)


def spell(words: Sequence[str], units: Units) -> Lexicon:
    """The lexicon of a model's words, with all their spellings; words that have none are left out.
    """
    spelt = units.spell(words[len(SPECIAL):])
    return Lexicon.build(spelt._replace(words=spelt.words + len(SPECIAL)))


@njit(nogil=True)
def _end_word(scorer: WordScorer, history: int, place: int, reading: int) -> tuple[int, float]:
    """The model's state after the word that ends here, and what is left to add for it."""
    end = scorer.places[place].first_end + reading
    gain = scorer.end[end]
    if gain == -np.inf:
        return history, gain
    history, log_prob = next_word(scorer.model, history, scorer.word[end])
    return history, gain + scorer.weight * log_prob


def _readings(scorer: WordScorer, state: int, unit: int) -> int:
    place = state & 0xFFFFFFFF
    if place == ROOT or (unit != BLANK and scorer.part[unit] == INSIDE):
        return 1
    return scorer.places[place + 1].first_end - scorer.places[place].first_end


def _advance(scorer: WordScorer, state: int, unit: int, reading: int) -> tuple[int, float]:
    history, place = state >> 32, state & 0xFFFFFFFF
    gain = 0.0
    if scorer.part[unit] != INSIDE:
        if place != ROOT:
            history, gain = _end_word(scorer, history, place, reading)
            place = ROOT
        if scorer.part[unit] == BETWEEN or gain == -np.inf:
            return history << 32, gain
    places = scorer.places
    outside = len(places) - 2
    then = NONE if place == outside else find_word(
        places["unit"], places[place].first_child, places[place + 1].first_child, unit)
    if then == NONE:
        then = outside
        if scorer.end[-1] == -np.inf:
            return state, -np.inf
    return history << 32 | then, gain + places[then].potential - places[place].potential


def _ceiling(scorer: WordScorer, unit: int) -> float:
    return scorer.ceilings[unit]


def _ceiling_from(scorer: WordScorer, state: int, unit: int) -> float:
    place = scorer.places[state & 0xFFFFFFFF]
    if scorer.part[unit] != INSIDE:
        return place.most + scorer.beginning[unit]
    if place.goes_on & scorer.bit[unit]:
        return 0.0
    return scorer.places[-2].potential - place.potential


def _finish(scorer: WordScorer, state: int, reading: int) -> float:
    history, place = state >> 32, state & 0xFFFFFFFF
    gain = 0.0
    if place != ROOT:
        history, gain = _end_word(scorer, history, place, reading)
    return gain + scorer.weight * next_word(scorer.model, history, END)[1]


implement(WordScorer, _readings, _advance, _ceiling, _finish, _ceiling_from)

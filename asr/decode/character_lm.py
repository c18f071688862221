"""Character n-grams in beam search: every unit is a word of the model, the word boundary too.

With weight α and bonus β each unit u after the units h adds α·log p(u|h) + β to a labelling's
score, and the end of the utterance α·log p(</s>|h).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr.decode.scorer import implement, one_reading
from asr.lm.ngram import END, NgramModel, Trie, most_probable, next_word


class CharacterScorer(NamedTuple):
    """A state is the model's."""

    start: int
    ceilings: np.ndarray  # of each unit
    model: Trie
    weight: float
    bonus: float
    word: np.ndarray  # the model's number of each unit


def character_scorer(model: NgramModel, symbols: Sequence[str], weight: float, bonus: float
                     ) -> CharacterScorer:
    """Prepare a scorer for `beam_search`.

    Parameters
    ----------
    symbols : sequence of str
        Of the units, the blank first; those that the model does not have count as `<unk>`.
    weight, bonus : float
        α ≥ 0 and β.
    """
    word = model.encode(symbols)
    ceilings = weight * most_probable(model)[word] + bonus
    return CharacterScorer(model.start, ceilings, model.trie, weight, bonus, word)


def _advance(scorer: CharacterScorer, state: int, unit: int, reading: int) -> tuple[int, float]:
    state, log_prob = next_word(scorer.model, state, scorer.word[unit])
    return state, scorer.weight * log_prob + scorer.bonus


def _ceiling(scorer: CharacterScorer, unit: int) -> float:
    return scorer.ceilings[unit]


def _finish(scorer: CharacterScorer, state: int, reading: int) -> float:
    return scorer.weight * next_word(scorer.model, state, END)[1]


implement(CharacterScorer, one_reading, _advance, _ceiling, _finish)

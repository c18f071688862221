"""Linear interpolation of n-gram models (Jelinek & Mercer 1980), as one model."""

from collections.abc import Iterable, Sequence

import numpy as np

from asr.errors import AsrError
from asr.lm.build import scored, words_of
from asr.lm.ngram import (
    ROOT,
    SPECIAL,
    UNKNOWN,
    Level,
    NgramModel,
    fill_back_offs,
    next_words,
)

_PRECISION = 1e-4  # of fitted weights


def mix(models: Sequence[NgramModel], weights: Sequence[float]) -> NgramModel:
    """One back-off model with the words and n-grams of all.

    Each of its n-grams has p(w|h) = Σ λᵢ pᵢ(w|h), where a model that lacks w gives it nothing.
    Other words share what these leave of a history, as they do in every back-off model, and not as
    they would in the sum, which no such model can be (Stolcke 2002, SRILM).

    Parameters
    ----------
    weights : sequence of float
        λ of each model.

    Raises
    ------
    AsrError
        The weights are not as many positive numbers as there are models, or do not sum to 1.
    """
    if len(weights) != len(models) or not min(weights) > 0 \
            or not abs(sum(weights) - 1) < _PRECISION:
        raise AsrError(f"weights {', '.join(f'{weight:g}' for weight in weights)}: expected "
                       f"{len(models)} positive numbers that sum to 1, one for each model")
    log_weights = np.log(np.divide(weights, sum(weights)))
    names = [*SPECIAL, *sorted({w for model in models for w in model.words}.difference(SPECIAL))]
    number = {word: i for i, word in enumerate(names)}
    given = [model.levels for model in models]
    mixed_words = [np.array([number[word] for word in model.words]) for model in models]
    own_words = [model.encode(names) for model in models]
    # Each model's state after each n-gram of the mixed one, and the places of its own among these.
    states = [np.array([ROOT], np.int32) for _ in models]
    places = [np.zeros(1, np.int64) for _ in models]
    levels = []
    for n in range(max(model.order for model in models)):
        keys = [place[level[n].parent] * len(names) + mixed[level[n].word]
                if n < len(level) else np.zeros(0, np.int64)
                for place, level, mixed in zip(places, given, mixed_words, strict=True)]
        together = np.unique(np.concatenate(keys))
        places = [np.searchsorted(together, own) for own in keys]
        parent, word = (part.astype(np.int32) for part in np.divmod(together, len(names)))
        shares = []
        for i, model in enumerate(models):
            own = own_words[i][word]
            states[i], log_probs = next_words(model.trie, states[i], parent, own)
            log_probs[(own == UNKNOWN) & (word != UNKNOWN)] = -np.inf
            shares.append(log_weights[i] + log_probs)
        # The sum of shares of 1 may be above it by rounding.
        log_prob = np.minimum(np.logaddexp.reduce(shares), 0).astype(np.float32)
        levels.append(Level(parent, word, log_prob, np.zeros(len(word), np.float32)))
    result = NgramModel(names, levels)
    fill_back_offs(result.trie)
    return result


def fitted_weights(models: Sequence[NgramModel], texts: Iterable[str]) -> list[float]:
    """Weights with which a text is most probable, found by expectation maximisation.

    What no model knows is left out.

    Raises
    ------
    AsrError
        See `words_of`.
    """
    spoken = words_of(texts)
    scores = np.stack([np.concatenate([np.where(known, np.exp(log_probs), 0)
                                       for log_probs, known in scored(model, spoken)])
                       for model in models])
    scores = scores[:, scores.any(axis=0)]
    weights = np.full(len(models), 1 / len(models))
    while True:
        shares = weights[:, None] * scores
        before, weights = weights, (shares / shares.sum(axis=0)).mean(axis=1)
        if np.abs(weights - before).max() < _PRECISION:
            return [float(weight) for weight in weights]

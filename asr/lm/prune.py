"""Entropy pruning (Stolcke 1998): leave out the n-grams that a model can do without."""

from collections.abc import Sequence

import numpy as np

from asr.lm.kneser_ney import Counts, Estimate, close
from asr.lm.ngram import START

_TINY = 1e-12


def prune(model: Estimate, threshold: float) -> Estimate:
    """Drop every n-gram without which perplexity grows by less than a share of `threshold`.

    An n-gram hw stays if a longer one that stays begins or ends with it. Otherwise it is dropped
    if exp(D) − 1 < `threshold`, with the relative entropy (eq. 3 to 6; α' is the weight of h
    without hw)

        D = −p(h) { p(w|h) [log p(w|h') + log α' − log p(w|h)] + [log α' − log α] · left(h) },

    where left(h) is the probability that h leaves to words it was not followed by. p(h) is the
    share of h in the text: what a Kneser-Ney model of low order says of h is no estimate of it
    (Chelba et al. 2010).

    The probabilities of what stays are as before, the back-off weights are new.
    """
    counted, log_probs = model.counts, model.log_probs
    kept = [np.ones(len(counts.word), bool) for counts in counted]
    tokens = counted[0].occurrences.sum() - counted[0].occurrences[START]
    for n in range(len(counted) - 1, 0, -1):
        needed = [k if m > n else np.zeros(len(k), bool) for m, k in enumerate(kept)]
        close(counted, needed)
        p, q, left, lower_left = _masses(counted[n], log_probs[n], log_probs[n - 1], kept[n])
        parent = counted[n].parent
        weight = np.log(left / lower_left)[parent]
        without = np.log((left[parent] + p) / (lower_left[parent] + q))
        share = counted[n - 1].occurrences / tokens
        entropy = -share[parent] * (p * (np.log(q) + without - log_probs[n])
                                    + (without - weight) * left[parent])
        kept[n] = needed[n] | (np.expm1(entropy) >= threshold)
    back_offs = _weights(counted, log_probs, kept)
    return Estimate(counted, log_probs, back_offs).only(kept)


def _masses(counts: Counts, log_prob: np.ndarray, lower: np.ndarray, kept: np.ndarray
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of n-grams after their history and after the next shorter one, and for each
    history what the two leave."""
    p = np.exp(log_prob)
    q = np.exp(lower[counts.suffix])
    histories = len(lower)
    left = 1 - np.bincount(counts.parent[kept], p[kept], histories)
    lower_left = 1 - np.bincount(counts.parent[kept], q[kept], histories)
    return p, q, np.maximum(left, _TINY), np.maximum(lower_left, _TINY)


def _weights(counted: Sequence[Counts], log_probs: Sequence[np.ndarray],
             kept: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Back-off weights that make each history's probabilities sum to 1."""
    weights = []
    for n in range(1, len(counted)):
        _, _, left, lower_left = _masses(counted[n], log_probs[n], log_probs[n - 1], kept[n])
        weights.append(np.log(left / lower_left))
    return [*weights, np.zeros(len(counted[-1].word))]

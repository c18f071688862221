"""Interpolated modified Kneser-Ney estimates (Chen & Goodman 1999) of n-gram models."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr.errors import AsrError
from asr.lm.ngram import END, START, Level
from asr.progress import log

_NEVER = np.log(10) * -99  # log probability of <s>, which no history predicts; -99 in ARPA files
_FALLBACK = (0.0, 0.5, 1.0, 1.5)  # discounts where the counts of counts allow no estimate


class Counts(NamedTuple):
    """All n-grams of one order, sorted by (parent, word); one element each."""

    parent: np.ndarray
    """Place among the n-grams of the order below, int32."""
    word: np.ndarray
    """Last word, int32."""
    suffix: np.ndarray
    """Place of the n-gram without its first word among those of the order below, int32."""
    occurrences: np.ndarray
    """How often, int64."""


class Estimate(NamedTuple):
    """A model with what it was estimated from; one element an order."""

    counts: list[Counts]
    log_probs: list[np.ndarray]
    back_offs: list[np.ndarray]

    def levels(self) -> list[Level]:
        """What a model needs of it."""
        return [Level(counts.parent, counts.word, log_prob.astype(np.float32),
                      back_off.astype(np.float32))
                for counts, log_prob, back_off in zip(*self, strict=True)]

    def only(self, kept: Sequence[np.ndarray]) -> "Estimate":
        """The n-grams marked in `kept`, which `close` has made whole."""
        counts = []
        place = np.zeros(1, np.int32)  # of each n-gram of the order below among the kept ones
        for counted, keep in zip(self.counts, kept, strict=True):
            counts.append(Counts(place[counted.parent[keep]], counted.word[keep],
                                 place[counted.suffix[keep]], counted.occurrences[keep]))
            place = (np.cumsum(keep) - 1).astype(np.int32)
        return Estimate(counts,
                        [p[keep] for p, keep in zip(self.log_probs, kept, strict=True)],
                        [w[keep] for w, keep in zip(self.back_offs, kept, strict=True)])


def count_ngrams(tokens: np.ndarray, vocabulary: int, order: int) -> list[Counts]:
    """Count the n-grams of every order up to `order`.

    Parameters
    ----------
    tokens : np.ndarray, shape = (T,), int32
        Sentences one after the other, each from `START` to `END`.
    vocabulary : int
        Number of words.

    Returns
    -------
    list of Counts
        Unigrams are all words, in order.
    """
    everything = np.arange(vocabulary, dtype=np.int32)
    nothing = np.zeros(vocabulary, np.int32)
    counted = [Counts(nothing, everything, nothing,
                      np.bincount(tokens, minlength=vocabulary))]
    places = np.flatnonzero(tokens != END)  # where an n-gram starts that can go on
    ids = tokens  # at each place the n-gram that starts there
    for n in range(2, order + 1):
        last = tokens[places + n - 1]
        keys = ids[places].astype(np.int64) * vocabulary + last
        by_key = np.argsort(keys)
        keys = keys[by_key]
        first = np.diff(keys, prepend=-1) != 0
        starts = np.flatnonzero(first)
        suffix = ids[places[by_key[starts]] + 1]
        number = np.empty(len(keys), np.int32)
        number[by_key] = np.cumsum(first) - 1
        counted.append(Counts((keys[starts] // vocabulary).astype(np.int32),
                              (keys[starts] % vocabulary).astype(np.int32), suffix,
                              np.diff(np.append(starts, len(keys)))))
        ids = np.full(len(tokens), -1, np.int32)
        ids[places] = number
        places = places[last != END]
    return counted


def estimate(counted: Sequence[Counts], cutoffs: Sequence[int]) -> Estimate:
    """Interpolated probabilities and the back-off weights that go with them.

    p(w|h) = (a(hw) − D(a(hw))) / Σ a(h·) + γ(h) p(w|h'), where a is the count at the highest order
    and for n-grams that begin with <s>, and the number of different words before the n-gram
    elsewhere; D has three values for a = 1, 2 and more. Below the unigrams lies the uniform
    distribution over all words but <s>.

    Parameters
    ----------
    counted : sequence of Counts
        From `count_ngrams`.
    cutoffs : sequence of int
        For each order: n-grams whose a is not above it are left out, and their mass goes to
        shorter histories. Unigrams stay.

    Raises
    ------
    AsrError
        There is no text.
    """
    if not counted[0].occurrences[END]:
        raise AsrError("no sentence to estimate a language model from")
    adjusted = _adjusted_counts(counted)
    probabilities: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    kept: list[np.ndarray] = []
    for n, (counts, a, cutoff) in enumerate(zip(counted, adjusted, cutoffs, strict=True), 1):
        discounted = a - _discounts(a, n)[np.minimum(a, 3)]
        kept.append(a > cutoff)
        discounted[~kept[-1]] = 0
        histories = len(counted[n - 2].word) if n > 1 else 1
        totals = np.bincount(counts.parent, a, histories)
        mass = np.bincount(counts.parent, discounted, histories)
        gamma = np.where(totals > 0, 1 - mass / np.maximum(totals, 1), 1)
        if n == 1:
            kept[0][:] = True
            lower = np.full(len(a), 1 / (len(a) - 1))
            lower[START] = 0
        else:
            lower = probabilities[-1][counts.suffix]
            weights.append(gamma)
        probabilities.append(discounted / np.maximum(totals, 1)[counts.parent]
                             + gamma[counts.parent] * lower)
    weights.append(np.ones(len(counted[-1].word)))
    close(counted, kept)
    with np.errstate(divide="ignore"):
        logs = [np.log(p) for p in probabilities]
        back_offs = [np.log(w) for w in weights]
    logs[0][START] = _NEVER
    return Estimate(list(counted), logs, back_offs).only(kept)


def close(counted: Sequence[Counts], kept: Sequence[np.ndarray]) -> None:
    """Mark as kept, in place, what kept n-grams begin with and what they end with."""
    for n in range(len(counted) - 1, 0, -1):
        for needed in (counted[n].parent[kept[n]], counted[n].suffix[kept[n]]):
            kept[n - 1][needed] = True


def _adjusted_counts(counted: Sequence[Counts]) -> list[np.ndarray]:
    adjusted = []
    starts = np.zeros(0, bool)
    for n, counts in enumerate(counted):
        starts = counts.word == START if n == 0 else starts[counts.parent]
        a = counts.occurrences
        if n + 1 < len(counted):
            a = np.where(starts, a, np.bincount(counted[n + 1].suffix, minlength=len(a)))
        adjusted.append(a)
    adjusted[0] = np.where(counted[0].word == START, 0, adjusted[0])
    return adjusted


def _discounts(adjusted: np.ndarray, order: int) -> np.ndarray:
    """D for counts of 0, 1, 2, and 3 or more (Chen & Goodman 1999, eq. 26).

    None of the three may be 0: a history would leave nothing to words it was not followed by.
    """
    n1, n2, n3, n4 = (np.count_nonzero(adjusted == i) for i in (1, 2, 3, 4))
    if n1 and n2 and n3 and n4:
        y = n1 / (n1 + 2 * n2)
        values = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
        if values[1:].min() > 0:
            return values
    if order > 1:  # of few units, as in models of letters, hardly one is rare
        log(f"order {order}: the text gives no estimate of the discounts; taking "
            f"{_FALLBACK[1]:g}, {_FALLBACK[2]:g} and {_FALLBACK[3]:g}")
    return np.array(_FALLBACK)

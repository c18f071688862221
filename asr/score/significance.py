"""Whether two systems, A and B, scored on the same references differ by more than chance."""

import math
from typing import NamedTuple

import numpy as np

from asr.errors import AsrError
from asr.score.align import Score
from asr.score.edits import INSERTION
from asr.score.statistics import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    percentile_interval,
    resampled_totals,
)

LEVEL = 0.05
"""A p below it counts as a difference between the systems."""
_GOOD = 2  # words that both systems have right between two segments (MIN_NUM_GOOD of mtchprs.c)


class Difference(NamedTuple):
    """How far apart two systems' word error rates are, and how sure that is."""

    value: float
    """WER of B minus WER of A, a fraction: negative where B is better."""
    interval: tuple[float, float] | None
    """Of the value, 95 %; None where there are fewer than two utterances (or speakers) to draw."""
    improvement: float | None
    """Probability that B makes fewer errors than A; None as the interval is."""


class MatchedPairs(NamedTuple):
    """Result of `mapsswe`."""

    segments: int
    """Stretches of speech in which at least one of the systems errs."""
    mean: float
    """Errors of A minus errors of B in a segment: positive where B is better."""
    deviation: float
    """Of that difference over segments, with n - 1."""
    z: float
    p: float
    """Two-sided."""


class McNemar(NamedTuple):
    """Result of `mcnemar`."""

    only_a_right: int
    """Utterances without an error of A, but with one of B."""
    only_b_right: int
    p: float
    """Two-sided."""


def bootstrap_difference(a: Score, b: Score, speakers: np.ndarray | None = None,
                         resamples: int = RESAMPLES, seed: int = SEED) -> Difference:
    """Difference of word error rates with its percentile interval, resampling whole utterances.

    Bisani & Ney 2004, Bootstrap estimates for confidence intervals in ASR performance evaluation,
    section 3: each resample holds the same utterances of both systems, so what makes an utterance
    hard for both cancels out. `improvement` is the part of the resamples in which B has fewer
    errors than A, a tie counting half. The draws are those of `statistics.bootstrap_interval`.

    Parameters
    ----------
    a, b : Score
        Of the same references.
    speakers : np.ndarray, shape = (N,), optional
        A number from 0 for each utterance's speaker. With it speakers are drawn, each with all
        of their utterances: what to expect of other speakers.

    Raises
    ------
    AsrError
        The references differ or hold no words.
    """
    _check_same_references(a, b)
    length = a.words.length
    gain = b.words.errors - a.words.errors
    if not length.sum():
        raise AsrError("the references hold no words, so there are no word error rates to compare")
    value = float(gain.sum() / length.sum())
    if speakers is not None:
        gain, length = (np.bincount(speakers, values).astype(np.int64)
                        for values in (gain, length))
    if len(length) < 2:
        return Difference(value, None, None)
    totals = resampled_totals(gain, length, resamples, seed)
    return Difference(value, percentile_interval(totals),
                      float(np.mean(0.5 - np.sign(totals[:, 0]) / 2)))


def mapsswe(a: Score, b: Score) -> MatchedPairs:
    """NIST's matched-pairs sentence-segment word error test.

    Gillick & Cox 1989, Some statistical issues in the comparison of speech recognition
    algorithms: utterances fall into segments whose errors may be taken as independent, so the
    mean over segments of the difference of errors is normal. A segment goes on until two
    words in a row are right in both systems, with nothing inserted between them by either (SCTK,
    mtchprs.c, `test_comp_sents`, with the two words of `sc_stats -t mapsswe`). Words inserted at
    the end of an utterance, or where the reference is empty, count as any others, so the order
    of the systems changes nothing but signs.

    Where all segments have the same difference z is 0, as in `calc_mean_var_std_dev_Zstat` of
    SCTK's statdist.c: there is no spread to measure the mean by.
    """
    _check_same_references(a, b)
    utterance, kind, start, _ = map(np.concatenate, zip(a.edits, b.edits, strict=True))
    gains = np.repeat([1, -1], [len(a.edits.utterance), len(b.edits.utterance)])
    end = start + (kind != INSERTION)
    order = np.lexsort((end, start, utterance))
    utterance, start, end, gains = utterance[order], start[order], end[order], gains[order]
    opens = np.ones(len(order), bool)
    opens[1:] = (utterance[1:] != utterance[:-1]) | (start[1:] - end[:-1] >= _GOOD)
    differences = np.add.reduceat(gains, np.flatnonzero(opens)) if len(order) else gains
    size = len(differences)
    if not size:
        return MatchedPairs(0, 0.0, 0.0, 0.0, 1.0)
    mean = float(differences.mean())
    deviation = float(differences.std(ddof=1)) if size > 1 else 0.0
    z = mean / (deviation / math.sqrt(size)) if deviation else 0.0
    return MatchedPairs(size, mean, deviation, z, math.erfc(abs(z) / math.sqrt(2)))


def signed_rank(a: Score, b: Score) -> float:
    """Two-sided p of Wilcoxon's signed-rank test on the utterances' differences of error counts.

    Wilcoxon 1945, Individual comparisons by ranking methods. Utterances with as many errors of
    either system are left out, as he does; without any other p is 1.
    """
    _check_same_references(a, b)
    differences = a.words.errors - b.words.errors
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences, zero_method="wilcox").pvalue)


def mcnemar(a: Score, b: Score) -> McNemar:
    """McNemar's test on which utterances are entirely right.

    McNemar 1947, Note on the sampling error of the difference between correlated proportions,
    with the binomial distribution itself in place of its approximation: an utterance that only
    one system has right is as likely A's as B's (Gillick & Cox 1989).
    """
    _check_same_references(a, b)
    a_right, b_right = (score.words.errors == 0 for score in (a, b))
    only_a, only_b = int((a_right & ~b_right).sum()), int((b_right & ~a_right).sum())
    if not only_a + only_b:
        return McNemar(0, 0, 1.0)
    from scipy.stats import binomtest

    return McNemar(only_a, only_b, float(binomtest(only_a, only_a + only_b).pvalue))


def verdict(name_a: str, name_b: str, difference: Difference, p: float) -> str:
    """What a difference amounts to, in a line for people.

    Parameters
    ----------
    difference : Difference
        Where no system is better it is given as it is, B minus A.
    p : float
        Of `mapsswe`.
    """
    value, interval = difference.value, difference.interval
    if p >= LEVEL:
        said = f"no significant difference between {name_a} and {name_b}: "
    else:
        better, worse = (name_a, name_b) if value > 0 else (name_b, name_a)
        said = f"{better} is better than {worse} by "
        if value < 0:
            value, interval = -value, interval and (-interval[1], -interval[0])
    said += f"{_points(value)} points of WER"
    if interval:
        low, high = map(_points, interval)
        said += f" ({100 * CONFIDENCE:.0f} % interval {low} to {high})"
    return f"{said}, {_spell_p(p)}"


def _points(rate: float) -> str:
    return f"{round(100 * rate, 2) + 0.0:.2f}"  # adding 0 makes -0.0 a plain 0


def _spell_p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.{3 if p < 0.1 else 2}f}"


def _check_same_references(a: Score, b: Score) -> None:
    """Raise an `AsrError` unless both scores are of the same utterances, in the same order."""
    if len(a.ids) != len(b.ids):
        raise AsrError(f"the systems were scored on {len(a.ids)} and {len(b.ids)} utterances; "
                       "score both on the same references")
    for id_a, id_b, of_a, of_b in zip(a.ids, b.ids, a.references, b.references, strict=True):
        if id_a != id_b:
            raise AsrError(f"utterance {id_a!r} of one system stands beside {id_b!r} of the other; "
                           "score both on the same references, in the same order")
        if of_a != of_b:
            raise AsrError(f"the systems have different references of utterance {id_a!r}; score "
                           "both on the same ones, normalised alike")

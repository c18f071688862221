"""Error rates and how sure they are."""

from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 2_000
SEED = 0
_CELLS = 1 << 22  # counts drawn at once (8 bytes each)


@dataclass(frozen=True)
class Rate:
    """Total errors over total reference length (words, characters or sentences)."""

    errors: int
    length: int
    interval: tuple[float, float] | None
    """Over utterances, see `bootstrap_interval`."""
    speaker_interval: tuple[float, float] | None = None
    """Over speakers, each drawn with all of their utterances; None where they are not known."""

    @property
    def value(self) -> float | None:
        """The rate; above 1 where insertions abound; None where there is no reference length."""
        return self.errors / self.length if self.length else None


def rate(errors: np.ndarray, length: np.ndarray, speakers: np.ndarray | None = None) -> Rate:
    """The corpus's rate from each utterance's errors and length, shape (N,) both.

    Utterances of one speaker are alike, so an interval over utterances is too narrow for what
    other speakers would have. With `speakers`, shape (N,), a number from 0 for each utterance's,
    there is one over them as well.
    """
    by_speaker = None
    if speakers is not None:
        by_speaker = bootstrap_interval(np.bincount(speakers, errors).astype(np.int64),
                                        np.bincount(speakers, length).astype(np.int64))
    return Rate(int(errors.sum()), int(length.sum()), bootstrap_interval(errors, length),
                by_speaker)


def bootstrap_interval(errors: np.ndarray, length: np.ndarray, confidence: float = CONFIDENCE,
                       resamples: int = RESAMPLES, seed: int = SEED
                       ) -> tuple[float, float] | None:
    """Percentile interval of total errors over total length, resampling whole utterances.

    Bisani & Ney 2004, Bootstrap estimates for confidence intervals in ASR performance
    evaluation. How often each utterance is drawn is multinomial; utterances with the same
    errors and length are interchangeable and drawn together, which changes nothing in the
    distribution and makes the time independent of N.

    Parameters
    ----------
    errors, length : np.ndarray, shape = (N,), int64
        Of each utterance.

    Returns
    -------
    (float, float) or None
        None for fewer than two utterances, which say nothing about the spread, and where the
        length is 0. Resamples that happen to hold only utterances of length 0 are left out.
    """
    if len(errors) < 2 or not length.sum():
        return None
    return percentile_interval(resampled_totals(errors, length, resamples, seed), confidence)


def resampled_totals(counts: np.ndarray, length: np.ndarray, resamples: int, seed: int
                     ) -> np.ndarray:
    """Sums of `counts` and of `length`, shape (N,) both, over resamples of N utterances.

    Returns
    -------
    np.ndarray, shape = (R, 2)
        Of the resamples whose length is above 0; see `bootstrap_interval` for how they are drawn.
    """
    least, radix = counts.min(), length.max() + 1
    kinds, times = np.unique((counts - least) * radix + length, return_counts=True)
    kinds = np.stack([kinds // radix + least, kinds % radix], axis=1)
    random = np.random.default_rng(seed)
    totals = np.empty((resamples, 2))
    step = max(1, _CELLS // len(kinds))
    for first in range(0, resamples, step):
        part = totals[first:first + step]
        part[:] = random.multinomial(len(counts), times / len(counts), size=len(part)) @ kinds
    return totals[totals[:, 1] > 0]


def percentile_interval(totals: np.ndarray, confidence: float = CONFIDENCE
                        ) -> tuple[float, float]:
    """The middle `confidence` of the ratios of columns 0 and 1 of `totals`, shape (R, 2)."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [tail, 1 - tail])
    return float(low), float(high)

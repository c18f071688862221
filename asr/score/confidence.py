"""Whether words are right as often as their confidences say."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

BINS = 15
_SURE = 1e-6  # no confidence is nearer to 0 or 1: its log odds stay finite
_STEPS = 50
_PRIOR = 1.0  # weight, in words, of the belief that confidences are good as they are


class WordConfidences(NamedTuple):
    """Words of hypotheses; one element each."""

    confidence: np.ndarray
    """Between 0 and 1, float64."""
    correct: np.ndarray
    """Whether the word faces itself in the alignment, bool."""


class Calibration(NamedTuple):
    """A confidence c becomes 1 / (1 + exp(-(slope · log(c / (1 - c)) + offset)))."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, confidence: np.ndarray | float) -> np.ndarray:
        """Calibrated confidences; shape as given."""
        if self == (1.0, 0.0):
            return np.asarray(confidence)
        return 1 / (1 + np.exp(-(self.slope * _log_odds(confidence) + self.offset)))


def word_confidences(utterances: Iterable[tuple[Sequence[str], Sequence[str], Sequence[float]]]
                     ) -> WordConfidences:
    """Align utterances, given as reference words, hypothesis words and the latter's confidences."""
    from asr.score.align import align  # loads rapidfuzz, which decoding can start without

    correct = []
    confidence: list[float] = []
    for reference, hypothesis, confidences in utterances:
        correct += [expected == found for expected, found in align(reference, hypothesis)
                    if found is not None]
        confidence += confidences
    return WordConfidences(np.array(confidence, np.float64), np.array(correct, bool))


def calibration_error(words: WordConfidences) -> float:
    """Expected calibration error (Guo et al. 2017, section 2): 0 is best.

    Words are parted into `BINS` of equal width in confidence; the mean over words of how far
    their bin's mean confidence is from the share of it that is right.
    """
    bins = np.minimum((words.confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, words.confidence - words.correct, BINS)
    return float(np.abs(gaps).sum() / max(len(words.confidence), 1))


def calibrate(words: WordConfidences) -> Calibration:
    """The slope and offset of greatest likelihood (Platt 1999), by Newton's method.

    A weak normal prior around slope 1, offset 0 keeps them finite where words are few, or all
    right.
    """
    odds = np.stack([_log_odds(words.confidence), np.ones(len(words.confidence))], axis=1)
    start = np.array([1.0, 0.0])
    parameters = start.copy()
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-odds @ parameters))
        gradient = odds.T @ (words.correct - probability) - _PRIOR * (parameters - start)
        curvature = (odds.T * (probability * (1 - probability))) @ odds + _PRIOR * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        parameters += step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(float(parameters[0]), float(parameters[1]))


def _log_odds(confidence: np.ndarray | float) -> np.ndarray:
    clipped = np.clip(confidence, _SURE, 1 - _SURE)
    return np.log(clipped / (1 - clipped))

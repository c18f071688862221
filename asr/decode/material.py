"""A development set as settings of the search see it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import Search, decode_posteriors
from asr.errors import AsrError
from asr.features.batch import by_length, evenly, in_batches
from asr.features.store import Store
from asr.manifest import Hypothesis
from asr.model.bundle import Bundle
from asr.progress import track
from asr.score.align import score_utterances
from asr.score.confidence import (
    WordConfidences,
    calibrate,
    calibration_error,
    word_confidences,
)


@dataclass(frozen=True)
class Material:
    """Utterances with their posteriors and what was said."""

    ids: list[str]
    texts: list[str]
    """Normalised references."""
    log_posteriors: list[np.ndarray]
    bundle: Bundle
    threads: int

    def search(self, search: Search) -> list[Hypothesis]:
        """What is found in each utterance."""
        return list(decode_posteriors(self.ids, self.log_posteriors, self.bundle.units,
                                      self.bundle.frame_shift, search, self.threads))

    def measure(self, search: Search) -> tuple[float, float]:
        """Word error rate and real-time factor."""
        start = time.perf_counter()
        found = self.search(search)
        seconds = time.perf_counter() - start
        return self.error_rate([h.text for h in found]), seconds / self.duration

    def error_rate(self, texts: Sequence[str]) -> float:
        """Word error rate of what was found in each utterance."""
        words = score_utterances(zip(self.ids, self.texts, texts, strict=True)).words
        return words.errors.sum() / words.length.sum()

    def priors(self) -> list[float]:
        """Mean posterior of each unit."""
        sums = sum(np.exp(each).sum(axis=0, dtype=np.float64) for each in self.log_posteriors)
        return [round(float(p), 9) for p in sums / sum(map(len, self.log_posteriors))]

    @property
    def duration(self) -> float:
        """Seconds of speech."""
        return sum(map(len, self.log_posteriors)) * self.bundle.frame_shift


def gather(bundle: Bundle, store_folder: Path, utterances: int, threads: int) -> Material:
    """One pass of the network over (some of) a store."""
    store = Store.open(store_folder, bundle.config.features)
    store.check_plain()
    texts = store.texts(bundle.config.normaliser)
    spoken = [i for i, text in enumerate(texts) if text]
    if not spoken:
        raise AsrError(f"{store_folder}: no text to measure an error rate on")
    chosen = by_length(store, [spoken[i] for i in evenly(len(spoken), utterances)])
    statistics = bundle.statistics(store.moments, [entry.speaker for entry in store.entries])
    posteriors = chain.from_iterable(
        in_batches(store, statistics, chosen, bundle.log_posteriors))
    return Material([store.entries[i].id for i in chosen], [texts[i] for i in chosen],
                    list(track(posteriors, "posteriors", len(chosen))), bundle, threads)


def calibrated(material: Material, search: Search) -> tuple[DecodeConfig, float, float]:
    """The configuration with a calibration; the calibration error before and after.

    The error after is that of each half of the utterances by what the other half gives.
    """
    found = material.search(search)
    halves = [word_confidences(
        (text.split(), [word.text for word in h.words], [word.confidence for word in h.words])
        for h, text in list(zip(found, material.texts, strict=True))[half::2])
        for half in (0, 1)]
    both = _joined(halves)
    crossed = _joined([WordConfidences(calibrate(other)(one.confidence), one.correct)
                       for one, other in (halves, halves[::-1])])
    config = search.config.model_copy(update={
        "calibration": tuple(round(value, 4) for value in calibrate(both))})
    return config, calibration_error(both), calibration_error(crossed)


def _joined(parts: Sequence[WordConfidences]) -> WordConfidences:
    return WordConfidences(*map(np.concatenate, zip(*parts, strict=True)))

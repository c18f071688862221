"""Posteriors to hypotheses: text, N-best list, word times and confidences."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from asr.decode.alignment import align, unit_spans, unit_times
from asr.decode.beam import BeamSearch, Labelling
from asr.decode.config import DecodeConfig
from asr.decode.greedy import greedy_search
from asr.decode.scorer import NO_SCORER
from asr.errors import AsrError
from asr.manifest import Alternative, Hypothesis, Word
from asr.parallel import cores, ordered_map
from asr.score.confidence import Calibration
from asr.text.units import BETWEEN, INSIDE, Units

_EMPTY = Labelling(np.zeros(0, np.int32), np.zeros(1, np.int32), 0.0, -np.inf)
_LEAST_PRIOR = 1e-5  # of units that are never heard
_SUM_TOLERANCE = 0.01  # a frame's posteriors may miss a sum of 1 by so much (half precision)


class Search(NamedTuple):
    """How posteriors are searched."""

    config: DecodeConfig
    scorer: Any = NO_SCORER
    """For beam search, see `asr.decode.scorer`."""
    read: Callable[[np.ndarray, int], str] | None = None
    """The word with these units in this of the scorer's readings; by default the units' own text.
    """
    rescore: Callable[[Sequence[str]], np.ndarray] | None = None
    """By how much a second language model finds each of some texts likelier than the scorer's own
    model does, in nats."""

    def beam(self) -> BeamSearch:
        """A beam search with these settings, before its first frame."""
        config = self.config
        return BeamSearch(config.beam, config.threshold, config.min_posterior, config.sure_blank,
                          self.scorer)

    def words(self, labelling: Labelling, units: Units) -> list[str]:
        """The words of a labelling."""
        read = self.read or (lambda ids, _: units.decode(ids.tolist()))
        return [read(labelling.labels[first:end], int(labelling.readings[end]))
                for first, end in word_edges(labelling.labels, units)]


def decode_posteriors(ids: Iterable[str], log_posteriors: Iterable[np.ndarray], units: Units,
                      frame_shift: float, search: Search, threads: int | None = None
                      ) -> Iterator[Hypothesis]:
    """Search many utterances' posteriors, in threads; the order is kept, and a few are in flight.

    Parameters
    ----------
    ids : iterable of N str
    log_posteriors : iterable of N np.ndarray, shape = (T, V), float32
        Natural log; unit 0 is the blank.
    frame_shift : float
        Seconds per output frame.
    threads : int, optional
        All cores by default; the result does not depend on it.

    Yields
    ------
    Hypothesis
        `score` is the labelling's (with greedy search: its best path's) natural log probability,
        with what the scorer adds; None where it allows none of the labellings in the beam to end
        there: then the best one is cut after its last whole word. `nbest` is filled where more than
        one text is asked for; of labellings with one text the best stands for it. A word lasts from
        the start of its first unit to the end of its last (`asr.decode.alignment.unit_times`, on
        the best path of the labelling); its confidence is the least of its units' highest
        posteriors, calibrated (`DecodeConfig.calibration`), the utterance's is the mean of its
        words' (the share of them that should be right), or None where there is no word.

    Raises
    ------
    AsrError
        An utterance's posteriors have the wrong shape or are no log probabilities.
    """
    def decode(item: tuple[str, np.ndarray]) -> Hypothesis:
        return _decode(item[0], _checked(*item, len(units)), units, frame_shift, search)

    return ordered_map(decode, zip(ids, log_posteriors, strict=True), threads or cores())


def decode_labellings(ids: Sequence[str],
                      found: Iterable[tuple[np.ndarray, list[Labelling]]], units: Units,
                      frame_shift: float, search: Search, threads: int | None = None
                      ) -> Iterator[Hypothesis]:
    """As `decode_posteriors`, of posteriors that a beam search has been through already.

    Parameters
    ----------
    found : iterable of N (log_posteriors, labellings)
        The labellings best first, as `beam_search` gives them.
    """
    def decode(item: tuple[str, tuple[np.ndarray, list[Labelling]]]) -> Hypothesis:
        utterance, (log_posteriors, labellings) = item
        return _decode(utterance, _checked(utterance, log_posteriors, len(units)), units,
                       frame_shift, search, labellings)

    return ordered_map(decode, zip(ids, found, strict=True), threads or cores())


def _checked(utterance: str, log_posteriors: np.ndarray, symbols: int) -> np.ndarray:
    if log_posteriors.ndim != 2 or log_posteriors.shape[1] != symbols:
        raise AsrError(f"utterance {utterance}: posteriors of shape {log_posteriors.shape} do not "
                       f"fit {symbols} units; decode with the units the model was trained on")
    rows = np.ascontiguousarray(log_posteriors, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.exp(rows).sum(axis=1)
    faults = np.flatnonzero(~(np.abs(sums - 1) <= _SUM_TOLERANCE))  # so NaN is a fault
    if faults.size:
        raise AsrError(f"utterance {utterance}: frame {faults[0]} holds no natural-log posteriors "
                       f"(their sum is {sums[faults[0]]:.3g}, not 1); check the model's output")
    return rows


def _decode(utterance: str, log_posteriors: np.ndarray, units: Units, frame_shift: float,
            search: Search, found: Iterable[Labelling] | None = None) -> Hypothesis:
    config = search.config
    calibration = Calibration(*config.calibration)
    nbest: list[Alternative] = []
    score: float | None
    if config.search == "greedy":
        labels, path, score = greedy_search(log_posteriors)
        best = Labelling(labels, np.zeros(len(labels) + 1, np.int32), score, 0.0)
    else:
        if found is None:
            beam = search.beam()
            beam.push(without_priors(log_posteriors, config.label_priors, config.prior_weight))
            found = beam.labellings()
        rest = iter(found)
        first = next(rest, None)
        best, path, score = _EMPTY, np.full(len(log_posteriors), -1, np.int32), None
        if first is not None and first.score > -np.inf:
            # Not a list: each labelling takes time to read off the beam.
            texts = _texts(itertools.chain([first], rest), units, search,
                           None if search.rescore else config.nbest)
            if search.rescore:
                texts = _rescored(texts, search.rescore, config.lm_weight * config.rescore_weight)
            best = next(iter(texts.values()))
            score, path = best.score, align(log_posteriors, best.labels)
            nbest = [Alternative(text=text, score=labelling.score, lm=labelling.added)
                     for text, labelling in texts.items()][:config.nbest if config.nbest > 1 else 0]
        elif first is not None:
            best, path = _whole_words([first, *rest], log_posteriors, units)
    spans = unit_spans(log_posteriors, best.labels, path)
    edges = word_edges(best.labels, units)
    starts, ends = unit_times(spans, [range(*edge) for edge in edges], frame_shift,
                              len(log_posteriors) * frame_shift)
    words = [Word(text=text, start=round(float(starts[first]), 6),
                  end=round(float(ends[end - 1]), 6),
                  confidence=float(calibration(min(1.0, spans.peak[first:end].min()))))
             for text, (first, end) in zip(search.words(best, units), edges, strict=True)]
    return Hypothesis(
        id=utterance, text=" ".join(word.text for word in words), score=score, words=words,
        nbest=nbest,
        confidence=sum(word.confidence for word in words) / len(words) if words else None)


def without_priors(log_posteriors: np.ndarray, priors: Sequence[float], weight: float
                   ) -> np.ndarray:
    """Posteriors divided by the priors to the power of `weight`, normalised in each frame again.

    By Bayes' rule p(x|u) ∝ p(u|x) / p(u): what a language model is to be combined with (Bourlard &
    Morgan 1994; with CTC: Miao et al. 2015, EESEN, section 3.2). Shape (T, V), as given.
    """
    if not weight:
        return log_posteriors
    scores = log_posteriors - np.float32(weight) * np.log(
        np.maximum(np.array(priors, np.float32), _LEAST_PRIOR))
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def word_edges(labels: np.ndarray, units: Units) -> list[tuple[int, int]]:
    """First unit of each word, and one past its last."""
    parts = units.parts[labels]
    first = np.flatnonzero(parts != INSIDE)
    edges = zip([0, *first + (parts[first] == BETWEEN)], [*first, len(labels)], strict=True)
    return [(int(first), int(end)) for first, end in edges if end > first]


def _whole_words(found: list[Labelling], log_posteriors: np.ndarray, units: Units
                 ) -> tuple[Labelling, np.ndarray]:
    """The most probable labelling up to the end of its last whole word, and its path."""
    best = max(found, key=lambda labelling: labelling.acoustic)
    path = align(log_posteriors, best.labels)
    whole = int(np.append(0, np.flatnonzero(units.parts[best.labels] != INSIDE))[-1])
    return (best._replace(labels=best.labels[:whole], readings=best.readings[:whole + 1]),
            np.where(path < whole, path, np.int32(-1)))


def _texts(labellings: Iterable[Labelling], units: Units, search: Search, number: int | None
           ) -> dict[str, Labelling]:
    """The first `number` texts that differ, or all, each with the best labelling that has it."""
    texts: dict[str, Labelling] = {}
    for labelling in labellings:
        if labelling.score == -np.inf:
            break
        texts.setdefault(" ".join(search.words(labelling, units)), labelling)
        if len(texts) == number:
            break
    return texts


def _rescored(texts: dict[str, Labelling], rescore: Callable[[Sequence[str]], np.ndarray],
              weight: float) -> dict[str, Labelling]:
    """The texts in the order of their scores with the second model's part in them."""
    gains = weight * rescore(list(texts))
    scored = [(text, labelling._replace(added=labelling.added + float(gain)))
              for (text, labelling), gain in zip(texts.items(), gains, strict=True)]
    return dict(sorted(scored, key=lambda pair: -pair[1].score))

"""Posteriors to hypotheses: text, N-best list, word times and confidences."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from asr.decode.alignment import Spans, align, unit_spans
from asr.decode.beam import Labelling, beam_search
from asr.decode.config import DecodeConfig
from asr.decode.greedy import greedy_search
from asr.decode.scorer import NO_SCORER
from asr.errors import AsrError
from asr.manifest import Alternative, Hypothesis, Word
from asr.parallel import cores, ordered_map

_NOTHING = np.zeros(0, np.int32)  # a labelling
_SUM_TOLERANCE = 0.01  # a frame's posteriors may miss a sum of 1 by so much (half precision)


class Units(Protocol):
    """What decoding needs of the units."""

    @property
    def boundary(self) -> int:
        """Index of the unit that parts words."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of indices."""

    def __len__(self) -> int: ...


def decode_posteriors(ids: Sequence[str], log_posteriors: Iterable[np.ndarray], units: Units,
                      frame_shift: float, config: DecodeConfig, scorer: Any = NO_SCORER,
                      threads: int | None = None) -> Iterator[Hypothesis]:
    """Search many utterances' posteriors, in threads; the order is kept, and a few are in flight.

    Parameters
    ----------
    ids : sequence of N str
    log_posteriors : iterable of N np.ndarray, shape = (T, V), float32
        Natural log; unit 0 is the blank.
    frame_shift : float
        Seconds per output frame.
    scorer : NamedTuple
        For beam search, see `asr.decode.scorer`.
    threads : int, optional
        All cores by default; the result does not depend on it.

    Yields
    ------
    Hypothesis
        `score` is the labelling's (with greedy search: its best path's) natural log probability,
        with what the scorer adds; None where it allows none of the labellings in the beam to end
        there: then the best one is cut after its last whole word. `nbest` is filled where more than
        one text is asked for; of labellings with one text the best stands for it. A word lasts from
        the first frame of its first unit to the end of the last frame of its last on the best path
        of the labelling; its confidence is the least of its units' highest posteriors, the
        utterance's is the mean of its words' (the share of them that should be right), or None
        where there is no word.

    Raises
    ------
    AsrError
        An utterance's posteriors have the wrong shape or are no log probabilities.
    """
    def decode(item: tuple[str, np.ndarray]) -> Hypothesis:
        return _decode(item[0], _checked(*item, len(units)), units, frame_shift, config, scorer)

    return ordered_map(decode, zip(ids, log_posteriors, strict=True), threads or cores())


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
            config: DecodeConfig, scorer: Any) -> Hypothesis:
    nbest: list[Alternative] = []
    score: float | None
    if config.search == "greedy":
        labels, path, score = greedy_search(log_posteriors)
    else:
        found = beam_search(log_posteriors, config.beam, config.threshold, config.min_posterior,
                            config.sure_blank, scorer)
        best = next(found, None)
        if best is None:
            labels, path, score = _NOTHING, np.full(len(log_posteriors), -1, np.int32), None
        elif best.score == -np.inf:
            labels, path = _whole_words([best, *found], log_posteriors, units.boundary)
            score = None
        else:
            labels, score = best.labels, best.score
            path = align(log_posteriors, labels)
            if config.nbest > 1:
                nbest = _alternatives(itertools.chain([best], found), units, config.nbest)
    words = _words(labels, unit_spans(log_posteriors, labels, path), units, frame_shift)
    return Hypothesis(
        id=utterance, text=units.decode(labels.tolist()), score=score, words=words, nbest=nbest,
        confidence=sum(word.confidence for word in words) / len(words) if words else None)


def _whole_words(found: list[Labelling], log_posteriors: np.ndarray, boundary: int
                 ) -> tuple[np.ndarray, np.ndarray]:
    """The most probable labelling up to its last boundary, and its path."""
    labels = max(found, key=lambda labelling: labelling.acoustic).labels
    path = align(log_posteriors, labels)
    whole = int(np.append(0, np.flatnonzero(labels == boundary))[-1])
    return labels[:whole], np.where(path < whole, path, np.int32(-1))


def _alternatives(labellings: Iterable[Labelling], units: Units, number: int) -> list[Alternative]:
    texts: dict[str, Labelling] = {}
    for labelling in labellings:
        if labelling.score == -np.inf:
            break
        texts.setdefault(units.decode(labelling.labels.tolist()), labelling)
        if len(texts) == number:
            break
    return [Alternative(text=text, score=labelling.score, lm=labelling.added)
            for text, labelling in texts.items()]


def _words(labels: np.ndarray, spans: Spans, units: Units, frame_shift: float) -> list[Word]:
    edges = [-1, *np.flatnonzero(labels == units.boundary).tolist(), len(labels)]
    return [Word(text=units.decode(labels[before + 1:after].tolist()),
                 start=round(float(spans.start[before + 1]) * frame_shift, 6),
                 end=round(float(spans.end[after - 1]) * frame_shift, 6),
                 confidence=min(1.0, float(spans.peak[before + 1:after].min())))
            for before, after in itertools.pairwise(edges) if after > before + 1]

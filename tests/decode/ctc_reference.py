"""Slow, plain references for CTC search: the sum and the best over all paths, a beam of tuples."""

import itertools
import math
from functools import cache

import numpy as np
from hypothesis import strategies as st


@cache
def paths_of(frames: int, symbols: int) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """All paths, shape (V^T, T), and the labelling that each collapses to."""
    paths = list(itertools.product(range(symbols), repeat=frames))
    labellings = [tuple(u for u, _ in itertools.groupby(path) if u != 0) for path in paths]
    return np.array(paths, int).reshape(len(paths), frames), labellings


def path_scores(log_posteriors: np.ndarray) -> tuple[np.ndarray, list[tuple[int, ...]], np.ndarray]:
    paths, labellings = paths_of(*log_posteriors.shape)
    frames = np.arange(len(log_posteriors))
    return paths, labellings, log_posteriors.astype(float)[frames, paths].sum(axis=1)


def all_labellings(log_posteriors: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log probability of every possible labelling, summed over all V^T paths."""
    _, labellings, scores = path_scores(log_posteriors)
    sums: dict[tuple[int, ...], float] = {}
    for labels, score in zip(labellings, scores, strict=True):
        sums[labels] = sums.get(labels, 0.0) + math.exp(score)
    return {labels: math.log(p) for labels, p in sums.items() if p > 0}


def tuple_beam(log_posteriors, width, threshold=math.inf, min_posterior=0.0, added=None):
    """Prefix beam search as the papers write it: a dictionary from prefix to two probabilities.

    `added(prefix)` is a scorer's log score. Dictionaries keep the order of insertion, in which
    prefixes that stay come before new ones: this is the rule for ties.
    """
    added = added or (lambda prefix: 0.0)
    beam = {(): (0.0, -math.inf)}
    for row in log_posteriors.astype(float):
        best_of_frame = row.max()
        ahead = {prefix: (np.logaddexp(blank, label) + row[0],
                          label + row[prefix[-1]] if prefix else -math.inf)
                 for prefix, (blank, label) in beam.items()}
        for prefix, (blank, label) in beam.items():
            for unit in range(1, len(row)):
                longer = (*prefix, unit)
                if longer not in beam and row[unit] < min(best_of_frame,
                                                          math.log(min_posterior or 1e-300)):
                    continue
                mass = blank if prefix[-1:] == (unit,) else np.logaddexp(blank, label)
                b, n = ahead.get(longer, (-math.inf, -math.inf))
                ahead[longer] = (b, np.logaddexp(n, mass + row[unit]))
        totals = {prefix: np.logaddexp(*both) + added(prefix) for prefix, both in ahead.items()}
        floor = max(totals.values()) - threshold
        best = sorted((p for p in totals if totals[p] > floor), key=lambda p: -totals[p])[:width]
        beam = {prefix: both for prefix, both in ahead.items() if prefix in set(best)}
    return {prefix: np.logaddexp(*both) for prefix, both in beam.items()}


@st.composite
def posteriors(draw, symbols=None):
    """Log posteriors made of few small weights, so that zeros and ties are common."""
    shape = (draw(st.integers(0, 6)), symbols or draw(st.integers(1, 4)))
    cells = draw(st.lists(st.integers(0, 3), min_size=shape[0] * shape[1],
                          max_size=shape[0] * shape[1]))
    weights = np.array(cells, float).reshape(shape)
    weights[weights.sum(axis=1) == 0] = 1
    with np.errstate(divide="ignore"):
        return np.log(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def random_posteriors(seed: int, frames: int, symbols: int, spread: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, spread, (frames, symbols))
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def peaky_posteriors(labels: list[int], frames: int, symbols: int, seed: int = 0) -> np.ndarray:
    """What a trained network gives: a spike a label, blanks between; no spikes are neighbours."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (frames, symbols))
    spikes = np.sort(rng.choice(frames // 2, len(labels), replace=False)) * 2
    target = np.zeros(frames, int)
    target[spikes] = labels
    logits[np.arange(frames), target] += 12
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)

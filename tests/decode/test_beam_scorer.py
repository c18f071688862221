"""A toy language model in the scorer's place."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from ctc_reference import all_labellings, posteriors, random_posteriors, tuple_beam
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decode.beam import BeamSearch, beam_search
from asr.decode.scorer import implement, one_reading


class Bigram(NamedTuple):
    """Log scores of a unit after another; 0 is both start and end."""

    start: int
    ceilings: np.ndarray
    table: np.ndarray


implement(Bigram, one_reading,
          lambda scorer, state, unit, reading: (unit, scorer.table[state, unit]),
          lambda scorer, unit: scorer.ceilings[unit],
          lambda scorer, state, reading: scorer.table[state, 0])


def bigram(seed: int, symbols: int) -> Bigram:
    """Some successions are forbidden, some are rewarded."""
    rng = np.random.default_rng(seed)
    table = rng.normal(-1, 2, (symbols, symbols))
    table[rng.random(table.shape) < 0.2] = -np.inf
    table[0, rng.integers(symbols)] = 1.0
    return Bigram(0, np.maximum(table.max(axis=0), -9.0), table)  # finite


def before_end(scorer: Bigram, labels: tuple[int, ...]) -> float:
    return sum(scorer.table[a, b] for a, b in zip((0, *labels), labels, strict=False))


def whole(scorer: Bigram, labels: tuple[int, ...]) -> float:
    return before_end(scorer, labels) + scorer.table[labels[-1] if labels else 0, 0]


def found(log_posteriors, width, scorer, **options):
    labellings = list(beam_search(log_posteriors, width, scorer=scorer, **options))
    scores = [labelling.score for labelling in labellings]
    assert scores == sorted(scores, reverse=True)
    return {tuple(each.labels.tolist()): (each.acoustic, each.added) for each in labellings}


def approx(expected):
    return {labels: pytest.approx(both, abs=1e-9) for labels, both in expected.items()}


@settings(max_examples=50)
@given(posteriors(), st.integers(0, 10**6))
def test_full_width_equals_the_sum_over_all_paths_and_the_scores(log_posteriors, seed):
    scorer = bigram(seed, log_posteriors.shape[1])
    expected = {labels: (acoustic, whole(scorer, labels))
                for labels, acoustic in all_labellings(log_posteriors).items()
                if before_end(scorer, labels) > -math.inf}
    assert found(log_posteriors, 2_000, scorer) == approx(expected)


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(2, 6), st.integers(1, 9),
       st.sampled_from([math.inf, 3.0]))
def test_narrow_beams_equal_the_dictionary_search(seed, frames, symbols, width, threshold):
    scorer = bigram(seed, symbols)
    log_posteriors = random_posteriors(seed, frames, symbols)
    kept = tuple_beam(log_posteriors, width, threshold,
                      added=lambda labels: before_end(scorer, labels))
    expected = {labels: (acoustic, whole(scorer, labels)) for labels, acoustic in kept.items()}
    assert found(log_posteriors, width, scorer, threshold=threshold) == approx(expected)


def test_nothing_where_the_scorer_forbids_what_the_posteriors_ask_for():
    with np.errstate(divide="ignore"):
        certain = np.log(np.array([[0, 1], [0, 1]], np.float32))
    forbidding = Bigram(0, np.zeros(2), np.full((2, 2), -np.inf))
    assert found(certain, 4, forbidding) == {}


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(2, 6), st.integers(1, 9))
def test_blocks_are_searched_as_the_whole_with_a_scorer(seed, frames, symbols, width):
    scorer = bigram(seed, symbols)
    log_posteriors = random_posteriors(seed, frames, symbols)
    search = BeamSearch(width, scorer=scorer)
    assert search.best().score == search.stable() == 0
    for row in log_posteriors[:, None]:
        search.push(row)
    expected = list(beam_search(log_posteriors, width, scorer=scorer))
    for one, other in zip(search.labellings(), expected, strict=True):
        assert one.labels.tolist() == other.labels.tolist()
        assert one[2:] == other[2:]  # to the bit
    if not expected:
        assert len(search.best().labels) == search.stable() == 0

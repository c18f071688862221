import math
from itertools import takewhile

import numpy as np
import pytest
from ctc_reference import (
    all_labellings,
    peaky_posteriors,
    posteriors,
    random_posteriors,
    tuple_beam,
)
from hypothesis import given
from hypothesis import strategies as st

from asr.decode.beam import BeamSearch, beam_search
from asr.decode.greedy import greedy_search

FULL = 2_000  # more than the labellings of 6 frames and 4 units: 1 + 3 + … + 3^6 = 1093


def found(log_posteriors, width, **options):
    """Labelling to score, in the order given."""
    labellings = list(beam_search(log_posteriors, width, **options))
    scores = [labelling.score for labelling in labellings]
    assert scores == sorted(scores, reverse=True)
    by_labels = {tuple(labelling.labels.tolist()): labelling.score for labelling in labellings}
    assert len(by_labels) == len(labellings)
    return by_labels


@given(posteriors())
def test_full_width_equals_the_sum_over_all_paths(log_posteriors):
    assert found(log_posteriors, FULL) == pytest.approx(all_labellings(log_posteriors), abs=1e-9)


@given(posteriors())
def test_full_width_is_at_least_as_good_as_greedy_search(log_posteriors):
    best = next(beam_search(log_posteriors, FULL))
    greedy = tuple(greedy_search(log_posteriors)[0].tolist())
    assert best.score >= all_labellings(log_posteriors)[greedy] - 1e-9


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 6), st.integers(1, 9),
       st.sampled_from([math.inf, 3.0, 1.0]), st.sampled_from([0.0, 0.1, 0.3]))
def test_narrow_beams_equal_the_dictionary_search(seed, frames, symbols, width, threshold, least):
    # Prefixes leave such beams and come back through their parents all the time.
    log_posteriors = random_posteriors(seed, frames, symbols)
    expected = tuple_beam(log_posteriors, width, threshold, least)
    got = found(log_posteriors, width, threshold=threshold, min_posterior=least)
    assert got == pytest.approx(expected, abs=1e-9)


def test_ties_go_to_who_is_there_longer_then_to_the_lower_unit():
    even = np.full((1, 5), np.log(0.2), np.float32)
    assert list(found(even, 3)) == [(), (1,), (2,)]
    # Two frames: (1,) has three paths and (2,) too, all else one or two; () stays before (1, 2).
    assert list(found(np.repeat(even, 2, axis=0), 3)) == [(1,), (2,), ()]


def test_a_repeat_needs_a_blank():
    log_posteriors = np.log(np.array([[0.5, 0.5]] * 2, np.float32))
    assert found(log_posteriors, 9) == pytest.approx({(1,): math.log(0.75), (): math.log(0.25)})


@pytest.mark.parametrize("width", [1, 4])
def test_no_frames_and_no_units(width):
    assert found(np.zeros((0, 5), np.float32), width) == {(): 0.0}
    assert found(np.zeros((7, 1), np.float32), width) == {(): 0.0}


def test_blanks_alone():
    with np.errstate(divide="ignore"):
        onehot = np.log(np.eye(4, dtype=np.float32)[[0] * 50])
    assert found(onehot, 8) == {(): 0.0}


@pytest.mark.parametrize("width", [1, 16, 100])
def test_long_peaky_input(width):
    rng = np.random.default_rng(1)
    labels = rng.integers(1, 29, 1_500).tolist()
    log_posteriors = peaky_posteriors(labels, 5_000, 29)
    best = next(beam_search(log_posteriors, width, threshold=15.0, min_posterior=1e-4))
    assert best.labels.tolist() == labels
    assert -50 < best.score < 0


def test_long_certain_input():
    with np.errstate(divide="ignore"):
        onehot = np.log(np.eye(3, dtype=np.float32)[[1, 0, 1, 2, 2] * 1_000])
    assert list(found(onehot, 16).items()) == [((1, 1, 2) * 1_000, 0.0)]


def test_long_flat_input():
    flat = np.full((5_000, 3), np.log(1 / 3), np.float32)
    best = next(beam_search(flat, 16))
    assert -math.inf < best.score < 0
    assert 0 < len(best.labels) <= 5_000


def test_the_best_unit_of_a_frame_is_never_pruned():
    with np.errstate(divide="ignore"):
        log_posteriors = np.log(np.array([[0, 0.25, 0.25, 0.25, 0.25]], np.float32))
    assert list(found(log_posteriors, 2, min_posterior=0.5)) == [(1,), (2,)]


@given(posteriors(), st.integers(1, 5), st.sampled_from([0.29, 0.55, 0.97]))
def test_a_sure_blank_is_the_only_unit_of_its_frame(log_posteriors, width, sure):
    alone = log_posteriors.copy()
    alone[log_posteriors[:, 0] >= math.log(sure), 1:] = -math.inf
    searches = (beam_search(log_posteriors, width, sure_blank=sure), beam_search(alone, width))
    found, expected = ([(each.labels.tolist(), each.score) for each in labellings]
                       for labellings in searches)
    assert found == expected


def blocks_of(log_posteriors, edges):
    return np.split(log_posteriors, sorted(edge for edge in edges if edge <= len(log_posteriors)))


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.labels.tolist() == other.labels.tolist()
        assert one.readings.tolist() == other.readings.tolist()
        assert one[2:] == other[2:]  # to the bit


@given(st.integers(0, 10**6), st.integers(0, 40), st.integers(2, 6), st.integers(1, 9),
       st.sampled_from([math.inf, 3.0]), st.sampled_from([0.0, 0.1]),
       st.sampled_from([math.inf, 0.6]), st.lists(st.integers(0, 40), max_size=6))
def test_blocks_are_searched_as_the_whole(seed, frames, symbols, width, threshold, least, sure,
                                          edges):
    log_posteriors = random_posteriors(seed, frames, symbols)
    search = BeamSearch(width, threshold, least, sure)
    for block in blocks_of(log_posteriors, edges):
        search.push(block)
        list(search.labellings())  # looking changes nothing
    same(search.labellings(), beam_search(log_posteriors, width, threshold, least, sure))


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(2, 4), st.integers(1, 6))
def test_what_is_stable_begins_all_that_is_found_later(seed, frames, symbols, width):
    search = BeamSearch(width)
    stable = []
    for block in random_posteriors(seed, frames, symbols, spread=4.0)[:, None]:
        search.push(block)
        found = [each.labels.tolist() for each in search.labellings()]
        best = search.best()
        assert best.labels.tolist() == found[0]
        assert best.score == next(search.labellings()).score
        assert all(labels[:len(stable)] == stable for labels in found)
        shared = takewhile(lambda units: len(set(units)) == 1, zip(*found, strict=False))
        assert search.stable() == len(list(shared))
        stable = found[0][:search.stable()]

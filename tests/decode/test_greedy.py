import itertools

import numpy as np
import pytest
from ctc_reference import path_scores, posteriors, random_posteriors
from hypothesis import given
from hypothesis import strategies as st

from asr.decode.greedy import GreedySearch, greedy_search


@given(st.integers(0, 10**6), st.integers(0, 40), st.integers(1, 5))
def test_equals_grouping_of_the_best_units(seed, frames, symbols):
    log_posteriors = random_posteriors(seed, frames, symbols)
    best = log_posteriors.argmax(axis=1)
    runs = [(unit, len(list(run))) for unit, run in itertools.groupby(best)]
    labels, path, score = greedy_search(log_posteriors)
    assert labels.tolist() == [unit for unit, _ in runs if unit]
    assert [0 if k < 0 else labels[k] for k in path] == best.tolist()
    starts = [t for t in range(frames) if path[t] >= 0 and (t == 0 or path[t] != path[t - 1])]
    assert len(starts) == len(labels)
    assert score == pytest.approx(log_posteriors.astype(float).max(axis=1).sum())


@given(posteriors())
def test_no_path_is_better(log_posteriors):
    _, _, scores = path_scores(log_posteriors)
    assert greedy_search(log_posteriors)[2] == pytest.approx(scores.max())


def test_the_first_of_equal_units_wins():
    labels, _, _ = greedy_search(np.log(np.array([[0.2, 0.4, 0.4], [0.5, 0.5, 0]]) + 1e-9
                                        ).astype(np.float32))
    assert labels.tolist() == [1]


def test_a_blank_parts_equal_units():
    onehot = np.log(np.eye(3, dtype=np.float32)[[1, 1, 0, 1, 2, 2]] + np.float32(1e-9))
    labels, path, _ = greedy_search(onehot)
    assert labels.tolist() == [1, 1, 2]
    assert path.tolist() == [0, 0, -1, 1, 2, 2]


@given(st.integers(0, 10**6), st.integers(0, 40), st.integers(1, 5),
       st.lists(st.integers(0, 40), max_size=8))
def test_blocks_are_searched_as_the_whole(seed, frames, symbols, edges):
    log_posteriors = random_posteriors(seed, frames, symbols)
    labels, _, score = greedy_search(log_posteriors)
    search = GreedySearch()
    for block in np.split(log_posteriors, sorted(edge for edge in edges if edge <= frames)):
        search.push(block)
        best = search.best().labels.tolist()
        assert labels[:search.stable()].tolist() == best
    assert best == labels.tolist()
    assert search.best().acoustic == pytest.approx(score)

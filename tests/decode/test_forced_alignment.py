import numpy as np
import pytest
from ctc_reference import path_scores, peaky_posteriors, posteriors, random_posteriors
from hypothesis import given
from hypothesis import strategies as st

from asr.decode.alignment import align, unit_spans
from asr.decode.greedy import greedy_search


def ints(labels):
    return np.array(labels, np.int32)


def collapse(path):
    """Indices along a path without blanks and repeats."""
    return [k for i, k in enumerate(path) if k >= 0 and (i == 0 or path[i - 1] != k)]


@given(posteriors())
def test_equals_the_best_of_all_paths(log_posteriors):
    _, labellings, scores = path_scores(log_posteriors)
    for labels in set(labellings):
        best = max(s for s, other in zip(scores, labellings, strict=True) if other == labels)
        if best == -np.inf:
            with pytest.raises(ValueError, match="no path"):
                align(log_posteriors, ints(labels))
            continue
        path = align(log_posteriors, ints(labels))
        assert collapse(path) == list(range(len(labels)))
        units = [0 if k < 0 else labels[k] for k in path]
        score = log_posteriors.astype(float)[np.arange(len(units)), units].sum()
        assert score == pytest.approx(best)


@pytest.mark.parametrize(("frames", "labels"), [(0, [1]), (1, [1, 2]), (2, [1, 1])])
def test_too_few_frames(frames, labels):
    with pytest.raises(ValueError, match="no path"):
        align(random_posteriors(0, frames, 3), ints(labels))


@given(st.integers(0, 10**6), st.integers(0, 60))
def test_the_best_path_of_all_is_greedy_searchs(seed, frames):
    log_posteriors = random_posteriors(seed, frames, 4)
    labels, path, _ = greedy_search(log_posteriors)
    assert align(log_posteriors, labels).tolist() == path.tolist()


@given(st.integers(0, 10**6), st.integers(0, 60))
def test_blocks_change_nothing(seed, frames):
    log_posteriors = random_posteriors(seed, frames, 4, spread=0.5)
    labels = ints(np.random.default_rng(seed).integers(1, 4, frames // 3))
    whole = align(log_posteriors, labels)
    assert align(log_posteriors, labels, memory=1).tolist() == whole.tolist()


def test_long_input():
    labels = ints(np.random.default_rng(0).integers(1, 29, 1_500))
    log_posteriors = peaky_posteriors(labels.tolist(), 5_000, 29)
    path = align(log_posteriors, labels)
    assert path.tolist() == greedy_search(log_posteriors)[1].tolist()


def test_spans_and_peaks():
    posteriors = np.array([[0.6, 0.4, 0], [0.1, 0.9, 0], [0.3, 0.7, 0], [0, 0, 1], [0.8, 0, 0.2],
                           [0.25, 0, 0.75]])
    with np.errstate(divide="ignore"):
        log_posteriors = np.log(posteriors).astype(np.float32)
    labels = ints([1, 2, 2])
    path = align(log_posteriors, labels)
    assert path.tolist() == [-1, 0, 0, 1, -1, 2]
    spans = unit_spans(log_posteriors, labels, path)
    assert spans.start.tolist() == [1, 3, 5]
    assert spans.end.tolist() == [3, 4, 6]
    assert spans.peak == pytest.approx([0.9, 1.0, 0.75])

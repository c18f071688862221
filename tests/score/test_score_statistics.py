import math

import numpy as np
import pytest

from asr.score.statistics import bootstrap_interval, rate


def test_interval_of_independent_words_is_the_binomial_one():
    """Utterances of ten words, each word wrong with probability p: normal approximation."""
    p, utterances, length = 0.2, 2_000, 10
    errors = np.random.default_rng(1).binomial(length, p, utterances)
    lengths = np.full(utterances, length)
    low, high = bootstrap_interval(errors, lengths)
    observed = errors.sum() / lengths.sum()
    half = 1.96 * math.sqrt(observed * (1 - observed) / (utterances * length))
    assert low == pytest.approx(observed - half, abs=0.15 * half)
    assert high == pytest.approx(observed + half, abs=0.15 * half)


def test_interval_equals_that_of_drawing_utterances_one_by_one():
    random = np.random.default_rng(2)
    length = random.integers(1, 30, 300)
    errors = random.binomial(length, random.uniform(0, 0.5, 300))
    drawn = random.integers(0, 300, (20_000, 300))
    rates = errors[drawn].sum(axis=1) / length[drawn].sum(axis=1)
    expected = np.quantile(rates, [0.025, 0.975])
    found = bootstrap_interval(errors, length, resamples=20_000)
    assert found == pytest.approx(expected, abs=0.05 * (expected[1] - expected[0]))


def test_clustered_errors_widen_the_interval():
    lengths = np.full(400, 10)
    spread = bootstrap_interval(np.full(400, 1) + np.arange(400) % 2, lengths)
    clustered = bootstrap_interval(np.where(np.arange(400) % 20 < 3, 10, 0), lengths)
    assert clustered[1] - clustered[0] > 5 * (spread[1] - spread[0])


def test_interval_is_reproducible_and_depends_on_the_seed():
    random = np.random.default_rng(3)
    length = random.integers(1, 30, 50)
    errors = random.binomial(length, 0.3)
    assert bootstrap_interval(errors, length) == bootstrap_interval(errors, length)
    assert bootstrap_interval(errors, length, seed=1) != bootstrap_interval(errors, length)
    order = random.permutation(50)
    assert bootstrap_interval(errors[order], length[order]) == bootstrap_interval(errors, length)


def test_drawing_in_parts_changes_nothing(monkeypatch):
    length = np.arange(1, 60)
    whole = bootstrap_interval(length // 3, length)
    monkeypatch.setattr("asr.score.statistics._CELLS", 1000)
    assert bootstrap_interval(length // 3, length) == whole


@pytest.mark.parametrize(("errors", "length"), [([], []), ([1], [3]), ([2, 0], [0, 0])])
def test_no_interval_where_nothing_can_be_said(errors, length):
    assert bootstrap_interval(np.array(errors, np.int64), np.array(length, np.int64)) is None


def test_resamples_without_words_are_left_out():
    low, high = bootstrap_interval(np.array([1, 1]), np.array([0, 4]))
    assert low == pytest.approx(1 / 4)  # the second utterance twice
    assert high == pytest.approx(2 / 4)  # each once


def test_rate_is_total_over_total():
    found = rate(np.array([1, 3]), np.array([10, 2]))
    assert found.value == 4 / 12  # not the mean of 0.1 and 1.5
    assert rate(np.array([2]), np.array([0])).value is None

"""asr.score.confidence against worked examples and simulated words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.score.confidence import (
    Calibration,
    WordConfidences,
    calibrate,
    calibration_error,
    word_confidences,
)


def words(*pairs):
    confidence, correct = zip(*pairs, strict=True)
    return WordConfidences(np.array(confidence, float), np.array(correct, bool))


def test_error_of_a_worked_example():
    # bins of 1/15: 0.95 and 1.0 share the last one (mean 0.975, half right), 0.5 is alone.
    assert calibration_error(words((0.95, 1), (1.0, 0), (0.5, 1))) \
        == pytest.approx((2 * abs(0.975 - 0.5) + 0.5) / 3)
    assert calibration_error(words((1.0, 1), (0.0, 0))) == 0


def test_words_are_right_where_they_face_themselves():
    found = word_confidences([(["a", "b", "c"], ["a", "x", "c", "d"], [0.9, 0.2, 0.8, 0.1]),
                              ([], ["e"], [0.3]), (["f"], [], [])])
    assert found.confidence.tolist() == [0.9, 0.2, 0.8, 0.1, 0.3]
    assert found.correct.tolist() == [True, False, True, False, False]


@given(st.integers(0, 10**6), st.floats(0.3, 3), st.floats(-2, 2))
def test_slope_and_offset_are_found_again(seed, slope, offset):
    random = np.random.default_rng(seed)
    confidence = random.beta(2, 1, 20_000)
    truth = Calibration(slope, offset)
    correct = random.random(20_000) < truth(confidence)
    found = calibrate(WordConfidences(confidence, correct))
    assert found.slope == pytest.approx(slope, abs=0.2)
    assert found.offset == pytest.approx(offset, abs=0.2)
    calibrated = WordConfidences(found(confidence), correct)
    assert calibration_error(calibrated) < 0.03


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_any_words_give_finite_parameters_of_least_penalised_loss(pairs):
    """No step to a side makes it better: the optimum, found otherwise than by derivatives."""
    sample = words(*pairs)
    found = calibrate(sample)

    def loss(slope, offset):
        p = np.clip(Calibration(slope, offset + 1e-15)(sample.confidence), 1e-12, 1 - 1e-12)
        return -np.log(np.where(sample.correct, p, 1 - p)).sum() \
            + ((slope - 1) ** 2 + offset ** 2) / 2
    best = loss(*found)
    for step in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)):
        assert loss(found.slope + step[0], found.offset + step[1]) >= best - 1e-9


def test_the_identity_leaves_sure_words_sure():
    assert Calibration()(1.0) == 1.0

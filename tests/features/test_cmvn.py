import numpy as np
import pytest

from asr.features.cmvn import moments, statistics, statistics_of


@pytest.fixture
def utterances():
    random = np.random.default_rng(3)
    return [(5 * random.standard_normal((n, 4)) + 7).astype(np.float16) for n in (30, 50, 20)]


def normalise(frames, statistic):
    return (frames.astype(np.float64) - statistic[0]) * statistic[1]


@pytest.mark.parametrize(("kind", "groups"), [
    ("utterance", [[0], [1], [2]]), ("speaker", [[0, 2], [1]]), ("global", [[0, 1, 2]])])
def test_each_kind_normalises_what_it_says(utterances, kind, groups):
    sums = np.stack([moments(u) for u in utterances])
    found = statistics_of(kind, sums, ["a", "b", "a"], statistics(sums.sum(0)))
    for group in groups:
        frames = np.concatenate([normalise(utterances[i], found[i]) for i in group])
        np.testing.assert_allclose(frames.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(frames.std(0), 1, atol=1e-5)


def test_none_leaves_frames_alone(utterances):
    sums = np.stack([moments(u) for u in utterances])
    for frames, statistic in zip(utterances, statistics_of("none", sums, "aba", None), strict=True):
        np.testing.assert_array_equal(normalise(frames, statistic), frames)


def test_a_constant_or_absent_dimension_stays_finite():
    for frames in (np.full((9, 2), 3.5), np.zeros((0, 2))):
        assert np.isfinite(normalise(frames, statistics(moments(frames)))).all()
        assert np.isfinite(statistics(moments(frames))).all()

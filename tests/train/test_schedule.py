import math

import pytest

from asr.train.config import ScheduleConfig
from asr.train.schedule import learning_rate, should_stop


def test_cosine():
    config = ScheduleConfig(kind="cosine", warmup=2)
    rates = [learning_rate(0.1, config, progress, 10, []) for progress in (0, 1, 2, 6, 10)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.05, 0])


def test_plateau_follows_the_development_loss():
    config = ScheduleConfig(kind="plateau", warmup=0, factor=0.5, patience=2)
    losses = [3, 2, 2.5, 2.1, 1.9, 1.95, 1.9, 1.9, 1.9]
    rates = [learning_rate(1, config, i, 99, losses[:i]) for i in range(len(losses) + 1)]
    assert rates == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_early_stop():
    wers = [0.9, 0.5, 0.6, 0.5, 0.55]
    assert [should_stop(wers[:i], 3) for i in range(6)] == [False] * 5 + [True]
    assert not should_stop(wers, 0)
    assert not should_stop([], 3)


def test_warm_up_of_nothing_starts_at_the_peak():
    assert learning_rate(1, ScheduleConfig(warmup=0), 0, 5, []) == 1
    assert math.isfinite(learning_rate(1, ScheduleConfig(warmup=5), 5, 5, []))

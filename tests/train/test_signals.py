"""Stopping when the loop can."""

import signal

from asr.train.signals import StopSignals


def test_the_first_is_noted_and_the_second_does_not_wait():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        assert signals.caught is None
        signal.raise_signal(signal.SIGTERM)
        assert signals.caught == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before


def test_under_torchrun_which_passes_them_on_once_more_it_does(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with StopSignals() as signals:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        assert signals.caught == signal.SIGTERM


def test_of_two_blocks_both_note_it():
    with StopSignals() as outer:
        with StopSignals() as inner:
            signal.raise_signal(signal.SIGINT)
        assert inner.caught == outer.caught == signal.SIGINT


def test_what_came_before_a_block_stops_it():
    """Between the trainings of a search nobody looks."""
    with StopSignals() as outer:
        signal.raise_signal(signal.SIGTERM)
        with StopSignals() as inner:
            assert inner.caught == signal.SIGTERM
        assert outer.caught == signal.SIGTERM

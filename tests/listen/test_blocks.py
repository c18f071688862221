import sys
from types import SimpleNamespace

import numpy as np
import pytest

from asr.errors import AsrError
from asr.listen import blocks as source


class Clock:
    """Time that passes only in sleep, and while somebody works."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(source, "time", clock)
    return clock


@pytest.mark.parametrize(("speed", "expected"), [
    (1.0, [0.1, 0.2, 0.25]), (2.0, [0.05, 0.1, 0.125]), (0.0, [0.0, 0.0, 0.0])])
def test_a_block_comes_when_its_last_sample_would_be_spoken(clock, speed, expected):
    samples = np.arange(2_000, dtype=np.float32)
    came, blocks = [], []
    for block in source.paced(samples, 8_000, speed):
        came.append(clock.now - 100)
        blocks.append(block)
    assert came == pytest.approx(expected)
    np.testing.assert_array_equal(np.concatenate(blocks), samples)


def test_who_is_late_waits_less(clock):
    came = []
    for _ in source.paced(np.zeros(4_000, np.float32), 8_000, 1.0):
        came.append(clock.now - 100)
        clock.now += 0.25 if len(came) == 1 else 0.01
    assert came == pytest.approx([0.1, 0.35, 0.36, 0.4, 0.5])


class Microphone:
    """Counts up; overflows from the second block on; breaks when it is asked for a fourth."""

    def __init__(self, samplerate, channels, dtype, latency):
        if samplerate != 8_000:
            raise ValueError("Invalid sample rate\nsecond line")
        self.at, self.reads = 0, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, size):
        self.reads += 1
        if self.reads == 4:
            raise BrokenMicrophone("unplugged")
        self.at += size
        values = np.arange(self.at - size, self.at, dtype=np.float32)
        return values[:, None], self.reads > 1


class BrokenMicrophone(Exception):
    pass


@pytest.fixture
def sounddevice(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(
        InputStream=Microphone, PortAudioError=BrokenMicrophone))


def test_the_microphones_blocks(sounddevice, capsys):
    blocks = source.microphone(8_000)
    np.testing.assert_array_equal(np.concatenate([next(blocks) for _ in range(3)]),
                                  np.arange(2_400))
    assert capsys.readouterr().err.count("lost") == 1
    with pytest.raises(AsrError, match="unplugged"):
        next(blocks)


def test_no_such_microphone_is_one_line(sounddevice):
    with pytest.raises(AsrError, match=r"44100 Hz \(Invalid sample rate\); name"):
        next(source.microphone(44_100))


def test_without_sounddevice_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AsrError, match=r"pip install 'asr\[mic\]'"):
        next(source.microphone(8_000))

import signal
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import soundfile

from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import Search
from asr.listen.display import final_line
from asr.listen.listener import Listener
from asr.listen.text_stream import Final
from asr.model.bundle import load_bundle


@pytest.fixture
def run(command_line):
    return partial(command_line, "listen")


@pytest.fixture
def audio(tmp_path, babble):
    soundfile.write(tmp_path / "babble.wav", babble, 8_000, subtype="FLOAT")
    return tmp_path / "babble.wav"


def expected(bundle, samples, silence):
    listener = Listener(load_bundle(bundle), Search(DecodeConfig()), silence)
    events = [*listener.push(samples), *listener.finish()]
    return [final_line(event) for event in events if isinstance(event, Final)]


@pytest.mark.slow
def test_a_file_is_listened_to(run, live_babbler, audio, babble, capsys):
    assert run(audio, "--model", live_babbler, "--speed", "0", "--silence", "0.3") == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == expected(live_babbler, babble, 0.3)
    assert len(said.out.splitlines()) > 3
    assert "120 blocks, 12.0 s" in said.err
    assert "words, seen after their end" in said.err


def test_the_microphone_until_somebody_interrupts(run, live_babbler, babble, monkeypatch, capsys):
    class Microphone:
        def __init__(self, samplerate, **_):
            assert samplerate == 8_000
            self.at = 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, size):
            self.at += size
            if self.at >= 40_000:
                signal.raise_signal(signal.SIGINT)
            return babble[self.at - size:self.at, None], False

    monkeypatch.setitem(sys.modules, "sounddevice",
                        SimpleNamespace(InputStream=Microphone, PortAudioError=OSError))
    assert run("--model", live_babbler, "--silence", "0.3") == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == expected(live_babbler, babble[:40_000], 0.3) != []
    assert "50 blocks, 5.0 s" in said.err


def test_an_interrupted_file_says_what_was_heard_and_leaves_as_interrupted(
        run, live_babbler, audio, babble, monkeypatch, capsys):
    def interrupted(samples, sample_rate, speed):
        yield samples[:40_000]
        signal.raise_signal(signal.SIGINT)
        yield samples[40_000:41_000]
        raise AssertionError("goes on")

    monkeypatch.setattr("asr.listen.stage.paced", interrupted)
    assert run(audio, "--model", live_babbler, "--silence", "0.3") == 130
    assert capsys.readouterr().out.splitlines() == expected(live_babbler, babble[:41_000], 0.3)


def test_what_cannot_be_is_one_line(run, babbler, live_babbler, audio, tmp_path, monkeypatch,
                                    capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    for fault, arguments in (("both ends", [audio, "--model", babbler]),
                             ("pip install 'asr[mic]'", ["--model", live_babbler]),
                             ("no such file", [tmp_path / "no.wav", "--model", live_babbler])):
        assert run(*arguments) == 2
        said = capsys.readouterr()
        assert fault in said.err
        assert (said.err.count("\n"), said.out) == (1, "")


def test_a_speed_is_of_no_microphone(run, tmp_path, capsys):
    assert run("--model", tmp_path, "--speed", "2") == 2
    assert "--speed is a file's" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "number", "fault"), [
    ("--silence", "inf", "not a finite number"), ("--silence", "nan", "not a finite number"),
    ("--speed", "nan", "not a finite number"), ("--speed", "inf", "not a finite number"),
    ("--speed", "1e-320", "neither 0 nor 0.01 or more")])
def test_numbers_that_are_no_use(run, audio, tmp_path, capsys, option, number, fault):
    assert run(audio, "--model", tmp_path, option, number) == 2
    assert fault in capsys.readouterr().err

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

import asr
from asr.transcribe.outputs import STATE, WRITTEN


@pytest.fixture
def model(babbler):
    return babbler


@pytest.fixture
def audio(tmp_path):
    random = np.random.default_rng(0)
    for name, seconds in (("a", 2.0), ("b", 70.0)):
        loudness = np.abs(np.sin(np.arange(round(8000 * seconds)) / 1500))
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * loudness * random.standard_normal(
            len(loudness)), 8000)
    return tmp_path


@pytest.fixture
def run(command_line):
    return partial(command_line, "transcribe")


def test_what_the_command_prints_is_what_the_library_gives(run, model, audio, capsys):
    assert run(audio / "b.wav", "--model", model, "--format", "json", "--search", "greedy") == 0
    values = json.loads(capsys.readouterr().out)
    expected = asr.load_model(str(model), search="greedy").transcribe(str(audio / "b.wav"))
    assert values["text"] == expected.text != ""
    assert len(values["segments"]) == len(expected.segments) == 3
    assert values["duration"] == 70
    times = [w[key] for w in values["words"] for key in ("start", "end")]
    assert times == sorted(times)
    assert times[-1] <= 70


def test_beam_and_nbest(run, model, audio, capsys):
    assert run(audio / "a.wav", "--model", model, "--format", "json", "--beam", "8",
               "--nbest", "3") == 0
    alternatives = json.loads(capsys.readouterr().out)["segments"][0]["nbest"]
    assert len(alternatives) == 3
    scores = [a["score"] for a in alternatives]
    assert scores == sorted(scores, reverse=True)


def test_silence_and_less_than_a_window_write_nothing(run, model, audio, capsys):
    soundfile.write(audio / "silent.wav", np.zeros(24_000), 8000)
    soundfile.write(audio / "short.wav", np.full(50, 0.5), 8000)
    for name in ("silent.wav", "short.wav"):
        assert run(audio / name, "--model", model) == 0
        assert capsys.readouterr().out == ""


def test_exit_codes(run, model, audio, capsys):
    (audio / "bad.wav").write_text("not audio")
    assert run(audio / "a.wav", audio / "bad.wav", "--model", model,
               "--output", audio / "out") == 1
    assert sorted(path.name for path in (audio / "out").iterdir()) == [
        WRITTEN, STATE, "a.txt"]
    assert capsys.readouterr().out == ""
    assert run(audio / "bad.wav", "--model", model) == 2
    error = capsys.readouterr().err
    assert error.startswith("asr: error: ")
    assert error.count("\n") == 1
    assert run(audio / "bad.wav", audio / "none.wav", "--model", model) == 2
    assert run(audio / "a.wav", "--model", audio) == 2
    assert run(audio / "a.wav", "--model", model, "--format", "doc") == 2
    assert run(audio / "a.wav", "--model", model, "--search", "greedy", "--nbest", "2") == 2
    assert run("--model", model) == 2


COMMAND = [sys.executable, "-m", "asr", "transcribe"]


def start(model, *arguments, **options):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments), "--model", model], text=True, stderr=subprocess.PIPE,
        # Ignored, if a background job runs the tests.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)


@pytest.mark.slow
def test_a_reader_that_leaves_early(model, audio):
    """As `asr transcribe … | head`."""
    process = start(model, *[audio / "b.wav"] * 2, stdout=subprocess.PIPE)
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 141)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
def test_stdout_on_a_full_disk(model, audio):
    with Path("/dev/full").open("w") as full:
        process = start(model, audio / "b.wav", stdout=full)
        error = process.stderr.read()
    assert process.wait() == 2
    assert error == ("asr: error: cannot write stdout: No space left on device; free some space or "
                     "choose another place\n")


@pytest.mark.slow
def test_interrupted_while_it_waits_for_audio(model, audio):
    process = start(model, "-", "--output", audio / "out", stdin=subprocess.PIPE)
    while not (audio / "out" / STATE).exists():
        time.sleep(0.05)
        assert process.poll() is None
    # Where it comes in the middle of a destructor, Python loses the exception: people press again.
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            break
    assert process.returncode == 130
    assert process.stderr.read().strip().endswith("asr: interrupted")
    assert [path.name for path in (audio / "out").iterdir()] == [STATE]


def test_a_folder_that_cannot_be_written(run, model, audio, capsys):
    (audio / "out").write_text("in the way")
    assert run(audio / "a.wav", "--model", model, "--output", audio / "out" / "deep") == 2
    assert capsys.readouterr().err.startswith("asr: error: cannot write ")


def test_importing_the_package_loads_nothing_heavy():
    code = ("import sys, asr; asr.load_model; "
            "print([m for m in ('torch', 'numpy', 'pydantic', 'rich') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

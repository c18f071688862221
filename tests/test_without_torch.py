"""What transcribes, decodes and measures does it without torch, which takes seconds to load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SPEECH = Path(__file__).parent / "speech"
AUDIO = str(SPEECH / "2902-9006-0020.opus")


@pytest.fixture(scope="module")
def no_torch(tmp_path_factory):
    """An environment in which torch cannot be imported."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("raise ImportError('torch is not for this')")
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.mark.slow
@pytest.mark.parametrize("module", ["scipy", "cffi"])
def test_transcribe_does_not_load(tmp_path, module):
    (tmp_path / f"{module}.py").write_text("raise RuntimeError('a part of a second')")
    result = subprocess.run([sys.executable, "-m", "asr", "transcribe", AUDIO], check=False,
                            capture_output=True, text=True,
                            env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 0 and result.stdout, result.stderr


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder with a table of the four utterances."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = (SPEECH / "transcripts.txt").read_text("utf-8").splitlines()
    (folder / "table.csv").write_text("audio,text\n" + "".join(
        f"{SPEECH}/{name}.opus,{text}\n" for name, text in (line.split(" ", 1) for line in lines)))
    return folder


def test_a_wrong_setting_of_a_training_is_told_before_it_is_loaded(no_torch, tmp_path):
    result = subprocess.run([sys.executable, "-m", "asr", "train", "model", "--train", "train",
                             "--dev", "dev", "epochs=many"], text=True, cwd=tmp_path,
                            capture_output=True, env=no_torch, check=False)
    assert result.returncode == 2
    assert "epochs" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(any(Path(driver).exists() for driver in ("/dev/nvidiactl", "/dev/kfd")),
                    reason="with a GPU the network is torch's")
def test_no_command_but_training_loads_it(corpus, no_torch):
    def run(*arguments):
        result = subprocess.run([sys.executable, "-m", "asr", *arguments], text=True, cwd=corpus,
                                capture_output=True, env=no_torch, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    english = str(Path(__file__).parents[1] / "asr" / "english")
    assert "apostle" in run("transcribe", str(SPEECH / "1272-128104-0000.opus"))
    run("align", AUDIO, "--text", "it is true")
    run("prepare", "table", "table.csv", "speech.jsonl")
    run("features", "speech.jsonl", "store")
    run("decode", english, "store", "found.jsonl")
    run("score", "speech.jsonl", "found.jsonl")
    run("validate", "speech.jsonl")

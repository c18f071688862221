"""The wheel, in an environment that holds nothing else, writes down speech without a download."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from asr.score.align import score_utterances

ROOT = Path(__file__).parents[1]
SPEECH = ROOT / "tests" / "speech"
UV = Path(sys.executable).with_name("uv")

pytestmark = pytest.mark.skipif(not UV.exists(), reason="tools/setup had to do without uv")


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True,
                          text=True, **options).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    path, = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_the_model_and_no_more_than_belongs_in_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    model = {name: size for name, size in sizes.items() if name.startswith("asr/english/")}
    assert {Path(name).name for name in model} >= {"bundle.json", "model.safetensors", "lm.lm",
                                                   "README.md"}
    assert sum(model.values()) < 20e6
    assert any(name.endswith("/asr/english-licences.txt") for name in sizes)
    assert {name.split("/")[0] for name in sizes if ".dist-info" not in name} == {"asr"}
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "asr").rglob("*.py")}
    assert code <= set(sizes)


@pytest.mark.slow
def test_it_transcribes_in_an_environment_of_its_own(wheel, tmp_path):
    python = tmp_path / "environment" / "bin" / "python"
    run(UV, "venv", "--quiet", "--python", sys.executable, python.parents[1])
    run(UV, "pip", "install", "--quiet", "--python", python, "--constraint",
        ROOT / "constraints.txt", wheel)
    clean = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS") if name in os.environ}
    clean |= {"HOME": str(tmp_path)}
    nowhere = "http://127.0.0.1:9"  # a download would fail
    clean |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
    files = sorted(SPEECH.glob("*.opus"))
    output = run(python.with_name("asr"), "transcribe", "--format", "json", *files, cwd=tmp_path,
                 env=clean)
    found = {Path(line["file"]).stem: line["text"] for line in map(json.loads, output.splitlines())}
    said = dict(line.split(" ", 1)
                for line in (SPEECH / "transcripts.txt").read_text().splitlines())
    words = score_utterances((name, said[name], found[name]) for name in said).words
    assert words.errors.sum() < 0.2 * words.length.sum()


def test_what_a_wheel_is_built_from_lists_the_model():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "english/*" in tools["package-data"]["asr"]

"""The recipes themselves, with an `asr` that says how it was called and does nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asr.config import apply_overrides

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the recipes, with a set-up that does nothing and an `asr` that prints its
    arguments, one a line."""
    root = tmp_path / "a checkout"
    shutil.copytree(ROOT / "recipes", root / "recipes")
    for path, script in (("tools/setup", ""), (".venv/bin/asr", "printf '%s\\n' \"$@\"\n"),
                         (".venv/bin/python", f"exec '{sys.executable}' \"$@\"\n")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"#!/bin/sh\n{script}")
        (root / path).chmod(0o755)
    return root


@pytest.fixture
def exp(tmp_path):
    """The folder of an experiment that lacks no more than the training."""
    folder = tmp_path / "it's #1: an experiment"
    for name in ("features/train", "features/dev", "features/dev-clean", "lexicon", "data"):
        (folder / name).mkdir(parents=True)
    for name in ("lexicon/lexicon.txt", "data/lexicon.txt"):
        (folder / name).touch()
    return folder


def run(recipe: Path, *options: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run([recipe, *options], cwd=cwd, capture_output=True, text=True, timeout=30)


def train(recipe: Path, exp: Path, *options: str, cwd: Path) -> subprocess.CompletedProcess:
    return run(recipe, "--exp", str(exp), "--stage", "train", "--stop-stage", "train", *options,
               cwd=cwd)


def assert_one_line(result: subprocess.CompletedProcess, message: str) -> None:
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(("recipe", "folder", "options"), [
    ("an4/run.sh", "data", []),
    ("librispeech/run.sh", "lexicon", ["--phones", "yes"]),
    ("librispeech/english.sh", "lexicon", []),
])
def test_the_lexicon_may_have_any_path(checkout, exp, recipe, folder, options):
    result = train(checkout / "recipes" / recipe, exp, *options, cwd=checkout)
    assert result.returncode == 0
    settings = {}
    apply_overrides(settings, [line for line in result.stdout.splitlines()
                               if line.startswith("units.lexicon=")])
    assert settings["units"]["lexicon"] == str(exp / folder / "lexicon.txt")


def test_a_model_to_start_from_is_looked_for_here_and_in_the_checkout(checkout, exp, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    recipe = checkout / "recipes" / "an4" / "run.sh"
    for folder, found in ((checkout, checkout / "asr" / "english"), (here, "asr/english")):
        (folder / "asr" / "english").mkdir(parents=True)
        (folder / "asr" / "english" / "bundle.json").touch()
        result = train(recipe, exp, "--init", "asr/english", cwd=here)
        assert f"--init\n{found}\n" in result.stdout
        assert result.returncode == 0


def test_a_model_that_is_not_there_is_noticed_before_the_first_stage(checkout, tmp_path):
    result = run(checkout / "recipes" / "an4" / "run.sh", "--init", "asr/english", cwd=tmp_path)
    assert_one_line(result, "--init asr/english: no model bundle there")


@pytest.mark.parametrize("recipe", ["an4/run.sh", "librispeech/run.sh", "librispeech/english.sh",
                                    "quickstart/run.sh"])
@pytest.mark.parametrize(("setting", "message"), [
    ("epoch=3", "unknown key `epoch`; did you mean `epochs`?"), ("epochs=many", "epochs")])
def test_a_setting_that_is_none_is_noticed_before_the_first_stage(checkout, tmp_path, recipe,
                                                                  setting, message):
    exp = tmp_path / "exp"
    assert_one_line(run(checkout / "recipes" / recipe, "--exp", str(exp), setting, cwd=checkout),
                    message)
    assert not exp.exists()


@pytest.mark.parametrize("options", [["--download", "true"], ["--phones=1"]])
def test_what_is_yes_or_no_is_nothing_else(checkout, options):
    result = run(checkout / "recipes" / "librispeech" / "run.sh", *options, cwd=checkout)
    assert_one_line(result, "known are yes and no")

"""tools/setup, constraints.txt and recipes/lib.sh: what a newcomer's first command runs."""

import itertools
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")]


def pins(name: str) -> list[str]:
    normal = re.sub(r"[-_.]+", "-", name).lower()
    return [str(pin.specifier) for pin in PINS if pin.name == normal]


def test_every_dependency_is_pinned_within_its_range():
    extras = itertools.chain(*PYPROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, [*PYPROJECT["dependencies"], *extras]):
        if requirement.name == "asr":
            continue
        versions = pins(requirement.name)
        assert versions, f"{requirement.name} is not in constraints.txt"
        for version in versions:
            assert version.startswith("==")
            assert requirement.specifier.contains(version.removeprefix("=="))


def test_constraints_hold_names_versions_and_markers_alone():
    assert not any(pin.url or pin.extras for pin in PINS)
    assert Version(sys.version.split()[0]) in SpecifierSet(PYPROJECT["requires-python"])


@pytest.fixture
def checkout(tmp_path):
    """A copy of the tools and of lib.sh, with a recipe of three stages and a set-up that does
    nothing."""
    (tmp_path / "recipes" / "toy").mkdir(parents=True)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "recipes" / "lib.sh", tmp_path / "recipes")
    recipe = tmp_path / "recipes" / "toy" / "run.sh"
    recipe.write_text("""#!/usr/bin/env bash
# What the toy is for.
#
#   --colour NAME
source "$(dirname "$0")/../lib.sh"
STAGES=(one two three)
OPTIONS="exp colour"
colour=red
stage_one() { echo "one $colour $exp"; }
stage_two() { need one "$exp/made by one"; echo two; }
stage_three() { false; echo unreached; }
parse_options "$@"
run_stages
echo end ${overrides[@]+"${overrides[@]}"}
""")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    (tmp_path / "tools" / "setup").write_text("#!/bin/sh\n")
    for program in (recipe, python, tmp_path / "tools" / "setup"):
        program.chmod(0o755)
    return tmp_path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["recipes/toy/run.sh", *arguments], cwd=checkout, capture_output=True,
                          text=True, timeout=30)


def test_stages_by_name_and_by_number(checkout):
    for stage in ("one", "1"):
        result = run(checkout, "--stop-stage", stage, "--colour=blue", "model.layers=1",
                     "epochs= 2")
        assert result.stdout == f"one blue {checkout}/exp/toy\nend model.layers=1 epochs= 2\n"
        assert result.returncode == 0
        assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d stage 1/3 one$", result.stderr, re.M)


def test_a_missing_input_names_the_stage_that_makes_it(checkout):
    result = run(checkout, "--stage", "two", "--exp", "e")
    assert result.returncode == 2
    assert "e/made by one is missing: run stage one first" in result.stderr
    (checkout / "e").mkdir()
    (checkout / "e" / "made by one").touch()
    result = run(checkout, "--stage", "two", "--stop-stage", "two", "--exp", "e")
    assert result.stdout == "two\nend\n"


def test_what_to_run_first_has_the_given_options(checkout):
    result = run(checkout, "--stage=two", "--exp", "e f", "epochs=2 # $b", "--stop-stage", "two",
                 "--colour=it's")
    command = result.stderr.split("this goes on from there: ")[1]
    assert shlex.split(command) == [
        "recipes/toy/run.sh", "--exp", "e f", "epochs=2 # $b", "--stop-stage", "two", "--colour",
        "it's", "--stage", "one"]


def test_a_failing_stage_ends_the_recipe(checkout):
    result = run(checkout, "--stage", "three")
    assert result.returncode == 1
    assert result.stdout == ""


@pytest.mark.parametrize(("arguments", "message"), [
    (["--stage", "four"], "no stage `four`; stages are: one two three (or 1 to 3)"),
    (["--stop-stage", "0"], "no stage `0`"),
    (["--color", "red"], "unknown option --color; known: --stage --stop-stage --exp --colour"),
    (["--exp"], "--exp needs a value"),
    (["--exp", ""], "--exp needs a value"),
    (["--exp", "--colour=red"], "--exp needs a value"),
    (["--stage", "2", "--stop-stage", "one"], "--stop-stage one is before --stage 2"),
    (["red"], "unexpected argument `red`"),
])
def test_wrong_options_are_one_line(checkout, arguments, message):
    result = run(checkout, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_help_is_the_recipes_head(checkout):
    result = run(checkout, "--help")
    assert result.stdout == "What the toy is for.\n\n  --colour NAME\n"
    assert result.returncode == 0


def test_setup_without_a_new_enough_python_is_one_line(tmp_path):
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup", tmp_path / "tools")
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    result = subprocess.run([tmp_path / "tools" / "setup"], capture_output=True, text=True,
                            env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=30)
    assert result.returncode == 2
    assert result.stderr.startswith("setup: error: no Python 3.11 or later")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / ".venv").exists()


@pytest.fixture
def environment(tmp_path):
    """Makes .venv by tools/setup, with a Python that only pretends to."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup", tmp_path / "tools")
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    python = tmp_path / "python3.13"
    python.write_text(f"""#!/bin/sh
[ "$1" = -m ] || exec "{sys.executable}" "$@"
rm -rf .venv
mkdir -p .venv/bin
printf '#!/bin/sh\\n' > .venv/bin/python
chmod +x .venv/bin/python
cp .venv/bin/python .venv/bin/asr
""")
    python.chmod(0o755)

    def setup() -> str:
        return subprocess.run([tmp_path / "tools" / "setup"], capture_output=True, text=True,
                              env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=30,
                              check=True).stderr

    assert "making .venv" in setup()
    return tmp_path / ".venv" / "bin", setup


def test_setup_leaves_what_it_made(environment):
    _, setup = environment
    assert setup() == ""


@pytest.mark.parametrize("name", ["python", "asr"])
def test_setup_makes_a_broken_environment_anew(environment, name):
    programs, setup = environment
    (programs / name).unlink()
    assert "making .venv" in setup()
    assert (programs / name).exists()


def test_setup_makes_an_environment_without_its_packages_anew(environment):
    """As after another Python took the place of the system's."""
    programs, setup = environment
    (programs / "python").write_text("#!/bin/sh\nexit 1\n")
    assert "making .venv" in setup()

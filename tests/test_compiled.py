"""numba's cache sees changes of a function's own file alone."""

import importlib
from pathlib import Path

import pytest
from numba.core.registry import CPUDispatcher

import asr

PACKAGE = Path(asr.__file__).parent
CACHED = [".".join(("asr", *path.relative_to(PACKAGE).with_suffix("").parts))
          for path in sorted(PACKAGE.rglob("*.py")) if "cache=True" in path.read_text("utf-8")]


@pytest.mark.parametrize("name", [name for name in CACHED if name != "asr.decode.beam"])
def test_what_is_kept_calls_nothing_of_another_file(name):
    """The search does, and sees to it by a digest."""
    module = importlib.import_module(name)
    functions = {each for each in vars(module).values() if isinstance(each, CPUDispatcher)}
    own = {each for each in functions if each.py_func.__module__ == name}
    called = {vars(module).get(used) for each in own for used in each.py_func.__code__.co_names}
    assert own and not called & (functions - own)

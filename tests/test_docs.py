"""What documents show is what the code does."""

import doctest
import re
from pathlib import Path

import pytest

import asr

DOCS = Path(__file__).parent.parent / "docs"


def test_examples():
    results = doctest.testfile(str(DOCS / "lstm.md"), module_relative=False)
    assert results.attempted > 20
    assert results.failed == 0


def test_the_first_example(monkeypatch):
    """That of `asr.load_model`, with the packaged model."""
    monkeypatch.chdir(DOCS.parent)
    results = doctest.testmod(asr)
    assert results.attempted == 5
    assert results.failed == 0


@pytest.mark.parametrize("name", [
    "architecture.md", "lstm.md", "alignment.md", "listening.md", "transcribing.md"])
def test_files_that_are_named_exist(name):
    text = (DOCS / name).read_text()
    for path in re.findall(r"`((?:asr|tests)/[a-z0-9_/.]+)`", text):
        assert (DOCS.parent / path).exists(), path
    for link in re.findall(r"\]\(([\w.-]+)\)", text):
        assert (DOCS / link).exists(), link

"""Some damaged files of every kind; tests/fuzz/fuzz.py does as many as one likes."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import fuzz


@pytest.mark.slow
def test_nothing_is_found(tmp_path):
    assert fuzz.fuzz(list(fuzz.KINDS), first=0, cases=210, keep=tmp_path / "finds") == []


@pytest.mark.parametrize(("fault", "said"), [
    ("raise ValueError('odd')", "ValueError('odd')"),
    ("bytearray(1 << 33)", "MemoryError()"),
    ("__import__('os').abort()", "the process ended with -6"),
    ("[0 for _ in iter(int, 1)]", "the process ended with -14|MemoryError"),
])
def test_faults_are_found(tmp_path, monkeypatch, fault, said):
    """The harness with a reader that does wrong in case 3, in a copy of it."""
    copy = tmp_path / "fuzz.py"
    text = Path(fuzz.__file__).read_text().replace(
        "def read_transcripts(path: Path) -> None:\n",
        "def read_transcripts(path: Path) -> None:\n"
        f"    if path.parent.name == 'case' and (path.parent / '3').exists(): {fault}\n")
    text = text.replace("        path = make_case(kind, number, good / kind, folder)\n",
                        "        path = make_case(kind, number, good / kind, folder)\n"
                        "        (folder / str(number)).touch()\n")
    copy.write_text(text.replace("SECONDS = 10", "SECONDS = 1"))
    monkeypatch.setattr(fuzz, "__file__", str(copy))
    found = fuzz.fuzz(["transcripts"], first=0, cases=6, keep=tmp_path / "finds")
    assert len(found) == 1
    kind, find = found[0].split(": ", 1)
    assert kind == "transcripts 3" and find in said.split("|")
    assert list((tmp_path / "finds" / "3").iterdir())


def test_a_case_is_a_function_of_its_number(tmp_path):
    fuzz.transcripts(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"out-{name}").mkdir()
    originals = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    good = tmp_path / "good"
    good.mkdir()
    for path in originals:
        path.rename(good / path.name)
    changed = 0
    for number in range(20):
        one, two = (fuzz.make_case("transcripts", number, good, tmp_path / f"out-{name}")
                    for name in ("a", "b"))
        assert one.read_bytes() == two.read_bytes()
        changed += one.read_bytes() != (good / one.name).read_bytes()
    assert changed >= 18
    random = np.random.default_rng(0)
    assert all(isinstance(fuzz.damage(b"", random), bytes) for _ in range(50))

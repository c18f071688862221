"""What tests/fuzz/fuzz.py once found: damaged files that ended in a traceback or in many lines."""

import numpy as np
import pytest
from dummies import write_speech

from asr.config import load_config
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.store import Store
from asr.text.phones import read_pronunciations


def said(function, *arguments):
    """The one line of an AsrError."""
    with pytest.raises(AsrError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("character", ["\x00", "\x02", "\x7f"])
def test_control_characters_in_yaml(tmp_path, character):
    path = tmp_path / "features.yaml"
    path.write_text(f"kind: fbank\nmels: {character}40\n")
    assert "features.yaml: not valid YAML (unacceptable character" in said(
        load_config, FeatureConfig, path)


@pytest.mark.parametrize("line", ["{", "", '{"id": "u0"}', '{"id":"u0","text":"a" "speaker":"s"}'])
def test_a_broken_entry_of_a_store(tmp_path, line):
    path = write_speech(tmp_path / "store", 2, seed=0)
    lines = (path / "utterances.jsonl").read_text().splitlines()
    (path / "utterances.jsonl").write_text("\n".join([lines[0], line]))
    assert "damaged feature store (" in said(Store.open, path)


def test_headers_of_arrays(tmp_path):
    path = write_speech(tmp_path / "store", 2, seed=0)
    good = (path / "offsets.npy").read_bytes()
    for header in (good[:60], good.replace(b"'<i8'", b"'<i8("), good.replace(b"(3,)", b"(3  "),
                   good.replace(b"(3,)", b"(9,)"), good.replace(b"<i8", b"<f8"), b"", b"\x93NUMPY"):
        (path / "offsets.npy").write_bytes(header)
        assert "damaged feature store (" in said(Store.open, path)


def test_offsets_out_of_order(tmp_path):
    path = write_speech(tmp_path / "store", 2, seed=0)
    offsets = np.load(path / "offsets.npy")
    for wrong in ([offsets[0], offsets[2] + 1, offsets[2]], [1, *offsets[1:]]):
        np.save(path / "offsets.npy", np.array(wrong, np.int64))
        assert "its files do not fit together" in said(Store.open, path)


def test_a_lexicons_line_that_is_a_comment_alone(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text("one W AH N\n #\n # nothing\ntwo T UW\n")
    assert [word for word, _ in read_pronunciations(path)] == ["one", "two"]

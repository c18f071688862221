"""What tests/fuzz/fuzz.py once found: damaged files that ended in a traceback or in many lines."""

import json

import numpy as np
import pytest
import torch
from dummies import unigrams, write_speech
from safetensors.torch import load_file, save_file

from asr.config import load_config
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.store import Store
from asr.lm.binary import FORMAT, load_lm, save_lm
from asr.text.phones import read_pronunciations
from asr.train.checkpoint import load_checkpoint, save_checkpoint


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


def test_an_array_in_an_archive(tmp_path):
    path = write_speech(tmp_path / "store", 2, seed=0)
    with (path / "offsets.npy").open("wb") as file:
        np.savez(file, np.load(path / "moments.npy"))
    assert "damaged feature store (" in said(Store.open, path)


def test_numbers_without_end(tmp_path):
    path = write_speech(tmp_path / "store", 2, seed=0)
    header = json.loads((path / "store.json").read_text())
    (path / "store.json").write_text(json.dumps(header | {"frames": np.inf}))
    assert "damaged feature store (" in said(Store.open, path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_types_that_numpy_has_not_or_has_from_another_package(tmp_path, dtype):
    """onnx brings bfloat16 with it."""
    save_lm(tmp_path / "a.lm", unigrams("a", "b"))
    tensors = load_file(tmp_path / "a.lm")
    tensors["log_prob.1"] = tensors["log_prob.1"].to(dtype)
    save_file(tensors, tmp_path / "a.lm", {"format": FORMAT})
    assert "a.lm: damaged (" in said(load_lm, tmp_path / "a.lm")


@pytest.mark.parametrize(("text", "damage"), [
    (b"history", b"hi\xfftory"), (b"little", b"lottle")])
def test_checkpoints(tmp_path, text, damage):
    """Cases in which torch does not say that the file is damaged, but stumbles."""
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"network": {"w": torch.ones(4, 3)}, "epoch": 1, "history": [{"a": 0.5}]})
    good = path.read_bytes()
    assert good.count(text) == 1
    path.write_bytes(good.replace(text, damage))
    assert "damaged checkpoint (" in said(load_checkpoint, path)


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

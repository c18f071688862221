"""`asr info` on a bundle, stores and trainings."""

import json
import re
import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner
from dummies import TINY
from rich.cells import cell_len

from asr.cli.info import info
from asr.config import load_config, save_config
from asr.console import text_console
from asr.decode.config import DecodeConfig
from asr.errors import AsrError
from asr.features.store import Store
from asr.info.read import read_things
from asr.info.run_table import run_tables
from asr.model.bundle import set_decoding
from asr.train.config import TrainConfig
from asr.train.runs import read_run

EPOCH = {"train_loss": 2.5, "dev_loss": 2.25, "dev_cer": 0.25, "dev_wer": 0.75,
         "learning_rate": 1e-3, "seconds": 1800.0, "hours_per_hour": 10.0, "waiting": 0.0}


def run(*arguments):
    result = CliRunner().invoke(info, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    assert max(map(cell_len, result.stdout.splitlines())) <= 80 or "--json" in arguments
    return result.stdout


def rows(text):
    """The table's cells by their label."""
    return {cells[0]: cells[1:] for line in text.splitlines()
            if (cells := re.split(r"\s{2,}", line.rstrip()))}


def training(folder, epochs=0, *overrides):
    """What a training in its epoch `epochs` + 1 has written, but for the checkpoint."""
    save_config(folder / "config.yaml", load_config(TrainConfig, None, [*TINY, *overrides]))
    if epochs:
        (folder / "metrics.jsonl").write_text("".join(
            json.dumps(EPOCH | {"epoch": i + 1, "dev_wer": 0.75 - 0.125 * (i == 1)}) + "\n"
            for i in range(epochs)))
    return folder


def test_a_bundle(babbler, tmp_path):
    shutil.copytree(babbler, tmp_path / "bundle")
    set_decoding(tmp_path / "bundle", DecodeConfig(lm_weight=0.5), b"x" * 2_500_000, None,
                 {"commit": "abc", "development": {"wer": 0.125, "loss": 1.5}})
    text = run(tmp_path / "bundle")
    found, text = rows(text), " ".join(text.split())
    # 12 values of 3 frames; LSTMs of 8 cells in two directions; blank, space, a to f.
    assert found["layer 1"] == [f"{2 * 4 * 8 * (36 + 8 + 2) + 2 * 16:,}",
                                f"{2 * 4 * 8 * (36 + 8) * 100 / 3:,.0f}"]
    assert found["head"] == [f"{(16 + 1) * 8}", f"{16 * 8 * 100 / 3:,.0f}"]
    assert found["units"] == ["8 characters"]
    assert found["lm.lm"] == ["2.5 MB"]
    assert found["development"] == ["wer=12.50%", "loss=1.5"]
    assert found["commit"] == ["abc"]
    assert "stack front end, 1 bidirectional LSTM layer of 8 cells in each direction" in text
    assert "the whole utterance (both directions, mean and variance of the utterance)" in text
    assert "lm_weight=0.5" in text


def test_a_bundle_for_programs(babbler):
    values = json.loads(run(babbler, "--json"))
    assert (values["schema"], values["version"]) == ("asr.info", 1)
    bundle, = values["items"]
    assert bundle["kind"] == "bundle"
    assert bundle["parameters"] == sum(part["parameters"] for part in bundle["parts"])
    assert bundle["frames_per_second"] == pytest.approx(100 / 3)
    assert bundle["reach"]["look_ahead"] is None
    assert bundle["reach"]["future"] == pytest.approx(0.015)  # windows overlap by so much
    assert bundle["features"]["mels"] == 12 and bundle["decoding"]["beam"] == 16
    assert bundle["files"]["model.safetensors"] == (babbler / "model.safetensors").stat().st_size


def test_a_store(stores):
    store = Store.open(stores[0])
    frames = len(store._frames)
    found = rows(run(stores[0]))
    assert found["utterances"] == ["40 by 3 speakers"]
    assert found["copies"] == ["80, at speed 0.9, 1"]
    assert found["frames"] == [f"{frames:,}"]
    assert found["hours"] == [f"{frames * 0.01 / 3600:.2f}, all copies together"]
    item, = json.loads(run(stores[0], "--json"))["items"]
    assert item["kind"] == "store" and item["speeds"] == [0.9, 1.0]
    assert item["hours"] == pytest.approx(frames / 360_000)
    assert item["files"]["frames.f16"] == frames * 12 * 2


def test_trainings_side_by_side(tmp_path):
    folders = [training(tmp_path / "a/model", 3), training(tmp_path / "b/model", 1, "clip=0.5"),
               training(tmp_path / "c/model")]
    text = run(*folders)
    assert text.splitlines()[0].split() == ["a/model", "b/model", "c/model"]
    assert rows(text) | {"": None} == {
        "": None, "clip": ["1.0", "0.5", "1.0"],
        "epochs": ["3 of 40", "1 of 40", "0 of 40"], "hours": ["1.50", "0.50", "0.00"],
        "parameters": ["–"] * 3, "lowest dev WER": ["62.50%", "75.00%", "–"],
        "in epoch": ["2", "1", "–"], "last dev WER": ["75.00%", "75.00%", "–"],
        "averaged model's WER": ["–"] * 3, "lowest dev CER": ["25.00%", "25.00%", "–"],
        "last dev CER": ["25.00%", "25.00%", "–"], "averaged model's CER": ["–"] * 3,
        "lowest dev loss": ["2.250", "2.250", "–"], "last dev loss": ["2.250", "2.250", "–"]}
    names = [item["name"] for item in json.loads(run(*folders, "--json"))["items"]]
    assert names == ["a/model", "b/model", "c/model"]


def test_data_that_differ_are_shown(tmp_path):
    run = read_run(training(tmp_path / "a", 1))
    others = {name: replace(run, data="d0", development=name) for name in ("d1", "d2")}
    console, buffer = text_console(colour=False)
    console.print(*run_tables(others))
    shown = rows(buffer.getvalue())
    assert shown["development data"] == ["d1", "d2"] and "training data" not in shown


def test_one_training_with_what_is_not_the_default(tmp_path):
    found = rows(run(training(tmp_path / "a", 1)))
    assert found["model.units"] == ["24"] and found["learning_rate"] == ["0.01"]
    assert "clip" not in found


def test_many_trainings_go_on_below(tmp_path):
    """Every one stands under its name, beside its own value."""
    folders = [training(tmp_path / f"training-{'x' * i}", 1, f"clip={i + 1}.5") for i in range(12)]
    text = run(*folders)
    blocks = text.split("\n\n" + " " * 10)  # a heading follows
    assert 2 < len(blocks) < 12
    values = [value for block in blocks for value in rows(block)["clip"]]
    assert values == [f"{i + 1}.5" for i in range(12)]


def test_what_is_too_long_is_folded(tmp_path):
    folders = [training(tmp_path / name, 1, "units.kind=phones", f"units.lexicon={value * 60}")
               for name, value in (("q" * 70, "y"), ("b", "z"))]
    text = run(*folders)
    assert [text.count(letter) for letter in "qyz"] == [70, 60, 60]


def test_names_cannot_steer_the_terminal(tmp_path):
    text = run(training(tmp_path / "a\x1b[2J[red]", 1))
    assert "\x1b" not in text and "[red]" in text


def test_kinds_may_be_mixed(babbler, stores, tmp_path):
    paths = [training(tmp_path / "a", 1), babbler, stores[1], training(tmp_path / "b", 1)]
    text = run(*paths, tmp_path / "b" / ".." / "a")
    assert text.count("epochs") == 1
    order = [text.index(part) for part in ("model bundle", "feature store", "epochs")]
    assert order == sorted(order)
    items = json.loads(run(*paths, paths[0] / ".." / "a", "--json"))["items"]
    assert [item["kind"] for item in items] == ["training", "bundle", "store", "training"]


def test_curves(tmp_path, stores):
    text = run(training(tmp_path / "a", 2), training(tmp_path / "b"), "--curves",
               tmp_path / "curves.png")
    assert "a" in text
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    for nothing in (stores[0], tmp_path / "b"):
        with pytest.raises(AsrError, match="nothing to draw"):
            run(nothing, "--curves", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_what_is_none_of_these(tmp_path, babbler):
    (tmp_path / "empty").mkdir()
    for path, message in ((tmp_path / "empty", "neither a model bundle"),
                          (tmp_path / "nowhere", "no such folder"),
                          (babbler / "bundle.json", "a file; name the folder")):
        with pytest.raises(AsrError, match=message) as error:
            read_things([path])
        assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("bundle.json", b"{", "bundle.json: not valid JSON"),
    ("store.json", b"{}", "damaged feature store"),
    ("checkpoint.pt", b"PK\x03\x04 cut off", "damaged checkpoint"),
    ("config.yaml", b"epochs: [", "not valid YAML"),
    ("config.yaml", b"server: x", "unknown key `server`"),
    ("metrics.jsonl", b"{}\n", "settings are neither")])
def test_what_is_damaged(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AsrError, match=message) as error:
        read_things([tmp_path])
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)

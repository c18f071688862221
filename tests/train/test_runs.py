"""What is read of trainings, whole or in parts."""

import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from dummies import TINY
from matplotlib.colors import to_rgb
from safetensors import safe_open

from asr.config import load_config
from asr.errors import AsrError
from asr.train.config import TrainConfig
from asr.train.metrics import COLOURS, plot_runs, read_metrics
from asr.train.runs import differing, flat, read_run, run_names
from asr.train.stage import train_model


@pytest.fixture(scope="module")
def trainings(stores, tmp_path_factory):
    """Two finished trainings that differ in two settings."""
    folder = tmp_path_factory.mktemp("trainings")
    for name, changes in (("a", ["epochs=3"]), ("b", ["epochs=2", "model.dropout=0.4"])):
        train_model(folder / name, *stores, load_config(TrainConfig, None, [*TINY, *changes]),
                    resume=False)
    return folder


@pytest.fixture
def copy(trainings, tmp_path):
    """A copy of a training, to take files out of."""
    shutil.copytree(trainings / "a", tmp_path / "a")
    return tmp_path / "a"


def records(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_results_are_those_of_metrics_and_bundle(trainings):
    results = read_run(trainings / "a").results()
    written = records(trainings / "a")
    wers = [record["dev_wer"] for record in written]
    assert (results["epochs"], results["of"]) == (3, 3)
    assert results["best_wer"] == min(wers) == wers[results["best_epoch"] - 1]
    assert results["last_cer"] == written[2]["dev_cer"]
    assert results["best_loss"] == min(record["dev_loss"] for record in written)
    assert results["hours"] == pytest.approx(sum(r["seconds"] for r in written) / 3600)
    bundle = json.loads((trainings / "a/bundle/bundle.json").read_text())
    assert results["averaged_wer"] == bundle["provenance"]["development"]["wer"]
    assert results["training_data"] == bundle["provenance"]["training data"]
    assert results["development_data"] == bundle["provenance"]["development data"]
    with safe_open(trainings / "a/bundle/model.safetensors", "np") as file:
        assert results["parameters"] == sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118


def test_a_mapping_is_one_setting_and_differs_from_none():
    settings = [flat(load_config(TrainConfig, None, overrides).model_dump(mode="json"))
                for overrides in ([], ["rates={front_end: 0}"])]
    assert differing(settings) == {"rates": [{}, {"front_end": 0.0}]}


def test_only_what_differs(trainings):
    runs = [read_run(trainings / name) for name in "ab"]
    assert differing([run.settings for run in runs]) == {
        "epochs": [3, 2], "model.dropout": [0.2, 0.4]}
    alone = differing([runs[1].settings])
    assert alone == {**{key: [value] for key, value in (
        ("seed", 5), ("epochs", 2), ("model.channels", 4), ("model.layers", 1), ("model.units", 24),
        ("model.dropout", 0.4), ("batch_seconds", 6.0), ("learning_rate", 0.01),
        ("spec_augment.time_width", 0.1), ("average.epochs", 2), ("features.mels", 12))}}


def test_a_setting_that_is_not_known_of_all():
    """Features are known from the first checkpoint on; before, a training does not differ by them.
    """
    assert differing([{"x": 1, "features.mels": 80}, {"x": 1}]) == {}
    assert differing([{"x": 1, "features.mels": 80}, {"x": 2}, {"x": 1, "features.mels": 40}]) == {
        "x": [1, 2, 1], "features.mels": [80, None, 40]}


def test_a_training_tells_its_settings_from_the_start_on(trainings):
    """config.yaml is a file for --config."""
    for name in "ab":
        assert flat(load_config(TrainConfig, trainings / name / "config.yaml").model_dump(
            mode="json")).items() <= read_run(trainings / name).settings.items()


@pytest.mark.parametrize("missing", [
    ["checkpoint.pt"], ["config.yaml"], ["checkpoint.pt", "config.yaml"]])
def test_one_place_for_the_settings_is_enough(missing, copy, trainings):
    whole = read_run(trainings / "a")
    for name in missing:
        (copy / name).unlink()
    run = read_run(copy)
    assert run.settings == whole.settings
    assert run.results() == whole.results()


def test_an_unfinished_training(copy):
    shutil.rmtree(copy / "bundle")
    run = read_run(copy)
    assert run.averaged is None and run.results()["averaged_wer"] is None
    assert run.results()["parameters"] > 0 and run.data
    assert run.settings["features.mels"] == 12 and run.development


def test_a_training_before_its_first_checkpoint(copy):
    for name in ("checkpoint.pt", "metrics.jsonl"):
        (copy / name).unlink()
    shutil.rmtree(copy / "bundle")
    results = read_run(copy).results()
    assert (results["epochs"], results["of"], results["hours"]) == (0, 3, 0)
    assert {results[key] for key in ("best_wer", "best_epoch", "last_loss", "averaged_wer",
                                     "parameters", "training_data", "development_data")} == {None}


def test_an_earlier_trainings_bundle_is_not_this_ones_result(copy, trainings):
    shutil.rmtree(copy / "bundle")
    shutil.copytree(trainings / "b/bundle", copy / "bundle")
    assert read_run(copy).averaged is None


def test_settings_of_a_version_that_did_not_have_all_of_them(copy):
    """They are as by default: a setting that came later changes nothing unless it is used."""
    values = json.loads((copy / "bundle/bundle.json").read_text())
    del values["provenance"]["training"]["clip"]
    (copy / "bundle/bundle.json").write_text(json.dumps(values))
    for name in ("checkpoint.pt", "config.yaml"):
        (copy / name).unlink()
    assert read_run(copy).settings["clip"] == 1.0


def test_damage_is_named(copy):
    (copy / "metrics.jsonl").write_text((copy / "metrics.jsonl").read_text() + '{"epoch": 4}\n')
    with pytest.raises(AsrError, match=r"metrics\.jsonl:4: not the record"):
        read_run(copy)
    (copy / "checkpoint.pt").write_bytes((copy / "checkpoint.pt").read_bytes()[:5000])
    with pytest.raises(AsrError, match=r"checkpoint\.pt: damaged"):
        read_run(copy)


@pytest.mark.parametrize("line", ["", "[]", "{", "null", '{"epoch": "one"}'])
def test_lines_that_are_no_record(line, tmp_path):
    (tmp_path / "metrics.jsonl").write_text(line + "\n")
    with pytest.raises(AsrError, match=":1:"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_settings_that_are_nowhere(copy):
    for name in ("checkpoint.pt", "config.yaml"):
        (copy / name).unlink()
    shutil.rmtree(copy / "bundle")
    with pytest.raises(AsrError, match="settings are neither"):
        read_run(copy)


@pytest.mark.parametrize(("paths", "names"), [
    (["x/a", "x/b"], ["a", "b"]), (["/x/a/model", "/x/b/model"], ["a/model", "b/model"]),
    (["a/m", "b/m", "b/n"], ["a/m", "b/m", "b/n"]), (["a"], ["a"]), (["a", "a"], ["a", "a"]),
    (["/a", "/b/a"], ["//a", "b/a"])])
def test_names_tell_folders_apart(paths, names):
    assert run_names([Path(path) for path in paths]) == names


# Linear RGB as it is seen without red, green and blue cones (Machado et al. 2009, severity 1).
VISION = {
    "trichromat": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                  [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                    [-0.011820, 0.042940, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                  [0.004733, 0.691367, 0.303900]]}


def lab(colour, vision):
    """CIE 1976 L*a*b* of an sRGB colour, of white D65."""
    srgb = np.array(to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(vision) @ linear, 0, 1)
    xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                    [0.0193339, 0.1191920, 0.9503041]]) @ seen / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_eight_colours_are_told_apart_from_each_other_and_from_white(vision):
    """A distance of 2.3 is just noticeable."""
    seen = [lab(colour, VISION[vision]) for colour in (*COLOURS, "white")]
    assert len(COLOURS) == 8
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 15


def test_pictures_of_one_run_of_many_and_of_hardly_any(trainings, tmp_path):
    """No errors at all have no logarithm; a single epoch is no line."""
    history = read_run(trainings / "a").history
    perfect = [record | {"dev_wer": 0.0} for record in history]
    for runs in ({"a": history}, {"none": perfect, "one": history[:1]},
                 {f"run {i}": history for i in range(9)}):
        plot_runs(tmp_path / "curves.png", runs)
        assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")

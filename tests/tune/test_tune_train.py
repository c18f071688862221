"""Searches: the study's side with trainings that are formulas, then whole ones on tiny stores."""

import json
import signal
import subprocess
import sys

import numpy as np
import optuna
import pytest
import torch
import yaml
from click.testing import CliRunner
from dummies import write_speech
from optuna.trial import TrialState

from asr.cli import asr
from asr.config import load_config
from asr.errors import AsrError, Untrainable
from asr.features.store import Store, write_store
from asr.model.bundle import load_bundle
from asr.train.config import TrainConfig
from asr.train.evaluate import Evaluation
from asr.train.signals import StopSignals
from asr.train.stage import train_model
from asr.tune import report
from asr.tune import train as tune
from asr.tune.config import SearchConfig
from asr.tune.queue import lock_folder
from asr.tune.train import tune_training

TINY = ["model.front_end=stack", "model.layers=1", "model.units=4", "batch_seconds=4", "epochs=2",
        "learning_rate=0.01"]
RATES = {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}
GRID = {"model.units": {"choices": [4, 5, 6]}, "model.dropout": {"low": 0, "high": 0.2,
                                                                 "step": 0.1}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folders of a training store of three speakers and two speeds, and a development store."""
    folder = tmp_path_factory.mktemp("tiny")
    return (write_speech(folder / "train", 6, seed=1, speeds=(0.9, 1.0)),
            write_speech(folder / "dev", 3, seed=2))


def base(*overrides):
    return load_config(TrainConfig, None, [*TINY, *overrides])


def epoch_record(epoch, wer, seconds):
    """As a training writes it."""
    return {"epoch": epoch, "dev_wer": wer, "seconds": seconds} | dict.fromkeys(
        ("train_loss", "dev_loss", "dev_cer", "learning_rate", "hours_per_hour", "waiting"), 1.0)


def run(folder, stores, keys, trials=None, overrides=(), initial=None, **search):
    return tune_training(folder, *stores, base(*overrides), SearchConfig(keys=keys, **search),
                         trials, initial)


def trials(folder):
    study = optuna.load_study(study_name="train", storage=f"sqlite:///{folder / 'study.db'}")
    return study.get_trials()


def told(folder):
    """What does not depend on the clock."""
    return [(t.number, t.state, t.params, t.values, t.intermediate_values)
            for t in trials(folder)]


@pytest.fixture
def formula(monkeypatch):
    """Trainings whose error rate is highest at small rates: 1 - rate, all epochs alike."""
    trained = []

    def train(folder, training, development, config, resume, initial=None, on_epoch=None):
        assert resume
        trained.append(config)
        folder.mkdir(parents=True, exist_ok=True)
        wer = 1 - config.learning_rate
        for epoch in range(1, config.epochs + 1):
            record = epoch_record(epoch, wer + config.epochs - epoch, 100.0)
            with (folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(record) + "\n")
            if on_epoch is not None:
                on_epoch(record)
        return Evaluation(0.0, 0.0, wer, 10 * len(development))
    monkeypatch.setattr(tune, "train", train)
    return trained


def test_a_grid_is_visited_once(tiny, tmp_path, formula):
    run(tmp_path, tiny, GRID, trials=4, sampler="grid")
    assert len(formula) == 4
    for count in (None, 30):
        run(tmp_path, tiny, GRID, trials=count, sampler="grid")
    assert [(c.model.units, c.model.dropout) for c in formula] == [
        (units, dropout) for units in (4, 5, 6) for dropout in (0.0, 0.1, 0.2)]


def test_trials_start_with_the_base_and_are_drawn_by_name(tiny, tmp_path, formula):
    run(tmp_path / "a", tiny, RATES, trials=12, pruner="none")
    whole = [c.learning_rate for c in formula]
    assert whole[0] == 0.01 and len(set(whole)) == 12
    formula.clear()
    for count in (3, 12):
        run(tmp_path / "b", tiny, RATES, trials=count, pruner="none")
    assert [c.learning_rate for c in formula] == whole
    assert told(tmp_path / "a") == told(tmp_path / "b")
    formula.clear()
    run(tmp_path / "c", tiny, RATES, trials=3, overrides=["seed=1"], pruner="none")
    assert [c.learning_rate for c in formula][1:] != whole[1:3]


def test_what_is_found_is_reported(tiny, tmp_path, formula):
    search = RATES | {"model.layers": {"low": 1, "high": 3}}
    text = run(tmp_path, tiny, search, trials=11, pruner="none")
    best = max(formula, key=lambda config: config.learning_rate)
    assert load_config(TrainConfig, tmp_path / "best.yaml") == best
    assert set(yaml.safe_load((tmp_path / "best.yaml").read_text())) == set(
        TrainConfig.model_fields)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    number = formula.index(best)
    assert lines[1].split() == [str(number), f"{100 * (1 - best.learning_rate):.2f}", "2",
                                "0:03:20", f"learning_rate={best.learning_rate:.4g}"]
    assert "11 trials: 11 finished" in lines
    assert (tmp_path / "importance.png").read_bytes().startswith(b"\x89PNG")


def test_no_importance_where_all_is_alike(tiny, tmp_path, formula):
    run(tmp_path, tiny, {"seed": {"low": 0, "high": 9}}, sampler="grid")
    assert (tmp_path / "best.yaml").exists() and not (tmp_path / "importance.png").exists()


def test_a_picture_that_fails_does_not_lose_the_table(tiny, tmp_path, monkeypatch, capsys,
                                                      formula):
    def broken(*_):
        raise ImportError("no scikit-learn")
    monkeypatch.setattr(report, "plot_importance", broken)
    text = run(tmp_path, tiny, RATES, trials=11, pruner="none")
    assert "11 trials: 11 finished" in text
    assert "no importance.png: no scikit-learn" in capsys.readouterr().err


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruned_trials_are_counted_and_shown(pruner, tiny, tmp_path, formula):
    """Worse from trial to trial, so that the last ones are not worth their end."""
    rates = [0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02]
    text = run(tmp_path, tiny, {"learning_rate": {"choices": rates}}, overrides=["epochs=9"],
               sampler="grid", pruner=pruner)
    states = [trial.state for trial in trials(tmp_path)]
    pruned = [i for i, state in enumerate(states) if state == TrialState.PRUNED]
    assert len(formula) == len(states) == 8
    assert states[0] == TrialState.COMPLETE and 7 in pruned
    if pruner == "median":
        assert pruned == [5, 6, 7]
        assert trials(tmp_path)[7].user_attrs["epochs"] == 2  # a quarter of 9
    assert f"{len(pruned)} pruned ({', '.join(map(str, pruned))})" in text
    assert not (tmp_path / "importance.png").exists()  # too few trials


def test_settings_that_cannot_be_trained_with_do_not_end_a_search(tiny, tmp_path, monkeypatch,
                                                                  formula):
    formulas = tune.train

    def train(folder, training, development, config, *arguments, **more):
        if config.learning_rate > 0.05:
            raise Untrainable("epoch 1: loss nan; lower learning_rate")
        return formulas(folder, training, development, config, *arguments, **more)
    monkeypatch.setattr(tune, "train", train)
    text = run(tmp_path, tiny, {"learning_rate": {"choices": [0.1, 0.01]}}, sampler="grid")
    assert "2 trials: 1 finished, 1 not trainable (0)" in text
    assert "0: epoch 1: loss nan\n" in text
    with pytest.raises(AsrError, match="no trial has finished"):
        run(tmp_path / "b", tiny, {"learning_rate": {"choices": [0.1, 0.2]}}, sampler="grid")


@pytest.mark.parametrize("choices", [
    {"precision": {"choices": ["float16", "float32"]}},  # there is no GPU
    {"rates.layers.1": {"choices": [0.5]}, "model.layers": {"choices": [1, 2]}}])
def test_nor_do_those_of_which_only_the_training_knows(choices, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    text = run(tmp_path, tiny, choices, overrides=["epochs=1", "average.epochs=1"], sampler="grid")
    assert "2 trials: 1 finished, 1 not trainable (0)" in text


def test_every_trial_starts_from_a_bundle(tiny, tmp_path):
    """Its network, but for what is looked for or given."""
    bundles = [train_model(tmp_path / name, *tiny, load_config(TrainConfig, None, [
        *TINY, "model.units=6", "epochs=1", f"seed={seed}"]), resume=False)
        for seed, name in enumerate(("first", "second"))]
    settings = load_config(TrainConfig, None, ["batch_seconds=4", "epochs=1"])
    search = SearchConfig(keys={"rates.layers": {"choices": [0, 1]}}, sampler="grid")
    tune_training(tmp_path / "search", *tiny, settings, search, initial=bundles[0])
    starts = load_bundle(bundles[0]).weights
    for number in (0, 1):
        bundle = load_bundle(tmp_path / "search" / f"trial-{number:03d}" / "bundle")
        assert bundle.config.model.units == 6
        assert bundle.config.provenance["initial"]["bundle"] == str(bundles[0])
        kept = [np.array_equal(array, starts[name]) for name, array in bundle.weights.items()
                if name.startswith("layers")]
        assert all(kept) if number == 0 else not any(kept)
    best = load_config(TrainConfig, tmp_path / "search" / "best.yaml")
    assert best.model.units == 6
    again = train_model(tmp_path / "again", *tiny, best, resume=False, initial=bundles[0])
    number = int((tmp_path / "search" / "best.yaml").read_text().split()[2].rstrip(":"))
    assert (again / "model.safetensors").read_bytes() == (
        tmp_path / "search" / f"trial-{number:03d}" / "bundle" / "model.safetensors").read_bytes()
    for other in (bundles[1], None):
        with pytest.raises(AsrError, match="begun from --init"):
            tune_training(tmp_path / "search", *tiny, settings, search, initial=other)


def test_another_fault_ends_it_and_the_trial_is_tried_again(tiny, tmp_path, monkeypatch, formula):
    def broken(*_, **__):
        raise AsrError("disk full")
    with monkeypatch.context() as patch, pytest.raises(AsrError, match="disk full"):
        patch.setattr(tune, "train", broken)
        run(tmp_path, tiny, GRID, sampler="grid")
    run(tmp_path, tiny, GRID, sampler="grid")
    assert [t.state for t in trials(tmp_path)] == [TrialState.COMPLETE] * 9


def test_a_checkpoint_that_cannot_be_read_is_started_anew(tiny, tmp_path, monkeypatch, formula):
    def broken(folder, *_, **__):
        (folder / "checkpoint.pt").write_bytes(b"half")
        raise KeyboardInterrupt
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tune, "train", broken)
        run(tmp_path, tiny, GRID, sampler="grid")
    run(tmp_path, tiny, GRID, sampler="grid")
    found = trials(tmp_path)
    assert [t.state for t in found] == [TrialState.FAIL] + [TrialState.COMPLETE] * 9
    assert found[1].params == found[0].params
    assert len({json.dumps(t.params) for t in found[1:]}) == 9


def test_one_that_cannot_be_read_now_ends_the_search(tiny, tmp_path, monkeypatch, formula):
    def broken(folder, *_, **__):
        (folder / "checkpoint.pt").mkdir(parents=True)
        raise KeyboardInterrupt
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tune, "train", broken)
        run(tmp_path, tiny, GRID, sampler="grid")
    with pytest.raises(AsrError, match=r"cannot read .*: Is a directory"):
        run(tmp_path, tiny, GRID, sampler="grid")
    assert [t.state for t in trials(tmp_path)] == [TrialState.RUNNING]


def test_a_trial_in_other_hands_is_left_alone(tiny, tmp_path, formula):
    study = tmp_path / "study.db"
    run(tmp_path, tiny, GRID, trials=1, sampler="grid")
    other = optuna.load_study(study_name="train", storage=f"sqlite:///{study}")
    other.enqueue_trial({"model.units": 4, "model.dropout": 0.1})
    other.ask()
    with lock_folder(tmp_path / "trial-001"):
        text = run(tmp_path, tiny, GRID, sampler="grid")
    assert "9 trials: 8 finished, 1 running (1)" in text
    assert trials(tmp_path)[1].state == TrialState.RUNNING


def test_a_signal_within_a_training_ends_the_search_after_it(tiny, tmp_path, monkeypatch, formula):
    """One that comes when the training has nothing left to stop."""
    formulas = tune.train

    def train(*arguments, **more):
        with StopSignals():
            signal.raise_signal(signal.SIGTERM)
        return formulas(*arguments, **more)
    monkeypatch.setattr(tune, "train", train)
    with pytest.raises(SystemExit) as caught:
        run(tmp_path, tiny, GRID, sampler="grid")
    assert caught.value.code == 128 + signal.SIGTERM
    assert [t.state for t in trials(tmp_path)] == [TrialState.COMPLETE]


def test_folds_are_pooled_over_words_and_the_first_one_prunes(tiny, tmp_path, monkeypatch):
    measured, reporting = [], []

    def train(folder, training, development, config, resume, initial=None, on_epoch=None):
        measured.append((folder.name, len(development)))
        reporting.append(on_epoch is not None)
        folder.mkdir(parents=True)
        folder.joinpath("metrics.jsonl").write_text(json.dumps(epoch_record(1, 0.5, 1.0)) + "\n")
        return Evaluation(0.0, 0.0, 0.1 * len(measured), 10.0 * len(measured))
    monkeypatch.setattr(tune, "train", train)
    run(tmp_path, (tiny[0], None), {"model.units": {"choices": [4]}}, sampler="grid", folds=3)
    assert measured == [("fold-1", 2), ("fold-2", 2), ("fold-3", 2)]
    assert reporting == [True, False, False]
    assert trials(tmp_path)[0].value == pytest.approx((1 + 4 + 9) / 60)


def test_what_does_not_fit_is_refused(tiny, tmp_path, monkeypatch, formula):
    run(tmp_path, tiny, RATES, trials=1)
    with pytest.raises(AsrError, match=r"epochs=2, not 3"):
        run(tmp_path, tiny, RATES, overrides=["epochs=3"])
    with pytest.raises(AsrError, match=r"search\.keys\.learning_rate\.high=0\.1, not 0\.2"):
        run(tmp_path, tiny, {"learning_rate": RATES["learning_rate"] | {"high": 0.2}})
    with pytest.raises(AsrError, match="other training data"):
        run(tmp_path, (tiny[0], write_speech(tmp_path / "dev", 3, seed=3)), RATES)
    louder = tmp_path / "louder"
    write_store(louder, (plain := Store.open(tiny[1])).config, [
        (entry, plain.frames(i) + np.float16(1)) for i, entry in enumerate(plain.entries)])
    with pytest.raises(AsrError, match="other training data"):
        run(tmp_path, (tiny[0], louder), RATES)
    with pytest.raises(AsrError, match=r"6 of 12 entries are copies"):
        run(tmp_path, (tiny[0], tiny[0]), RATES)
    with pytest.raises(AsrError, match="leave --dev out"):
        run(tmp_path, tiny, RATES, folds=2)
    with pytest.raises(AsrError, match="needs a development store"):
        run(tmp_path, (tiny[0], None), RATES)
    with pytest.raises(AsrError, match="did you mean `learning_rate`"):
        run(tmp_path / "new", tiny, {"learning_rat": RATES["learning_rate"]})
    assert not (tmp_path / "new").exists()
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        with pytest.raises(AsrError, match="start the command several times"):
            run(tmp_path, tiny, RATES)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AsrError, match=r"pip install 'asr\[tune\]'"):
        run(tmp_path, tiny, RATES)
    assert len(formula) == 1


def command(folder, stores, search, *arguments):
    return ["tune", "train", str(folder), "--train", str(stores[0]), "--dev", str(stores[1]),
            "--search", str(search), *TINY, *arguments]


def test_folds_are_trained(tiny, tmp_path):
    text = run(tmp_path, (tiny[0], None), {"model.units": {"choices": [4]}}, sampler="grid",
               folds=2)
    assert "1 trials: 1 finished" in text
    wrong = words = 0
    for fold in (1, 2):
        folder = tmp_path / "trial-000" / f"fold-{fold}"
        assert not (folder / "checkpoint.pt").exists() and not (folder / "weights").exists()
        provenance = load_bundle(folder / "bundle").config.provenance
        some = [e for e in Store.open(tiny[0]).entries
                if e.speed == 1 and (e.speaker in ("s0", "s2")) == (fold == 1)]
        count = sum(len(entry.text.split()) for entry in some)
        wrong += provenance["development"]["wer"] * count
        words += count
    assert trials(tmp_path)[0].value == pytest.approx(wrong / words)


@pytest.mark.slow
def test_workers_share_a_search_that_ends_as_if_uninterrupted(tiny, tmp_path):
    """Two processes, one of them killed in the middle of a trial, and a third one afterwards."""
    search = tmp_path / "search.yaml"
    search.write_text(yaml.safe_dump({"sampler": "grid", "pruner": "none", "keys": {
        "model.units": {"choices": [4, 5]}, "learning_rate": {"choices": [0.01, 0.02]}}}))
    whole = CliRunner().invoke(asr, command(tmp_path / "whole", tiny, search))
    assert whole.exit_code == 0, whole.output
    folder = tmp_path / "shared"
    # A checkpoint after every batch, so that the third process finds one.
    arguments = command(folder, tiny, search, "checkpoint_minutes=1e-9")
    workers = [subprocess.Popen([sys.executable, "-m", "asr", *arguments], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    killed, other = workers
    lines = []
    while killed.poll() is None and "epoch" not in "".join(lines):
        lines.append(killed.stderr.readline())
    killed.send_signal(signal.SIGKILL)
    lines += killed.communicate(timeout=60)[1].splitlines()
    _, said = other.communicate(timeout=300)
    assert other.returncode == 0, said
    last = CliRunner().invoke(asr, arguments)
    assert last.exit_code == 0, last.output
    assert "4 trials: 4 finished\n" in last.stdout
    assert told(folder) == told(tmp_path / "whole")
    first, others = ([line.split(":")[0] for line in some if line.startswith("trial") and
                      "=" in line] for some in (lines, (said + last.stderr).splitlines()))
    assert len(set(others)) == len(others)
    assert set(first) & set(others) <= {first[-1]}  # the trial in whose middle it was killed
    assert set(first) | set(others) == {f"trial {number}" for number in range(4)}

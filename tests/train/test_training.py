"""Whole trainings on small stores, in processes of their own where they are killed."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch
from dummies import FEATURES, TINY, WORDS, unigrams, write_speech

from asr.config import load_config
from asr.decode.config import DecodeConfig
from asr.decode.settings import SearchRequest
from asr.decode.stage import decode_store
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.store import Entry, Store, config_hash, write_store
from asr.lm.binary import save_lm
from asr.manifest import Hypothesis, read_records
from asr.model.bundle import load_bundle, set_decoding
from asr.score.align import score_utterances
from asr.train import stage
from asr.train.checkpoint import load_checkpoint, save_checkpoint
from asr.train.config import TrainConfig
from asr.train.stage import rehearse_training, train, train_model

THREADS = torch.get_num_threads()


def config(*overrides):
    return load_config(TrainConfig, None, [*TINY, *overrides])


def command(folder, stores, *arguments, launch=("-m", "asr")):
    return [sys.executable, *launch, "train", str(folder), "--train", str(stores[0]),
            "--dev", str(stores[1]), *TINY, *arguments]


def run(*arguments, **options):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=300,
                          **options)


def metrics(folder):
    """The records, without what depends on the clock."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in r.items() if k not in ("seconds", "hours_per_hour", "waiting")}
            for r in records]


def weights(folder):
    return (folder / "bundle" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(stores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "model"
    train_model(folder, *stores, config("epochs=4"), resume=False)
    return folder


@pytest.mark.slow
def test_it_learns(stores, tmp_path):
    settings = config("epochs=25", "batch_seconds=3", "model.units=48", "model.dropout=0",
                      "spec_augment.time_masks_per_second=0")
    train_model(tmp_path / "model", *stores, settings, resume=False)
    history = metrics(tmp_path / "model")
    assert history[-1]["dev_wer"] < 0.1
    assert history[-1]["dev_loss"] < history[0]["dev_loss"] / 5
    assert load_bundle(tmp_path / "model" / "bundle").config.provenance["seed"] == 5


LEXICON = """one w ah n
two t uw
too t uw
three th r iy
four f ao r
five f ay v
six s ih k s
"""


@pytest.mark.parametrize("settings", [
    ("units.kind=bpe", "units.size=24"), ("units.kind=phones", "unfit=drop")])
@pytest.mark.slow
def test_other_units_are_learnt_and_searched(settings, stores, tmp_path, capsys):
    """`ten` has no pronunciation; `too` sounds like `two`, and the language model tells them."""
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text(LEXICON)
    if "units.kind=phones" in settings:
        settings += (f"units.lexicon={lexicon}",)
        with pytest.raises(AsrError, match=r"unfit for CTC .*no units for `.*ten"):
            train_model(tmp_path / "strict", *stores, config(*settings[::2]), resume=False)
    learning = config("epochs=25", "batch_seconds=3", "model.units=48", "model.dropout=0",
                      "spec_augment.time_masks_per_second=0", *settings)
    train_model(tmp_path / "model", *stores, learning, resume=False)
    train_model(tmp_path / "model", *stores, learning, resume=True)  # finds its checkpoint fit
    bundle = load_bundle(tmp_path / "model" / "bundle")
    assert bundle.config.units == settings[0].split("=")[1]
    save_lm(tmp_path / "words.lm", unigrams(*WORDS))
    found = {}
    for name, request in (("greedy", SearchRequest({"search": "greedy"})),
                          ("lm", SearchRequest({}, tmp_path / "words.lm"))):
        decode_store(tmp_path / "model" / "bundle", stores[1], tmp_path / f"{name}.jsonl", request,
                     1)
        pairs = [(entry.text, hypothesis.text) for entry, hypothesis in zip(
            Store.open(stores[1]).entries, read_records(tmp_path / f"{name}.jsonl", Hypothesis),
            strict=True) if "ten" not in entry.text or bundle.config.units == "bpe"]
        words = score_utterances((text, text, hypothesis) for text, hypothesis in pairs).words
        found[name] = words.errors.sum() / words.length.sum()
    assert found["lm"] <= found["greedy"] < 0.3
    assert found["lm"] < 0.1


def test_the_folder_tells_the_whole_story(uninterrupted):
    assert [r["epoch"] for r in metrics(uninterrupted)] == [1, 2, 3, 4]
    assert (uninterrupted / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((uninterrupted / "tensorboard").iterdir())
    assert sorted(p.name for p in (uninterrupted / "weights").iterdir()) == [
        "epoch-0003.safetensors", "epoch-0004.safetensors"]


def test_a_second_run_gives_the_same_bits(uninterrupted, stores, tmp_path):
    train_model(tmp_path / "model", *stores, config("epochs=4"), resume=True)
    assert weights(tmp_path / "model") == weights(uninterrupted)
    assert metrics(tmp_path / "model") == metrics(uninterrupted)


def wait_for(condition, process):
    while process.poll() is None and not condition():
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed_and_resumed_gives_the_same_bits(blow, uninterrupted, stores, tmp_path):
    folder = tmp_path / "model"
    # A checkpoint after every batch, so that SIGKILL too finds one in the middle of an epoch.
    arguments = ("epochs=4", "checkpoint_minutes=1e-9")
    process = subprocess.Popen(command(folder, stores, *arguments), stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    wait_for(lambda: (folder / "metrics.jsonl").exists(), process)
    time.sleep(0.05)
    process.send_signal(blow)
    _, said = process.communicate(timeout=120)
    if process.returncode == 0:
        pytest.skip("it was through before the signal came")
    if blow == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 128 + blow
        assert "--resume goes on from here" in said
        assert "Traceback" not in said
    assert not (folder / "bundle").exists()
    again = run(folder, stores, *arguments, "--resume")
    assert again.returncode == 0, again.stderr
    assert metrics(folder) == metrics(uninterrupted)
    assert weights(folder) == weights(uninterrupted)


@pytest.mark.slow
def test_torchrun_gives_the_loss_curve_of_one_process(stores, tmp_path):
    """With the same global batch; 3 processes do not divide the batches evenly."""
    one = run(tmp_path / "one", stores, "epochs=3", "precision=float32")
    assert one.returncode == 0, one.stderr
    for count in (2, 3):
        folder = tmp_path / str(count)
        launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count),
                  "-m", "asr")
        many = subprocess.run(
            command(folder, stores, "epochs=3", "precision=float32", launch=launch),
            capture_output=True, text=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert many.returncode == 0, many.stderr
        for a, b in zip(metrics(tmp_path / "one"), metrics(folder), strict=True):
            assert b["train_loss"] == pytest.approx(a["train_loss"], rel=1e-3)
            assert b["dev_loss"] == pytest.approx(a["dev_loss"], rel=1e-2)


MORTAL = """
import os, signal, sys
from asr.cli import main
from asr.train.distributed import Processes

def die_at_the_seventh(*arguments, steps=[]):
    steps.append(1)
    if len(steps) == 7 and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return sum_gradients(*arguments)

sum_gradients = Processes.sum_gradients
Processes.sum_gradients = die_at_the_seventh
main()
"""


@pytest.mark.slow
def test_a_process_that_dies_ends_the_job_and_it_resumes_to_the_same_bits(stores, tmp_path):
    (tmp_path / "mortal.py").write_text(MORTAL)

    def torchrun(name, *program, more=()):
        launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *program)
        return subprocess.run(
            command(tmp_path / name, stores, "epochs=2", "checkpoint_minutes=1e-9", *more,
                    launch=launch),
            capture_output=True, text=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"})
    done = torchrun("killed", str(tmp_path / "mortal.py"))
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "asr: error" in line]
    assert len(said) == 1
    assert "another process of this training has died" in said[0] and "--resume" in said[0]
    assert "sum_gradients" not in done.stderr  # torchrun's own traceback is the only one
    assert (tmp_path / "killed" / "checkpoint.pt").exists()
    assert not (tmp_path / "killed" / "bundle").exists()
    for name, more in (("killed", ["--resume"]), ("undisturbed", [])):
        done = torchrun(name, "-m", "asr", more=more)
        assert done.returncode == 0, done.stderr
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "undisturbed")
    assert weights(tmp_path / "killed") == weights(tmp_path / "undisturbed")


STOPPED = """
import os, signal, time
from asr.cli import main
from asr.train import loop
from asr.train.distributed import Processes

def stop_at_the_third(*arguments, steps=[]):
    steps.append(1)
    if len(steps) == 3:
        if {launcher_too} and os.environ["RANK"] == "0":
            os.kill(os.getppid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    return sum_gradients(*arguments)

def slowly(*arguments):
    time.sleep(2)
    save_checkpoint(*arguments)

sum_gradients, save_checkpoint = Processes.sum_gradients, loop.save_checkpoint
Processes.sum_gradients, loop.save_checkpoint = stop_at_the_third, slowly
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("launcher_too", [False, True])
def test_a_job_that_is_stopped_writes_its_checkpoint(launcher_too, stores, tmp_path):
    """However many of its processes are told, and though writing takes a while."""
    (tmp_path / "stopped.py").write_text(STOPPED.format(launcher_too=launcher_too))
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
              str(tmp_path / "stopped.py"))
    done = subprocess.run(command(tmp_path / "model", stores, launch=launch), text=True,
                          capture_output=True, timeout=300,
                          env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode != 0
    assert "stopped in epoch 1 after" in done.stderr
    assert "asr: error" not in done.stderr
    assert load_checkpoint(tmp_path / "model" / "checkpoint.pt")["position"] in (3, 4)


def test_one_training_at_a_time_in_a_folder(stores, tmp_path):
    seen = []

    def on_epoch(record):
        with pytest.raises(AsrError, match="another process trains here"):
            train_model(tmp_path, *stores, config("epochs=2"), resume=True)
        seen.append(record["epoch"])
    train(tmp_path, *map(Store.open, stores), config("epochs=2"), resume=False, on_epoch=on_epoch)
    assert seen == [1, 2]
    train_model(tmp_path, *stores, config("epochs=2"), resume=True)


def test_where_files_cannot_be_locked_it_trains(stores, tmp_path, monkeypatch):
    def flock(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")
    monkeypatch.setattr(fcntl, "flock", flock)
    assert train_model(tmp_path, *stores, config("epochs=1"), resume=False).exists()


@pytest.mark.slow
def test_bfloat16_loses_nothing(stores, tmp_path):
    final = []
    for precision in ("float32", "bfloat16"):
        train_model(tmp_path / precision, *stores, config("epochs=8", f"precision={precision}"),
                    resume=False)
        final.append(metrics(tmp_path / precision)[-1]["train_loss"])
    assert final[1] == pytest.approx(final[0], rel=0.15)


def test_a_callback_gets_each_record_and_may_end_the_training(uninterrupted, stores, tmp_path):
    seen = []

    def on_epoch(record):
        seen.append(record["epoch"])
        if len(seen) == 2:
            raise InterruptedError
    opened = [Store.open(store) for store in stores]
    with pytest.raises(InterruptedError):
        train(tmp_path / "m", *opened, config("epochs=4"), resume=False, on_epoch=on_epoch)
    result = train(tmp_path / "m", *opened, config("epochs=4"), resume=True, on_epoch=on_epoch)
    assert seen == [1, 2, 2, 3, 4]
    assert weights(tmp_path / "m") == weights(uninterrupted)
    assert result.words == sum(len(entry.text.split()) for entry in opened[1].entries)


def test_the_command_can_be_given_again(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["asr", "train", "my model", "rates={front_end: 0}"])
    bundle = train_model(tmp_path / "m", *stores, config("epochs=1"), resume=False)
    assert load_bundle(bundle).config.provenance["command"] == (
        "asr train 'my model' 'rates={front_end: 0}'")


def test_a_finished_training_is_not_overwritten(uninterrupted, stores):
    with pytest.raises(AsrError, match="--resume"):
        train_model(uninterrupted, *stores, config("epochs=4"), resume=False)


def test_a_bundle_that_was_tuned_since_stays(uninterrupted, stores, tmp_path, capsys):
    shutil.copytree(uninterrupted, tmp_path / "m")
    bundle = tmp_path / "m" / "bundle"
    set_decoding(bundle, DecodeConfig(beam=7), b"n-grams", None, {"tuned on": "dev"})
    files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    train_model(tmp_path / "m", *stores, config("epochs=4"), resume=True)
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == files
    assert "bundle: holds these weights already; left as it is" in capsys.readouterr().err
    (bundle / "model.safetensors").write_bytes(b"damaged")
    train_model(tmp_path / "m", *stores, config("epochs=4"), resume=True)
    assert weights(tmp_path / "m") == weights(uninterrupted)


@pytest.mark.parametrize("resume", [False, True])
def test_nor_is_one_whose_checkpoint_was_removed(resume, uninterrupted, stores, tmp_path):
    shutil.copytree(uninterrupted / "bundle", tmp_path / "m" / "bundle")
    with pytest.raises(AsrError, match="finished training"):
        train_model(tmp_path / "m", *stores, config("epochs=4"), resume=resume)
    assert weights(tmp_path / "m") == weights(uninterrupted)


def git(folder, *arguments):
    return subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@e", *arguments],
                          cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_the_commit_is_of_the_checkout_that_holds_the_package(tmp_path, monkeypatch):
    file = tmp_path / ".venv" / "asr" / "train" / "stage.py"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(stage, "__file__", str(file))
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "somebody else's")
    assert stage._commit() == "not from a git checkout"
    git(tmp_path, "add", str(file))
    git(tmp_path, "commit", "-q", "-m", "the package")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert stage._commit() == commit
    (tmp_path / "notes.txt").write_text("beside the package\n")
    assert stage._commit() == commit
    (file.parents[1] / "network.py").write_text("other layers\n")
    assert stage._commit() == f"{commit}, changed since"
    monkeypatch.setenv("PATH", "")
    assert stage._commit() == "not from a git checkout"


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_a_development_set_without_text_is_refused_before_it_trains(texts, stores, tmp_path):
    write_store(tmp_path / "dev", FEATURES, [
        (Entry(id=str(i), text=text, speaker="s"), np.zeros((50, 12), np.float16))
        for i, text in enumerate(texts)])
    with pytest.raises(AsrError, match="no text to measure an error rate on"):
        train_model(tmp_path / "m", stores[0], tmp_path / "dev", config(), resume=False)
    assert not (tmp_path / "m").exists()


def test_development_is_not_measured_on_copies(stores, tmp_path):
    for measure in (rehearse_training, partial(train_model, tmp_path / "m", resume=False)):
        with pytest.raises(AsrError, match=r"40 of 80 entries are copies .* without --speeds"):
            measure(training_store=stores[0], development_store=stores[0], config=config())
    assert not (tmp_path / "m").exists()


def test_development_utterances_without_frames_are_all_deletions(stores, tmp_path):
    write_store(tmp_path / "dev", FEATURES, [
        (Entry(id=f"u{i}", text=text, speaker="s"), np.zeros((0, 12), np.float16))
        for i, text in enumerate(["zzz", "", "one two"])])
    result = train(tmp_path / "m", Store.open(stores[0]), Store.open(tmp_path / "dev"),
                   config("epochs=1"), resume=False)
    assert (result.wer, result.cer, result.words, result.loss) == (1, 1, 3, 0)


def test_resume_refuses_other_settings_and_other_data(uninterrupted, stores, tmp_path):
    with pytest.raises(AsrError, match=r"epochs=4, not 5; model\.dropout=0\.2, not 0\.1"):
        train_model(uninterrupted, *stores, config("epochs=5", "model.dropout=0.1"), resume=True)
    other = write_speech(tmp_path / "other", 40, seed=9, speeds=(0.9, 1.0))
    plain = write_speech(tmp_path / "plain", 11, seed=9)
    with pytest.raises(AsrError, match="other training data"):
        train_model(uninterrupted, other, stores[1], config("epochs=4"), resume=True)
    with pytest.raises(AsrError, match="other development data"):
        train_model(uninterrupted, stores[0], plain, config("epochs=4"), resume=True)
    for folder, store in zip(("train", "dev"), stores, strict=True):
        shutil.copytree(store, tmp_path / folder)
        header = json.loads((store / "store.json").read_text())
        header["config"]["low_freq"] = 60.0
        header["hash"] = config_hash(FeatureConfig(**header["config"]))
        (tmp_path / folder / "store.json").write_text(json.dumps(header))
    with pytest.raises(AsrError, match=r"features\.low_freq=20\.0, not 60\.0"):
        train_model(uninterrupted, tmp_path / "train", tmp_path / "dev", config("epochs=4"),
                    resume=True)


def test_a_checkpoint_of_an_older_version_goes_on(uninterrupted, stores, tmp_path):
    """It has no word of features, development data or initial weights."""
    shutil.copytree(uninterrupted, tmp_path / "m")
    checkpoint = tmp_path / "m" / "checkpoint.pt"
    state = load_checkpoint(checkpoint)
    for key in ("features", "development", "initial"):
        del state[key]
    save_checkpoint(checkpoint, state | {"data": "0123456789abcdef"})
    train_model(tmp_path / "m", *stores, config("epochs=4"), resume=True)
    with pytest.raises(AsrError, match="epochs=4, not 5"):
        train_model(tmp_path / "m", *stores, config("epochs=5"), resume=True)




def test_a_damaged_checkpoint_is_named(stores, tmp_path):
    tmp_path.joinpath("checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(AsrError, match="damaged checkpoint"):
        train_model(tmp_path, *stores, config(), resume=True)


def test_unfit_utterances_are_refused_or_dropped_and_counted(stores, tmp_path, capsys):
    store = write_speech(tmp_path / "train", 0, seed=3, texts=["one two", "", "ten", "six"])
    with pytest.raises(AsrError, match=r"1 of 4 entries unfit for CTC \(3-1: no text\)"):
        train_model(tmp_path / "a", store, stores[1], config("epochs=1"), resume=False)
    assert not (tmp_path / "a").exists()
    train_model(tmp_path / "b", store, stores[1], config("epochs=1", "unfit=drop"), resume=False)
    said = capsys.readouterr().err
    assert "1 of 4 entries unfit" in said and "dropped" in said and "3 utterances" in said
    assert "average of 1 epoch:" in said


def test_a_loss_that_is_not_finite_ends_it_and_names_the_batch(stores, tmp_path):
    with pytest.raises(AsrError, match=r"epoch 1: loss nan.* in the batch of 1-\d+"):
        train_model(tmp_path / "m", *stores, config("epochs=3", "learning_rate=1e30"),
                    resume=False)
    assert not (tmp_path / "m" / "bundle").exists()


def test_early_stop_and_best_average(stores, tmp_path):
    settings = config("epochs=50", "early_stop=2", "average.of=best")
    train_model(tmp_path / "m", *stores, settings, resume=False)
    history = metrics(tmp_path / "m")
    wers = [r["dev_wer"] for r in history]
    assert len(history) < 50
    assert wers.index(min(wers)) == len(wers) - 3
    assert len(list((tmp_path / "m" / "weights").iterdir())) == 2


@pytest.mark.parametrize(("override", "message"), [
    ("model.lairs=4", "did you mean `model.layers`"), ("epochs=many", "epochs"),
    ("epochs=0", "epochs"), ("model=3", "model"), ("nonsense", "key=value"),
    ("betas=[1.5, 0.98]", "`betas.0`"), ("betas=[0.9, 1]", "`betas.1`"),
    ("seed=9223372036854775808", "`seed`")])
def test_bad_settings_are_one_line_and_exit_2(stores, tmp_path, override, message):
    result = run(tmp_path / "m", stores, override)
    assert result.returncode == 2
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "m").exists()

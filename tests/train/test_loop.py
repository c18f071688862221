"""What the loop does between the first batch and the bundle."""

import contextlib
import time

import pytest
import torch
from dummies import TINY

from asr.config import load_config
from asr.errors import AsrError, Untrainable
from asr.features.store import Store
from asr.model.bundle import load_bundle
from asr.train.config import TrainConfig
from asr.train.distributed import Processes
from asr.train.loop import Trainer
from asr.train.stage import prepare_training, train, train_model
from asr.train.step import Gradients


def config(*overrides):
    return load_config(TrainConfig, None, [*TINY, "epochs=2", "batch_seconds=3", *overrides])


@pytest.mark.parametrize("mode", [
    "average.decay=0.9", "consistency=0.2", "optimiser=muon", "optimiser=sgd",
    "rates={front_end: 0, head: 0.5}", "schedule.kind=linear", "model.projection=8",
    "model.units=32", "model.units=64", "model.cell=gru", "crf=0.9"])
def test_in_every_mode_it_resumes_to_the_same_bits(mode, stores, tmp_path, monkeypatch):
    settings = config(mode, "checkpoint_minutes=1e-9")
    bundle = train_model(tmp_path / "whole", *stores, settings, resume=False)
    step, count = Trainer._step, 0

    def interrupted(self, *arguments):
        nonlocal count
        count += 1
        if count in (3, 17):  # in the middle of the first epoch, and of the second
            raise InterruptedError
        return step(self, *arguments)
    monkeypatch.setattr(Trainer, "_step", interrupted)
    for _ in range(2):
        with pytest.raises(InterruptedError):
            train_model(tmp_path / "broken", *stores, settings, resume=True)
    again = train_model(tmp_path / "broken", *stores, settings, resume=True)
    assert count > 17
    assert (again / "model.safetensors").read_bytes() == (
        bundle / "model.safetensors").read_bytes()


def test_the_mean_over_steps_by_its_formula(stores, tmp_path, monkeypatch):
    trainer = prepare_training(tmp_path / "m", *map(Store.open, stores),
                               config("epochs=1", "average.decay=0.8", "average.epochs=1"),
                               None).trainer
    seen = [torch.nn.utils.parameters_to_vector(trainer.network.parameters()).detach().clone()]
    step = Trainer._step

    def watched(self, *arguments):
        result = step(self, *arguments)
        seen.append(torch.nn.utils.parameters_to_vector(self.network.parameters()).detach().clone())
        return result
    monkeypatch.setattr(Trainer, "_step", watched)
    weights, result = trainer.run()
    expected = seen[0].double()
    for vector in seen[1:]:
        expected = 0.8 * expected + 0.2 * vector.double()
    found = torch.cat([weights[name].flatten() for name, _ in trainer.network.named_parameters()])
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-6)
    assert trainer.history[0]["dev_loss"] == pytest.approx(result.loss)


@pytest.mark.parametrize(("of", "needed"), [("last", [2]), ("best", [1, 2])])
def test_weights_that_the_average_needs_are_missed_at_once(of, needed, stores, tmp_path):
    """After two of three epochs; two of them are averaged."""
    settings = config("epochs=3", "average.epochs=2", f"average.of={of}")

    def on_epoch(record):
        if record["epoch"] == 3:
            raise InterruptedError
    opened = [Store.open(store) for store in stores]
    with pytest.raises(InterruptedError):
        train(tmp_path, *opened, settings, resume=False, on_epoch=on_epoch)
    files = [tmp_path / "weights" / f"epoch-000{epoch}.safetensors" for epoch in (1, 2)]
    kept = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    for epoch in needed:
        path = files[epoch - 1]
        with pytest.raises(AsrError, match=f"epoch-000{epoch}.*not there any more"):
            train(tmp_path, *opened, settings, resume=True)
        path.write_bytes(kept[epoch - 1][:-1])
        with pytest.raises(AsrError, match=f"epoch-000{epoch}.*damaged"):
            train(tmp_path, *opened, settings, resume=True)
        path.write_bytes(kept[epoch - 1])
    train(tmp_path, *opened, settings, resume=True)


@pytest.fixture
def little_memory(monkeypatch):
    """On which more than 600 padded frames at once do not fit in training; how many parts."""
    add, parts = Gradients._add, []

    def cramped(self, batch):
        size, longest = batch.frames.x.shape[:2]
        if size * longest > 600:
            raise torch.OutOfMemoryError("full")
        parts.append(size)
        return add(self, batch)
    monkeypatch.setattr(Gradients, "_add", cramped)
    return parts


@pytest.mark.parametrize("stop", range(2, 12, 3))
def test_batches_done_in_parts_resume_to_the_same_bits(stop, stores, tmp_path, monkeypatch,
                                                       little_memory):
    settings = config("checkpoint_minutes=1e-9", "epochs=1", "batch_seconds=12",
                      "precision=float32")
    bundle = train_model(tmp_path / "whole", *stores, settings, resume=False)
    step, count = Trainer._step, 0
    assert min(little_memory) < max(little_memory)

    def interrupted(self, *arguments):
        nonlocal count
        count += 1
        if count == stop:
            raise InterruptedError
        return step(self, *arguments)
    monkeypatch.setattr(Trainer, "_step", interrupted)
    with contextlib.suppress(InterruptedError):
        train_model(tmp_path / "broken", *stores, settings, resume=True)
    again = train_model(tmp_path / "broken", *stores, settings, resume=True)
    assert (again / "model.safetensors").read_bytes() == (
        bundle / "model.safetensors").read_bytes()


def test_processes_compare_all_that_a_training_depends_on(stores, tmp_path, monkeypatch):
    compared, shared = {}, []
    monkeypatch.setattr(Processes, "check_same", lambda self, values: compared.update(values))
    monkeypatch.setattr(Processes, "share", lambda self, weights: shared.extend(weights))
    train_model(tmp_path, *stores, config("epochs=1", "average.decay=0.9"), resume=False)
    assert compared.keys() == {"config", "features", "data", "development", "initial", "precision",
                               "position"}
    assert len(shared) == 2 * len(load_bundle(tmp_path / "bundle").weights)  # and their means


def test_memory_that_runs_out_elsewhere_is_one_line(stores, tmp_path, monkeypatch):
    def step(self, *arguments):
        raise torch.OutOfMemoryError("CUDA out of memory.\nMore of it")
    monkeypatch.setattr(Trainer, "_step", step)
    with pytest.raises(Untrainable, match=r"epoch 1: out of memory \(CUDA out of memory\.\);"):
        train_model(tmp_path, *stores, config(), resume=False)


def test_planning_an_epoch_is_waiting_for_data(stores, tmp_path, monkeypatch):
    plan = Trainer.plan

    def slow(self):
        time.sleep(0.5)
        return plan(self)
    monkeypatch.setattr(Trainer, "plan", slow)
    records = []
    train(tmp_path, *map(Store.open, stores), config("epochs=1"), resume=False,
          on_epoch=records.append)
    assert records[0]["waiting"] * records[0]["seconds"] >= 0.5


def test_a_training_goes_on_where_the_loss_is_scaled(stores, tmp_path):
    """Begun on a CPU, it has no scale in its checkpoint; a GPU needs one."""
    train_model(tmp_path / "m", *stores, config("epochs=1", "average.epochs=1"), resume=False)
    trainer = prepare_training(tmp_path / "m", *map(Store.open, stores),
                               config("epochs=1", "average.epochs=1"), None).trainer
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    trainer.resume()
    assert (trainer.epoch, trainer.scaler.get_scale()) == (2, 8.0)


def test_gradients_over_the_top_of_one_optimiser_spare_the_other(stores, tmp_path, monkeypatch):
    """A scaled loss may overflow in some gradients alone: the step leaves them out."""
    trainer = prepare_training(tmp_path / "m", *map(Store.open, stores),
                               config("optimiser=muon"), None).trainer
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)

    def overflowing(batch):
        trainer.scaler.scale(torch.zeros(()))  # as the loss does: from then on there is a scale
        for name, parameter in trainer.network.named_parameters():
            parameter.grad = torch.full_like(parameter, torch.nan if name == "head.bias" else 1.0)
        return torch.zeros(())
    monkeypatch.setattr(trainer.gradients, "add", overflowing)
    batch = next(trainer._batches(trainer.plan()))
    before = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}
    trainer._step(batch, 0.1)
    for name, parameter in trainer.network.named_parameters():
        assert torch.isfinite(parameter).all(), name
    assert torch.equal(trainer.network.head.bias, before["head.bias"])


def test_a_file_where_a_folder_should_be_is_one_line(stores, tmp_path):
    (tmp_path / "tensorboard").write_text("")
    with pytest.raises(AsrError, match=r"cannot write .*/tensorboard"):
        train_model(tmp_path, *stores, config("epochs=1"), resume=False)

"""What the loop does between the first batch and the bundle."""

import pytest
import torch
from dummies import TINY

from asr.config import load_config
from asr.errors import AsrError
from asr.features.store import Store
from asr.train.config import TrainConfig
from asr.train.loop import Trainer
from asr.train.stage import prepare_training, train, train_model


def config(*overrides):
    return load_config(TrainConfig, None, [*TINY, "epochs=2", "batch_seconds=3", *overrides])


@pytest.mark.parametrize("mode", [
    "average.decay=0.9", "consistency=0.2", "optimiser=muon", "optimiser=sgd",
    "rates={front_end: 0, head: 0.5}", "schedule.kind=linear", "model.projection=8"])
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
    with pytest.raises(AsrError) as caught:
        train(tmp_path, *opened, settings, resume=True)
    assert [epoch for epoch in (1, 2, 3) if f"epoch-000{epoch}" in str(caught.value)] == needed
    for epoch in needed:
        files[epoch - 1].write_bytes(kept[epoch - 1])
    train(tmp_path, *opened, settings, resume=True)


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

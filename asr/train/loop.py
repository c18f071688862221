"""The training loop, from top to bottom."""

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asr.errors import Untrainable, one_line
from asr.memory import out_of_memory
from asr.model.network import Network
from asr.progress import log
from asr.text.units import Units
from asr.train.checkpoint import (
    average_weights,
    check_resumable,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from asr.train.config import TrainConfig
from asr.train.data import Batch, Prefetched, TrainingSet
from asr.train.distributed import Processes
from asr.train.evaluate import DevelopmentSet, Evaluation, evaluate
from asr.train.metrics import Record, report
from asr.train.objective import Objective
from asr.train.optimisers import make_optimisers
from asr.train.precision import loss_scaler, training_dtype
from asr.train.schedule import learning_rate, should_stop
from asr.train.signals import StopSignals
from asr.train.step import Gradients, update

_CHECK_EVERY = {"cpu": 1, "cuda": 20}  # steps between two looks at the loss: a GPU must not wait


class Trainer:
    """One training in one folder.

    The folder holds checkpoint.pt, weights/ (the epochs that may be averaged), metrics.jsonl,
    tensorboard/ and curves.png.

    Parameters
    ----------
    objective : Objective
        What is lowered.
    initial : dict, optional
        Where the network's weights are from, see `asr.train.initial`; None if they are random.
    """

    def __init__(self, folder: Path, config: TrainConfig, network: Network,
                 units: Units, training: TrainingSet, development: DevelopmentSet,
                 objective: Objective, initial: dict[str, Any] | None, processes: Processes
                 ) -> None:
        self.folder = folder
        self.config = config
        self.units = units
        self.training = training
        self.development = development
        self.objective = objective
        self.initial = initial
        self.processes = processes
        self.on_epoch: Callable[[Record], None] = lambda record: None
        self.network = network.to(processes.device)
        self.dtype = training_dtype(config.precision, processes.device)
        self.max_frames = round(config.batch_seconds / training.store.config.frame_shift)
        self.optimisers = make_optimisers(self.network, config)
        self.scaler = loss_scaler(processes.device, self.dtype)
        self.gradients = Gradients(self.network, processes.device, self.dtype, self.scaler,
                                   objective, config.consistency)
        self.smoothed = [p.detach().clone() for p in self.network.parameters()] \
            if config.average.decay else []
        self.epoch = 1
        self.position = 0  # batches of this epoch that are done
        self.running = {"loss": 0.0, "labels": 0.0, "frames": 0.0, "seconds": 0.0, "waited": 0.0}
        self.history: list[Record] = []
        self.unchecked: list[tuple[Batch, Tensor, Tensor]] = []
        self.signals = StopSignals()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def run(self) -> tuple[dict[str, Tensor], Evaluation]:
        """Train to the end; returns the averaged weights and what they reach on development.

        Raises
        ------
        SystemExit
            128 + the signal's number, after SIGINT or SIGTERM; a checkpoint is written before.
        AsrError
            The loss is no longer finite, what cannot be done in parts does not fit into memory, or
            the processes have not begun with the same.
        """
        self.processes.check_same(self._origin() | {
            "precision": str(self.dtype), "position": [self.epoch, self.position]})
        self.processes.share([*self.network.parameters(), *self.smoothed])
        try:
            with self.signals:
                self.try_largest_batch()
                while self.epoch <= self.config.epochs and not should_stop(
                        [record["dev_wer"] for record in self.history], self.config.early_stop):
                    self._run_epoch()
            return self._average()
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise Untrainable(f"epoch {self.epoch}: out of memory ({one_line(error)}); take a "
                              "smaller batch_seconds or network") from None

    def _run_epoch(self) -> None:
        last_checkpoint = last_step = time.perf_counter()
        plan = self.plan()
        self.running["waited"] += time.perf_counter() - last_step
        with Prefetched(self._batches(plan[self.position:])) as batches:
            for batch in batches:
                rate = self._learning_rate(self.epoch - 1 + (self.position + 1) / len(plan))
                stop = self._step(batch, rate)
                self.position += 1
                now = time.perf_counter()
                self.running["seconds"] += now - last_step
                last_step = now
                if stop or now - last_checkpoint > 60 * self.config.checkpoint_minutes:
                    self.running["waited"] += batches.waited
                    batches.waited = 0.0
                    self._save()
                    last_checkpoint = last_step = time.perf_counter()
                if stop:
                    self._leave(len(plan))
            self._check_losses()
            self.running["waited"] += batches.waited
        self._finish_epoch()

    def _batches(self, plan: Sequence[list[int]]) -> Iterator[Batch]:
        config = self.config
        for indexes in plan:
            batch = self.training.batch(indexes, config.seed, self.epoch, config.spec_augment,
                                        2 if config.consistency else 1,
                                        self.processes.rank, self.processes.world)
            if self.processes.device.type == "cuda" and batch.frames is not None:
                batch = replace(batch, frames=batch.frames.pinned())
            yield batch

    def _learning_rate(self, progress: float) -> float:
        return learning_rate(self.config.learning_rate, self.config.schedule, progress,
                             self.config.epochs, [record["dev_loss"] for record in self.history])

    def _step(self, batch: Batch, rate: float) -> bool:
        """One update; returns whether any process was asked to stop."""
        summed = self.gradients.add(batch)
        stop: bool | Tensor = self.signals.caught is not None
        if self.processes.world > 1:
            summed, stop = self.processes.sum_gradients(
                self.network, summed, torch.full((), float(stop), device=self.processes.device))
        norm = update(self.network, self.optimisers, self.scaler, self.config.clip, rate)
        for mean, parameter in zip(self.smoothed, self.network.parameters(), strict=False):
            mean.lerp_(parameter.detach(), 1 - self.config.average.decay)
        self.unchecked.append((batch, summed, norm))
        if len(self.unchecked) >= _CHECK_EVERY[self.processes.device.type]:
            self._check_losses()
        return bool(stop)  # a tensor, for which a GPU must wait, only where there are several

    def _check_losses(self) -> None:
        """Account for the steps since the last look, and stop if one of them has gone wrong."""
        for batch, loss, norm in self.unchecked:
            finite = torch.isfinite(loss) and (self.scaler.is_enabled() or torch.isfinite(norm))
            if not finite:
                raise Untrainable(
                    f"epoch {self.epoch}: loss {loss.item():g}, gradient norm {norm.item():g} in "
                    f"the batch of {', '.join(batch.ids[:5])}{' …' if len(batch.ids) > 5 else ''}; "
                    f"lower learning_rate or clip, and go on from {self.checkpoint} with --resume")
            self.running["loss"] += loss.item()
            self.running["labels"] += batch.total_labels
            self.running["frames"] += batch.total_frames
        self.unchecked.clear()

    def _finish_epoch(self) -> None:
        with self._smoothed():
            result = evaluate(self.network, self.development, self.units, self.objective,
                              self.processes)
            if self.processes.first:
                save_weights(self._weights(self.epoch), self.network.state_dict())
        running = self.running
        hours = running["frames"] * self.training.store.config.frame_shift / 3600
        self.history.append({
            "epoch": self.epoch,
            "train_loss": running["loss"] / running["labels"],
            "dev_loss": result.loss, "dev_cer": result.cer, "dev_wer": result.wer,
            "learning_rate": self._learning_rate(self.epoch),
            "seconds": running["seconds"],
            "hours_per_hour": hours / (running["seconds"] / 3600),
            "waiting": running["waited"] / running["seconds"],
        })
        if self.processes.first:
            report(self.folder, self.history)
        self.on_epoch(self.history[-1])
        self.epoch, self.position = self.epoch + 1, 0
        self.running = dict.fromkeys(self.running, 0.0)
        self._save()
        if self.processes.first:
            keep = {self._weights(epoch) for epoch in self.chosen()}
            for path in self.folder.glob("weights/*.safetensors"):
                if path not in keep:
                    path.unlink()

    @contextmanager
    def _smoothed(self) -> Iterator[None]:
        """The network with the mean of its weights over steps, where there is one."""
        own = [p.detach().clone() for p in self.network.parameters()] if self.smoothed else []
        self._set_parameters(self.smoothed)
        yield
        self._set_parameters(own)

    @torch.no_grad()
    def _set_parameters(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.network.parameters(), values, strict=False):
            parameter.copy_(value)

    def chosen(self) -> list[int]:
        """Epochs to average, by what has been measured so far."""
        average = self.config.average
        records = self.history
        if average.of == "best":
            records = sorted(records, key=lambda r: (r["dev_wer"], r["dev_loss"]),
                             reverse=True)
        return [record["epoch"] for record in records[-average.epochs:]]

    def _weights(self, epoch: int) -> Path:
        return self.folder / "weights" / f"epoch-{epoch:04d}.safetensors"

    def _average(self) -> tuple[dict[str, Tensor], Evaluation]:
        self.processes.wait()  # until the first has written the last epoch's weights
        weights = average_weights([self._weights(epoch) for epoch in self.chosen()])
        self.network.load_state_dict(weights)
        return weights, evaluate(self.network, self.development, self.units, self.objective,
                                 self.processes)

    def plan(self) -> list[list[int]]:
        """The batches of this epoch."""
        return self.training.plan(self.config.seed, self.epoch, self.max_frames)

    def step_seconds(self, plan: Sequence[list[int]]) -> list[float]:
        """How long a step on each of some batches takes, at a learning rate of 0."""
        seconds = []
        for batch in self._batches(plan):
            start = time.perf_counter()
            self._step(batch, 0.0)
            self._check_losses()  # waits for a GPU
            seconds.append(time.perf_counter() - start)
        return seconds

    def try_largest_batch(self) -> list[int]:
        """Meet the end of memory now rather than in the middle of the night.

        Returns
        -------
        list of int
            The batch's entries.

        Raises
        ------
        AsrError
            An utterance alone does not fit into memory.
        """
        indexes = self.training.largest_batch(self.max_frames)
        try:
            self.gradients.add(next(self._batches([indexes])))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise Untrainable(
                f"the longest utterance ({self.training.lengths[indexes].max()} frames) does not "
                "fit into memory; leave it out or take a smaller network") from None
        self.network.zero_grad(set_to_none=True)
        return indexes

    def _leave(self, batches: int) -> None:
        self.processes.close()  # torchrun ends all when one is gone, and the first may still write
        if self.processes.first:
            log(f"stopped in epoch {self.epoch} after {self.position} of {batches} batches; "
                "the same command with --resume goes on from here")
        raise SystemExit(128 + (self.signals.caught or signal.SIGTERM))

    def _save(self) -> None:
        self._check_losses()
        if not self.processes.first:
            return
        save_checkpoint(self.checkpoint, self._origin() | {
            "network": self.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "scaler": self.scaler.state_dict(),
            "smoothed": self.smoothed,
            "epoch": self.epoch, "position": self.position,
            "running": self.running, "history": self.history,
            "too_large": self.gradients.too_large,
        })

    def _origin(self) -> dict[str, Any]:
        """What a training that goes on must have in common with its checkpoint."""
        return {
            "config": self.config.model_dump(mode="json"),
            "features": self.training.store.config.model_dump(mode="json"),
            "data": self.training.fingerprint,
            "development": self.development.fingerprint,
            "initial": self.initial,
        }

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        Raises
        ------
        AsrError
            It was written with another configuration, other data or other initial weights (what
            differs is named), or weights that the average needs are missing or damaged.
        """
        state = load_checkpoint(self.checkpoint)
        check_resumable(self.checkpoint, state, self._origin())
        self.network.load_state_dict(state["network"])
        for optimiser, own in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(own)
        if state["scaler"]:  # none of a training in float32, or so far on a CPU
            self.scaler.load_state_dict(state["scaler"])
        for mean, saved in zip(self.smoothed, state["smoothed"], strict=True):
            mean.copy_(saved)
        self.epoch, self.position = state["epoch"], state["position"]
        self.running, self.history = state["running"], state["history"]
        if self.processes.first:  # it is the first's: another has parted batches by its own memory
            self.gradients.too_large = state.get("too_large", math.inf)  # older ones lack it
        average_weights([self._weights(epoch) for epoch in self._needed()])  # can it, in the end?

    def _needed(self) -> list[int]:
        """Epochs so far that may be averaged in the end."""
        config = self.config
        first = (config.epochs - config.average.epochs + 1
                 if config.average.of == "last" and not config.early_stop else 1)
        return [epoch for epoch in self.chosen() if epoch >= first]

"""Training an LSTM language model: its settings, and the loop from top to bottom."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from asr.config import Config, Seed
from asr.errors import AsrError
from asr.lm.build import perplexity, tokenise, words_of
from asr.lm.lstm import LstmModel, save_lstm
from asr.lm.lstm_data import Corpus, UnitBatch, dropout_factors
from asr.lm.lstm_network import LstmConfig, LstmNetwork
from asr.lm.ngram import SPECIAL
from asr.lm.vocabulary import Vocabulary, VocabularyConfig
from asr.memory import keep_freed_memory
from asr.model.device import inference_device
from asr.progress import log, track
from asr.train.checkpoint import check_resumable, load_checkpoint, save_checkpoint
from asr.train.config import ScheduleConfig
from asr.train.precision import loss_scaler, training_dtype
from asr.train.schedule import learning_rate, should_stop
from asr.train.signals import StopSignals
from asr.train.step import update


class LstmScheduleConfig(ScheduleConfig):
    """Learning rate over time."""

    warmup: float = Field(0.1, ge=0)
    """Epochs in which the rate rises linearly from 0."""


class LstmTrainConfig(Config):
    """Settings of `asr lm train`."""

    seed: Seed = 0
    epochs: int = Field(10, ge=1)
    epoch_sentences: int = Field(0, ge=0)
    """About how many sentences an epoch has, where going through all of them would take too long
    between two measurements; the next epochs have the others. 0 is all."""
    vocabulary: VocabularyConfig = VocabularyConfig()
    model: LstmConfig = LstmConfig()
    dropout: float = Field(0.0, ge=0, le=0.9)
    """Probability of dropping a value of an embedding, or a cell's output after each layer, to the
    nearest 1/256; for texts that are gone through many times."""
    batch_units: int = Field(512, ge=1)
    """Units in a batch, padding included; longer sentences are left out and counted."""
    learning_rate: float = Field(5e-3, gt=0)
    """Highest rate of Adam."""
    clip: float = Field(1.0, gt=0)
    """Longest gradient of the loss per unit; a longer one is shortened to it."""
    schedule: LstmScheduleConfig = LstmScheduleConfig()
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the products in training; `auto` is float16 on a GPU and bfloat16 on a CPU where they have
    the units for it. Development is always measured in float32."""
    early_stop: int = Field(3, ge=0)
    """Stop after this many epochs without a lower development perplexity; 0 is never."""
    checkpoint_minutes: float = Field(5.0, gt=0)
    """A checkpoint at least this often; there is one after every epoch."""


def checkpoint_of(output: Path) -> Path:
    """Where the training of a model keeps its state."""
    return output.with_name(f"{output.stem}.checkpoint.pt")


def train_lstm(texts: Sequence[Path], output: Path, development: Sequence[str],
               config: LstmTrainConfig, resume: bool) -> None:
    """Train on sentences, one a line, and write the weights that were best on development.

    Parameters
    ----------
    texts : sequence of Path
        See `asr.lm.build.read_sentences`; <unk> in them stands for an unknown word.
    development : sequence of str
        Sentences, normalised as the texts are.
    resume : bool
        Go on from the checkpoint beside `output` if there is one; without it that is refused.

    Raises
    ------
    AsrError
        See `words_of`, `tokenise`, `Vocabulary.from_counts` and `LstmTrainer`.
    """
    checkpoint = checkpoint_of(output)
    if checkpoint.exists() and not resume:
        raise AsrError(f"{checkpoint}: a training of {output.name} is there already; go on with "
                       "--resume, or name another output")
    words_of(development)  # its faults are told now, not after the first epoch
    keep_freed_memory()
    tokens, words = tokenise(texts)
    counts = np.bincount(tokens, minlength=len(SPECIAL) + len(words))[len(SPECIAL):]
    vocabulary = Vocabulary.from_counts(config.vocabulary,
                                        dict(zip(words, counts.tolist(), strict=True)))
    corpus = Corpus(tokens, words, vocabulary)
    del tokens, words, counts

    torch.manual_seed(config.seed)  # initial weights; everything later is random by name
    network = LstmNetwork(config.model, len(vocabulary))
    trainer = LstmTrainer(output, config, LstmModel(vocabulary, network), corpus, development)
    if checkpoint.exists():
        trainer.resume()
    parameters = sum(p.numel() for p in network.parameters())
    log(f"{len(corpus.lengths):,} sentences, {corpus.words.sum():,} words, "
        f"{corpus.lengths.sum():,} units of {len(vocabulary):,} kinds, {parameters / 1e6:.2f} M "
        f"parameters, {str(trainer.dtype).removeprefix('torch.')} on {trainer.device}")
    trainer.run()


class LstmTrainer:
    """One training of one model, whose state is the checkpoint beside `output`.

    Raises
    ------
    AsrError
        No sentence is short enough for a batch.
    """

    def __init__(self, output: Path, config: LstmTrainConfig, model: LstmModel, corpus: Corpus,
                 development: Sequence[str]) -> None:
        long = np.count_nonzero(corpus.lengths > config.batch_units)
        if long == len(corpus.lengths):
            raise AsrError(f"all sentences are longer than {config.batch_units} units; raise "
                           "batch_units")
        if long:
            log(f"{long:,} of {len(corpus.lengths):,} sentences are longer than "
                f"{config.batch_units} units: left out (batch_units)")
        self.output = output
        self.config = config
        self.model = model
        self.corpus = corpus
        self.data = corpus.fingerprint(development)
        self.development = development
        self.device = torch.device(inference_device())  # where float32 is float32
        self.network = model.network.to(self.device)
        self.dtype = training_dtype(config.precision, self.device)
        self.scaler = loss_scaler(self.device, self.dtype)
        self.optimiser = torch.optim.Adam([{"params": self.network.parameters(), "rate": 1.0}],
                                          lr=0.0, fused=True)
        self.epoch = 1
        self.position = 0  # batches of this epoch that are done
        self.running = {"loss": 0.0, "units": 0.0, "words": 0.0, "seconds": 0.0}
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] | None = None
        self.signals = StopSignals()

    @property
    def perplexities(self) -> list[float]:
        """What each finished epoch reached on development."""
        return [record["dev_perplexity"] for record in self.history]

    def run(self) -> None:
        """Train to the end.

        Raises
        ------
        SystemExit
            128 + the signal's number, after SIGINT or SIGTERM; a checkpoint is written before.
        AsrError
            The loss is no longer finite, or a file cannot be written.
        """
        with self.signals:
            self._save()  # so that a folder that cannot be written to is met now
            while self.epoch <= self.config.epochs and not should_stop(
                    self.perplexities, self.config.early_stop):
                self._run_epoch()

    def _run_epoch(self) -> None:
        config = self.config
        plan = self.corpus.plan(config.seed, self.epoch, config.epoch_sentences,
                                config.batch_units)
        last_checkpoint = last_step = time.perf_counter()
        for sentences in track(plan[self.position:], f"batches of epoch {self.epoch}",
                               len(plan) - self.position):
            self._step(self.corpus.batch(sentences),
                       self._learning_rate(self.epoch - 1 + (self.position + 1) / len(plan)))
            self.position += 1
            now = time.perf_counter()
            self.running["seconds"] += now - last_step
            last_step = now
            if self.signals.caught or now - last_checkpoint > 60 * config.checkpoint_minutes:
                self._save()
                last_checkpoint = last_step = time.perf_counter()
            if self.signals.caught:
                log(f"stopped in epoch {self.epoch} after {self.position} of {len(plan)} batches; "
                    "the same command with --resume goes on from here")
                raise SystemExit(128 + self.signals.caught)
        self._finish_epoch()

    def _learning_rate(self, progress: float) -> float:
        return learning_rate(self.config.learning_rate, self.config.schedule, progress,
                             self.config.epochs, self.perplexities)

    def _step(self, batch: UnitBatch, rate: float) -> None:
        config = self.config
        dropout = None if config.dropout == 0 else [
            factors.to(self.device) for factors in dropout_factors(
                config.dropout, config.model.widths, batch.units, config.seed, "dropout",
                self.epoch, self.position)]
        valid = batch.valid.flatten().nonzero()[:, 0].to(self.device)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            hidden = self.network(batch.units.to(self.device), dropout)
            logits = self.network.logits(hidden.flatten(0, 1).index_select(0, valid))
        loss = F.cross_entropy(logits.float(), batch.targets.to(self.device))
        self.scaler.scale(loss).backward()
        norm = update(self.network, [self.optimiser], self.scaler, config.clip, rate)
        value = loss.item()
        if not (math.isfinite(value) and (self.scaler.is_enabled() or torch.isfinite(norm))):
            raise AsrError(f"epoch {self.epoch}: loss {value:g}, gradient norm {norm.item():g}; "
                           "lower learning_rate or clip")
        self.running["loss"] += value * len(batch.targets)
        self.running["units"] += len(batch.targets)
        self.running["words"] += batch.words

    def _finish_epoch(self) -> None:
        reached = perplexity(self.model, self.development)[0].perplexity_all
        running = self.running
        record = {
            "epoch": self.epoch,
            "train_loss": running["loss"] / running["units"],
            "dev_perplexity": reached,
            "learning_rate": self.optimiser.param_groups[0]["lr"],
            "seconds": running["seconds"],
            "words_per_second": running["words"] / running["seconds"],
        }
        log(f"epoch {self.epoch:3d}  loss {record['train_loss']:.3f} per unit  "
            f"dev perplexity {reached:.2f} per word  lr {record['learning_rate']:.2e}  "
            f"{record['seconds']:.0f} s  {record['words_per_second']:,.0f} words/s")
        improved = reached < min(self.perplexities, default=math.inf)
        if improved:
            self.best = {name: tensor.detach().cpu().clone()
                         for name, tensor in self.network.state_dict().items()}
        self.history.append(record)
        self.epoch, self.position = self.epoch + 1, 0
        self.running = dict.fromkeys(running, 0.0)
        self._save()
        if improved:
            self._write_best()

    def _write_best(self) -> None:
        """Write the model as it was after the best epoch."""
        if self.best is None:
            return
        best = min(self.history, key=lambda record: record["dev_perplexity"])
        save_lstm(self.output, self.model.vocabulary, self.config.model, self.best, {
            "training data": self.data,
            "training": self.config.model_dump(mode="json"),
            "torch": torch.__version__,
            "epoch": best["epoch"], "dev_perplexity": best["dev_perplexity"]})

    def _save(self) -> None:
        save_checkpoint(checkpoint_of(self.output), {
            "config": self.config.model_dump(),
            "data": self.data,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "epoch": self.epoch, "position": self.position,
            "running": self.running, "history": self.history, "best": self.best,
        })

    def resume(self) -> None:
        """Go on from the checkpoint.

        Raises
        ------
        AsrError
            It was written with another configuration or other data; what differs is named.
        """
        path = checkpoint_of(self.output)
        state = load_checkpoint(path)
        check_resumable(path, state, {"config": self.config.model_dump(), "data": self.data})
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        for group in self.optimiser.param_groups:
            group["rate"] = 1.0  # older ones lack it, and the scale
        if state.get("scaler"):  # none of a training in float32, or so far on a CPU
            self.scaler.load_state_dict(state["scaler"])
        self.epoch, self.position = state["epoch"], state["position"]
        self.running, self.history = state["running"], state["history"]
        self.best = state["best"]
        self._write_best()  # a kill may have come between the checkpoint and the model

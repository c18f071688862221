"""The train stage: two stores become a model bundle."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from asr.errors import AsrError
from asr.features.cmvn import statistics, statistics_of
from asr.features.store import Store
from asr.model.bundle import BundleConfig, save_bundle
from asr.model.inference import evenly
from asr.model.network import Network
from asr.progress import log
from asr.text.config import make_units
from asr.text.normalise import normaliser
from asr.train.config import TrainConfig
from asr.train.data import TrainingSet
from asr.train.distributed import Processes
from asr.train.evaluate import DevelopmentSet, Evaluation
from asr.train.loop import Trainer
from asr.train.memory import keep_freed_memory
from asr.train.metrics import Record


def train_model(folder: Path, training_store: Path, development_store: Path, config: TrainConfig,
                resume: bool) -> Path:
    """Train in `folder` and write the averaged model to `folder`/bundle.

    Parameters
    ----------
    resume : bool
        Go on from a checkpoint if the folder has one; without it such a folder is refused.

    Raises
    ------
    AsrError
        See `Store.open`, `TrainingSet` and `Trainer`.
    """
    training_data = Store.open(training_store)
    train(folder, training_data, Store.open(development_store, training_data.config), config,
          resume)
    return folder / "bundle"


def train(folder: Path, training_data: Store, development_data: Store, config: TrainConfig,
          resume: bool, on_epoch: Callable[[Record], None] | None = None) -> Evaluation:
    """As `train_model`, with opened stores; returns what the averaged model reaches.

    Parameters
    ----------
    on_epoch : callable, optional
        Is given each epoch's record; what it raises ends the training.
    """
    if (folder / "checkpoint.pt").exists() and not resume:
        raise AsrError(f"{folder}: holds a training already; go on with --resume, or choose "
                       "another folder")
    keep_freed_memory()
    commit = _commit()  # now: a checkout may move on while it trains
    texts = training_data.texts(config.normaliser)
    units = make_units(config.units, texts, normaliser(config.normaliser))
    features = training_data.config
    overall = statistics(training_data.moments.sum(0)) if features.cmvn == "global" else None

    torch.manual_seed(config.seed)  # initial weights; everything later is random by name
    network = Network(config.model, features.dimension, len(units))
    processes = Processes()
    training = TrainingSet(training_data, _statistics(training_data, overall), texts, units,
                           network, config.unfit)
    development = DevelopmentSet(
        development_data, _statistics(development_data, overall),
        development_data.texts(config.normaliser),
        evenly(len(development_data), config.dev_utterances))
    trainer = Trainer(folder, config, network, units, training, development, processes,
                      on_epoch)
    if (folder / "checkpoint.pt").exists():
        trainer.resume()
    if processes.first:
        parameters = sum(p.numel() for p in network.parameters())
        log(f"{len(training.copies)} utterances, {len(units)} units, {parameters / 1e6:.2f} M "
            f"parameters, {str(trainer.dtype).removeprefix('torch.')} on {processes.device}"
            + (f", {processes.world} processes" if processes.world > 1 else ""))
    weights, result = trainer.run()
    bundle = folder / "bundle"
    if processes.first:
        log(f"average of {config.average.of} epochs: dev loss {result.loss:.3f}  "
            f"CER {100 * result.cer:.2f} %  WER {100 * result.wer:.2f} %")
        provenance = _provenance(config, training, result, commit)
        save_bundle(bundle, BundleConfig(features=features, model=config.model,
                                         units=config.units.kind, normaliser=config.normaliser,
                                         provenance=provenance),
                    units, weights, overall)
    processes.close()
    return result


def _statistics(store: Store, overall: np.ndarray | None) -> np.ndarray:
    speakers = [entry.speaker for entry in store.entries]
    return statistics_of(store.config.cmvn, store.moments, speakers, overall)


def _commit() -> str:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True,  # noqa: S607
                            check=False, cwd=Path(__file__).parent).stdout.strip()
    return commit or "not from a git checkout"


def _provenance(config: TrainConfig, training: TrainingSet, result: Evaluation, commit: str
                ) -> dict[str, object]:
    return {
        "command": " ".join(["asr", *sys.argv[1:]]),
        "commit": commit,
        "seed": config.seed,
        "training data": training.fingerprint(),
        "torch": torch.__version__,
        "development": {"loss": result.loss, "cer": result.cer, "wer": result.wer},
        "training": config.model_dump(mode="json"),
    }

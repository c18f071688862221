"""The train stage: two stores become a model bundle."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from asr.config import save_config
from asr.errors import AsrError, Untrainable
from asr.features.batch import evenly
from asr.features.cmvn import statistics, statistics_of
from asr.features.store import Store
from asr.locks import lock
from asr.memory import keep_freed_memory
from asr.model.bundle import Bundle, BundleConfig, load_bundle, save_bundle
from asr.model.network import Network, arrays
from asr.progress import log
from asr.startup import tell_of_compiling
from asr.text.config import UnitsConfig, make_units
from asr.text.normalise import normaliser
from asr.train.config import TrainConfig
from asr.train.crf import Denominator, Trigrams
from asr.train.data import TrainingSet
from asr.train.distributed import Processes
from asr.train.evaluate import DevelopmentSet, Evaluation
from asr.train.initial import inherited, start_from, units_of
from asr.train.loop import Trainer
from asr.train.metrics import Record
from asr.train.objective import Objective
from asr.train.rehearsal import rehearse

_TRIGRAM_UNITS = 200  # on a GPU 320 KB for each frame after subsampling


class Prepared(NamedTuple):
    """All that a training needs."""

    trainer: Trainer
    overall: np.ndarray | None
    """Statistics for global normalisation, shape (2, F)."""


def train_model(folder: Path, training_store: Path, development_store: Path, config: TrainConfig,
                resume: bool, initial: Path | None = None) -> Path:
    """Train in `folder` and write the averaged model to `folder`/bundle.

    Parameters
    ----------
    resume : bool
        Go on from a checkpoint if the folder has one; without it such a folder is refused.
    initial : Path, optional
        A bundle to start from instead of random weights. Its network and its units are kept but
        for the settings that are given; see `asr.train.initial` for what is taken of its weights.

    Raises
    ------
    AsrError
        See `Store.open`, `TrainingSet`, `start_from` and `Trainer`.
    """
    train(folder, *open_stores(training_store, development_store), config, resume, initial)
    return folder / "bundle"


def rehearse_training(training_store: Path, development_store: Path, config: TrainConfig,
                      initial: Path | None = None) -> str:
    """What `train_model` would take, see `asr.train.rehearsal`; nothing is written."""
    stores = open_stores(training_store, development_store)
    prepared = prepare_training(Path(), *stores, config, initial)
    return rehearse(prepared.trainer)


def train(folder: Path, training_data: Store, development_data: Store, config: TrainConfig,
          resume: bool, initial: Path | None = None,
          on_epoch: Callable[[Record], None] | None = None) -> Evaluation:
    """As `train_model`, with opened stores; returns what the averaged model reaches.

    Parameters
    ----------
    on_epoch : callable, optional
        Is given each epoch's record; what it raises ends the training.
    """
    begun = (folder / "checkpoint.pt").exists()
    if begun and not resume:
        raise AsrError(f"{folder}: holds a training already; go on with --resume, or choose "
                       "another folder")
    if (folder / "bundle").exists() and not begun:
        raise AsrError(f"{folder}: holds a finished training, whose bundle would be replaced (its "
                       "checkpoint.pt is not there any more); choose another folder")
    commit = _commit()  # now: a checkout may move on while it trains
    trainer, overall = prepare_training(folder, training_data, development_data, config, initial)
    if on_epoch is not None:
        trainer.on_epoch = on_epoch
    with _alone(folder) if trainer.processes.first else nullcontext():
        result = _train(trainer, overall, training_data, commit)
    trainer.processes.close()
    return result


def _alone(folder: Path) -> AbstractContextManager[object]:
    """Keep other trainings out of a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return lock(folder / ".training", wait=False)
    except BlockingIOError:
        raise AsrError(f"{folder}: another process trains here; wait for its end, or choose "
                       "another folder") from None
    except OSError:  # a file system without locks, or what the first file to be written will say
        return nullcontext()


def _train(trainer: Trainer, overall: np.ndarray | None, training_data: Store, commit: str
           ) -> Evaluation:
    """Run it, and write what it is described by and what it makes."""
    folder, config = trainer.folder, trainer.config
    if trainer.checkpoint.exists():
        trainer.resume()
    if trainer.processes.first:
        save_config(folder / "config.yaml", config)
    weights, result = trainer.run()
    if trainer.processes.first:
        averaged = len(trainer.chosen())
        log(f"average of {averaged} epoch{'s' if averaged > 1 else ''}: dev loss "
            f"{result.loss:.3f}  CER {100 * result.cer:.2f} %  WER {100 * result.wer:.2f} %")
        bundle = folder / "bundle"
        if _holds(bundle, arrays(weights)):
            log(f"{bundle}: holds these weights already; left as it is")
        else:
            save_bundle(bundle,
                        BundleConfig(features=training_data.config, model=config.model,
                                     units=config.units.kind,
                                     normaliser=config.normaliser,
                                     provenance=_provenance(trainer, result, commit)),
                        trainer.units, arrays(weights), overall)
    return result


def _holds(bundle: Path, weights: dict[str, np.ndarray]) -> bool:
    try:
        held = load_bundle(bundle).weights
    except AsrError:  # none there, or no whole one
        return False
    return held.keys() == weights.keys() and all(
        np.array_equal(held[name], array) for name, array in weights.items())


def open_stores(training: Path, development: Path) -> tuple[Store, Store]:
    """A store to learn from, and one of the same features without copies to measure on."""
    training_data = Store.open(training)
    development_data = Store.open(development, training_data.config)
    development_data.check_plain()
    return training_data, development_data


def prepare_training(folder: Path, training_data: Store, development_data: Store,
                     config: TrainConfig, initial: Path | None) -> Prepared:
    """Everything up to the first step."""
    keep_freed_memory()
    tell_of_compiling()
    features = training_data.config
    texts = training_data.texts(config.normaliser)
    start = None if initial is None else load_bundle(initial)
    if start is not None:
        training_data.check(start.config.features)
        config = inherited(config, start)
    if start is not None and _keeps_units(config.units, start, texts):
        units = start.units
        config = config.model_copy(update={"units": units_of(config.units, start)})
    else:
        units = make_units(config.units, texts, normaliser(config.normaliser))
    overall = None
    if features.cmvn == "global":
        overall = start.training_statistics if start else statistics(training_data.moments.sum(0))

    torch.manual_seed(config.seed)  # initial weights; everything later is random by name
    network = Network(config.model, features.dimension, len(units))
    origin = None
    if start is not None and initial is not None:
        origin = start_from(network, units, start, initial)
    processes = Processes()
    training = TrainingSet(training_data, _statistics(training_data, overall), texts, units,
                           network, config.unfit, config.nonspeech)
    development = DevelopmentSet(
        development_data, _statistics(development_data, overall),
        development_data.texts(config.normaliser),
        evenly(len(development_data), config.dev_utterances))
    trainer = Trainer(folder, config, network, units, training, development,
                      _objective(config.crf, training, len(units), processes.device), origin,
                      processes)
    if processes.first:
        parameters = sum(p.numel() for p in network.parameters())
        log(f"{len(training.copies)} utterances, {len(units)} units, {parameters / 1e6:.2f} M "
            f"parameters, {str(trainer.dtype).removeprefix('torch.')} on {processes.device}"
            + (f", {processes.world} processes" if processes.world > 1 else ""))
    return Prepared(trainer, overall)


def _objective(crf: float, training: TrainingSet, units: int, device: torch.device) -> Objective:
    if not crf:
        return Objective()
    if units > _TRIGRAM_UNITS:
        raise Untrainable(f"crf={crf:g}: tables of trigrams are for up to {_TRIGRAM_UNITS} units, "
                          f"and there are {units:,}; take characters or phones, or crf=0")
    labels = [training.labels[entries[0]] for entries in training.copies]
    return Objective(crf, Denominator(Trigrams.of(labels, units), device))


def _keeps_units(asked: UnitsConfig, start: Bundle, texts: Sequence[str]) -> bool:
    """Whether a training goes on with a bundle's units: nobody asks for others.

    Characters must also spell the texts. What other units cannot spell is unfit.
    """
    kind, given = start.config.units, asked.model_fields_set
    if given and (asked.kind != kind or asked.lexicon is not None
                  or (kind == "bpe" and "size" in given and asked.size != len(start.units))):
        return False
    return kind != "characters" or all(start.units.spellable(text) == text for text in texts)


def _statistics(store: Store, overall: np.ndarray | None) -> np.ndarray:
    # Plain copies are normalised as if there were no augmented ones, which have other spectra.
    speakers = [f"{entry.speaker} {entry.copy_number}" for entry in store.entries]
    return statistics_of(store.config.cmvn, store.moments, speakers, overall)


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.check_output(["git", *arguments], text=True, stderr=subprocess.DEVNULL,  # noqa: S603, S607
                                       cwd=Path(__file__).parent).strip()
    try:
        # A package may be installed below somebody else's checkout, which does not hold it.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--", str(Path(__file__).parents[1]))
        return git("rev-parse", "HEAD") + (", changed since" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "not from a git checkout"


def _provenance(trainer: Trainer, result: Evaluation, commit: str) -> dict[str, object]:
    return {
        "command": shlex.join(["asr", *sys.argv[1:]]),
        "commit": commit,
        "seed": trainer.config.seed,
        "training data": trainer.training.fingerprint,
        "development data": trainer.development.fingerprint,
        "torch": torch.__version__,
        "development": {"loss": result.loss, "cer": result.cer, "wer": result.wer},
        "training": trainer.config.model_dump(mode="json"),
    } | ({"initial": trainer.initial} if trainer.initial else {})

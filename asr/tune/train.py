"""Search for training settings: trials are ordinary trainings, the measure is their WER."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asr.errors import AsrError, Untrainable, one_line
from asr.features.store import Store
from asr.files import sha256
from asr.model.bundle import load_bundle
from asr.parallel import under_torchrun
from asr.progress import log
from asr.study import open_study, require_optuna
from asr.train.checkpoint import check_resumable
from asr.train.config import TrainConfig
from asr.train.initial import inherited, origin
from asr.train.metrics import Record, read_metrics
from asr.train.signals import StopSignals
from asr.train.stage import open_stores, train
from asr.tune.config import SearchConfig
from asr.tune.folds import speaker_folds
from asr.tune.space import Space

if TYPE_CHECKING:
    import optuna

    from asr.tune.queue import Claim, TrialQueue

_TRIALS = 30
_STARTUP = 5  # finished trials before one is pruned by their median

Parts = Sequence[tuple[Store, Store]]
"""What each training of a trial learns from and is measured on."""


def tune_training(folder: Path, training_store: Path, development_store: Path | None,
                  base: TrainConfig, search: SearchConfig, trials: int | None = None,
                  initial: Path | None = None) -> str:
    """Train with other settings in each FOLDER/trial-NNN, and find the best.

    Several processes may do that in the same folder, each with trials of its own; all end when
    nothing is left for them. What was interrupted is gone on with by whoever comes next.

    Parameters
    ----------
    development_store : Path, optional
        Needed unless the search has folds.
    base : TrainConfig
        All settings that are not looked for. Its own values are the first trial, where they are
        in the search's ranges.
    trials : int, optional
        Over all processes and calls; 30 by default, of a grid all.
    initial : Path, optional
        A bundle that every trial starts from, see `asr.train.stage.train_model`.

    Returns
    -------
    str
        A table of the best trials. FOLDER/best.yaml is the best configuration, importance.png
        what each setting matters (from 10 finished trials), study.db Optuna's study.

    Raises
    ------
    SystemExit
        128 + the signal's number, after SIGINT or SIGTERM.
    AsrError
        Optuna is not there, the search does not fit the settings or the study in the folder, or
        see `asr.train.stage.train`.
    """
    require_optuna()
    from asr.tune.queue import TrialQueue, lock_folder

    if under_torchrun():
        raise AsrError("a trial is trained by one process; start the command several times "
                       "instead of by torchrun")
    if initial is not None:
        base = inherited(base, load_bundle(initial))
    space = Space.of(base, search)
    parts = _parts(training_store, development_store, search.folds)
    with lock_folder(folder):
        study = open_study(folder / "study.db", "train", pruner=_pruner(base, search))
        _check_same(study, folder / "study.db", base, search,
                    [store for store in (training_store, development_store) if store], initial)
    if search.sampler == "grid":
        points = list(space.grid())[:trials]
        queue = TrialQueue(folder, study, space, points, len(points))
    else:
        start = space.start()
        queue = TrialQueue(folder, study, space, [start] if start else [], trials or _TRIALS)
    try:
        with StopSignals() as signals:
            while (claim := queue.claim()) is not None:
                with claim.lock:
                    _work(queue, claim, parts, initial)
                if signals.caught is not None:
                    raise SystemExit(128 + signals.caught)
    except SystemExit:
        log("search stopped; the same `asr tune train` goes on from here")
        raise
    with lock_folder(folder):
        return _conclude(queue)


def _parts(training_store: Path, development_store: Path | None, folds: int) -> Parts:
    if bool(folds) == (development_store is not None):
        raise AsrError("folds measure on speakers of the training store: leave --dev out" if folds
                       else "a search without folds needs a development store, --dev")
    if development_store is None:
        return speaker_folds(Store.open(training_store), folds)
    return [open_stores(training_store, development_store)]


def _pruner(base: TrainConfig, search: SearchConfig) -> "optuna.pruners.BasePruner":
    import optuna

    searched = search.keys.get("epochs")
    epochs = base.epochs if searched is None else int(searched.high or max(searched.choices))
    if search.pruner == "median":
        # Networks that will be good are not yet so in the first epochs.
        return optuna.pruners.MedianPruner(n_startup_trials=_STARTUP,
                                           n_warmup_steps=max(1, epochs // 4))
    if search.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs)
    return optuna.pruners.NopPruner()


def _check_same(study: "optuna.Study", path: Path, base: TrainConfig, search: SearchConfig,
                stores: Sequence[Path], initial: Path | None) -> None:
    """Refuse to go on with another search: only trials of one compare."""
    config = base.model_dump(mode="json") | {"search": search.model_dump(mode="json")}
    data = " ".join(sha256(store / name) for store in stores
                    for name in ("store.json", "utterances.jsonl", "moments.npy"))
    own = {"config": config, "data": data, "initial": None if initial is None else origin(initial)}
    known = study.user_attrs
    if "data" in known:
        check_resumable(path, known, own)
    else:
        for key, value in own.items():
            study.set_user_attr(key, value)


def _work(queue: "TrialQueue", claim: "Claim", parts: Parts, initial: Path | None) -> None:
    """Train one trial and enter how it ended."""
    import optuna

    from asr.tune.report import UNTRAINABLE, described

    trial = claim.trial
    log(f"trial {trial.number}: {described(trial.params)}")
    state, wer = optuna.trial.TrialState.PRUNED, None
    try:
        wer = _train(claim, queue.space.config(trial.params), parts, initial)
        state = optuna.trial.TrialState.COMPLETE
        log(f"trial {trial.number}: WER {100 * wer:.2f} %")
    except optuna.TrialPruned:
        log(f"trial {trial.number}: pruned")
    except Untrainable as error:
        reason = str(error).partition(";")[0]  # what follows is advice for a single training
        log(f"trial {trial.number}: {reason}")
        trial.set_user_attr(UNTRAINABLE, reason)
    records = [record for path in claim.folder.glob("**/metrics.jsonl")
               for record in read_metrics(path)]
    trial.set_user_attr("epochs", len(records))
    trial.set_user_attr("seconds", sum(record["seconds"] for record in records))
    queue.finish(claim, state, wer)
    for path in claim.folder.glob("**/checkpoint.pt"):  # nothing will go on from here
        path.unlink()
        shutil.rmtree(path.with_name("weights"), ignore_errors=True)


def _train(claim: "Claim", config: TrainConfig, parts: Parts, initial: Path | None) -> float:
    """WER over all parts; raises TrialPruned where the first one is not worth its end."""
    import optuna

    trial = claim.trial

    def on_epoch(record: Record) -> None:
        if record["epoch"] not in claim.reported:
            trial.report(record["dev_wer"], record["epoch"])
        if record["epoch"] < config.epochs and trial.should_prune():
            raise optuna.TrialPruned

    errors = words = 0.0
    for number, (training, development) in enumerate(parts, 1):
        folder = claim.folder / f"fold-{number}" if len(parts) > 1 else claim.folder
        result = train(folder, training, development, config, resume=True,
                       initial=initial, on_epoch=on_epoch if number == 1 else None)
        errors += result.wer * result.words
        words += result.words
    return errors / words


def _conclude(queue: "TrialQueue") -> str:
    """Write what was found; returns the table."""
    from asr.tune.report import plot_importance, ranked, table, write_best

    found = table(queue.study)
    if not ranked(queue.study):
        log(found)
        raise AsrError(f"{queue.folder}: no trial has finished yet")
    write_best(queue.study, queue.space, queue.folder / "best.yaml")
    try:
        plot_importance(queue.study, queue.folder / "importance.png")
    except Exception as error:  # whatever befalls a picture: the table is what the search was for
        log(f"no importance.png: {one_line(error)}")
    return found

"""Tell what a folder holds, and read it."""

from collections.abc import Iterable
from pathlib import Path

from asr.errors import AsrError
from asr.features.store import Store
from asr.model.bundle import Bundle, load_bundle
from asr.train.metrics import plot_runs
from asr.train.runs import FILES as RUN_FILES
from asr.train.runs import Run, read_run, run_names

Thing = Bundle | Store | Run


def read_things(paths: Iterable[Path]) -> dict[Path, Thing]:
    """What is in each folder; one that is named twice counts once.

    Raises
    ------
    AsrError
        A path is none of these, or damaged.
    """
    return {path: _read(path) for path in {p.resolve(): p for p in paths}.values()}


def _read(path: Path) -> Thing:
    if (path / "bundle.json").exists():
        return load_bundle(path)
    if (path / "store.json").exists():
        return Store.open(path)
    if any((path / name).exists() for name in RUN_FILES):
        return read_run(path)
    if not path.exists():
        raise AsrError(f"{path}: no such folder")
    if path.is_file():
        raise AsrError(f"{path}: a file; name the folder of a model bundle, feature store or "
                       "training")
    raise AsrError(f"{path}: neither a model bundle (bundle.json) nor a feature store (store.json) "
                   f"nor a training ({', '.join(RUN_FILES)})")


def runs_of(things: dict[Path, Thing]) -> dict[str, Run]:
    """The trainings among them, by names that tell them apart."""
    runs = [thing for thing in things.values() if isinstance(thing, Run)]
    return dict(zip(run_names([run.path for run in runs]), runs, strict=True))


def plot_trainings(path: Path, things: dict[Path, Thing]) -> None:
    """Draw the trainings' curves into one PNG file, see `asr.train.metrics.plot_runs`.

    Raises
    ------
    AsrError
        No training has finished an epoch.
    """
    histories = {name: run.history for name, run in runs_of(things).items() if run.history}
    if not histories:
        raise AsrError(f"{path}: nothing to draw, since none of these is a training that has "
                       "finished an epoch")
    plot_runs(path, histories)

"""Optuna's studies in SQLite files, which can be gone on with and shared by several processes."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from asr.errors import AsrError, one_line
from asr.files import cannot_write
from asr.randomness import generator

if TYPE_CHECKING:
    import optuna

_PATIENCE = 60  # seconds that a process waits while others write


def require_optuna() -> None:
    """Say now rather than after the work that it is missing."""
    if importlib.util.find_spec("optuna") is None:
        raise AsrError("tuning needs optuna: pip install 'asr[tune]'")


def open_study(path: Path, name: str,
               pruner: "optuna.pruners.BasePruner | None" = None) -> "optuna.Study":
    """The study of that name in the file at `path`; both are made where they are missing.

    Raises
    ------
    AsrError
        The file cannot be written, or holds something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{path.resolve()}",
            engine_kwargs={"connect_args": {"timeout": _PATIENCE}})
        return optuna.create_study(storage=storage, study_name=name, load_if_exists=True,
                                   pruner=pruner)
    except Exception as error:  # whatever SQLAlchemy makes of a file that is no database
        raise AsrError(f"{path}: not a study ({one_line(error)}); delete it or choose "
                       "another folder") from None


def parzen_sampler(seed: int, trial: int) -> "optuna.samplers.TPESampler":
    """A tree-structured Parzen estimator (Bergstra et al. 2011) that draws the trial of a number.

    By name, so that a search that was interrupted draws what it would have drawn.
    """
    import optuna

    return optuna.samplers.TPESampler(seed=int(generator(seed, "trial", trial).integers(1 << 31)),
                                      constant_liar=True)

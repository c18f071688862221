"""Which process works on which trial of a study that several share.

A process holds a lock on the folder of its trial for as long as it lives, whatever ends it. So a
trial that the study calls running and nobody holds was interrupted; whoever comes next goes on
with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import optuna
from optuna.trial import FrozenTrial, TrialState

from asr.files import cannot_write
from asr.locks import lock
from asr.progress import log
from asr.study import parzen_sampler
from asr.train.checkpoint import DamagedCheckpoint, load_checkpoint
from asr.tune.space import Parameters, Space


def lock_folder(folder: Path, wait: bool = True) -> IO[bytes]:
    """Lock a folder, made if need be, until what is returned is closed, or its process ends.

    Raises
    ------
    BlockingIOError
        Another process has it, and `wait` is false.
    AsrError
        The folder cannot be written, or its file system has no locks.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return lock(folder / ".lock", wait)
    except BlockingIOError:
        raise
    except OSError as error:
        raise cannot_write(folder / ".lock", error) from error


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """All trials but those that were started anew under another number."""
    return [t for t in study.get_trials(deepcopy=False) if t.state != TrialState.FAIL]


@dataclass(frozen=True)
class Claim:
    """A trial that this process works on."""

    trial: optuna.Trial
    folder: Path
    lock: IO[bytes]
    reported: frozenset[int]
    """Epochs that the study knew before this process."""


@dataclass(frozen=True)
class TrialQueue:
    """The trials of a study, to be claimed one by one.

    Attributes
    ----------
    points : sequence of Parameters
        Tried first, in this order.
    total : int
        Number of trials over all processes.
    """

    folder: Path
    study: optuna.Study
    space: Space
    points: Sequence[Parameters]
    total: int

    def claim(self) -> Claim | None:
        """An interrupted trial or a new one; None where nothing is left to do."""
        with lock_folder(self.folder):
            return self._interrupted() or self._new()

    def finish(self, claim: Claim, state: TrialState, wer: float | None = None) -> None:
        """Enter a trial's end into the study."""
        with lock_folder(self.folder):  # or another process might take it between these two
            self.study.tell(claim.trial, wer, state)
            claim.lock.close()

    def _interrupted(self) -> Claim | None:
        for found in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            folder = self._folder(found.number)
            try:
                held = lock_folder(folder, wait=False)
            except BlockingIOError:
                continue
            if self._whole(found, folder):
                return Claim(optuna.Trial(self.study, found._trial_id), folder, held,
                             frozenset(found.intermediate_values))
            log(f"trial {found.number} cannot be gone on with; it is started anew")
            self.study.tell(found.number, state=TrialState.FAIL)
            self.study.enqueue_trial(found.system_attrs.get("fixed_params", found.params))
            held.close()
        return None

    def _whole(self, found: FrozenTrial, folder: Path) -> bool:
        """Whether all its settings were drawn and its checkpoints can be read."""
        try:
            for path in folder.glob("**/checkpoint.pt"):
                load_checkpoint(path)
        except DamagedCheckpoint as error:
            log(str(error))
            return False
        return found.params.keys() == self.space.settings.keys()

    def _new(self) -> Claim | None:
        trials = counted(self.study)
        if not any(trial.state == TrialState.WAITING for trial in trials):
            if len(trials) >= self.total:
                return None
            known = [trial.system_attrs.get("fixed_params") for trial in trials]
            point = next((point for point in self.points if point not in known), None)
            if point is not None:
                self.study.enqueue_trial(point)
        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = parzen_sampler(self.space.base.seed, number)
        trial = self.study.ask(self.space.distributions)
        folder = self._folder(trial.number)
        return Claim(trial, folder, lock_folder(folder), frozenset())

    def _folder(self, number: int) -> Path:
        return self.folder / f"trial-{number:03d}"

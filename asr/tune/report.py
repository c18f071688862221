"""What a search has found: a table, the importance of each setting, the best configuration."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.table import Table

from asr.config import save_config
from asr.console import text_console, without_trailing_spaces
from asr.files import atomic_write
from asr.tune.queue import counted
from asr.tune.space import Parameters, Space

UNTRAINABLE = "untrainable"
"""Attribute of trials whose settings could not be trained with: why."""
_SHOWN = 10  # trials in the table
_ENOUGH = 10  # finished trials for an estimate of importance


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Finished trials, lowest error rate first."""
    done = [trial for trial in counted(study) if trial.state == TrialState.COMPLETE]
    return sorted(done, key=lambda trial: (trial.values[0], trial.number))


def described(point: Parameters) -> str:
    """Settings on one line."""
    return "  ".join(f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
                     for name, value in point.items())


def table(study: optuna.Study) -> str:
    """The best trials and what became of the others, 80 columns wide."""
    console, buffer = text_console(colour=False)
    rows = Table(box=None, pad_edge=False)
    for name in ("trial", "WER %", "epochs", "time"):
        rows.add_column(name, justify="right")
    rows.add_column("settings", overflow="fold")
    best = ranked(study)
    for trial in best[:_SHOWN]:
        rows.add_row(str(trial.number), f"{100 * trial.values[0]:.2f}",
                     str(trial.user_attrs["epochs"]),
                     str(timedelta(seconds=round(trial.user_attrs["seconds"]))),
                     described(trial.params).replace("  ", "\n"))
    console.print(rows)
    trials = counted(study)
    others = [trial for trial in trials if trial.state == TrialState.PRUNED]
    failed = [trial for trial in others if UNTRAINABLE in trial.user_attrs]
    pruned = [trial for trial in others if trial not in failed]
    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    console.print(f"\n{len(trials)} trials: {len(best)} finished"
                  + "".join(f", {len(group)} {name} ({_numbers(group)})" for name, group in (
                      ("pruned", pruned), ("not trainable", failed), ("running", running))
                      if group))
    for trial in failed:
        console.print(f"{trial.number}: {trial.user_attrs[UNTRAINABLE]}", markup=False)
    return without_trailing_spaces(buffer)


def _numbers(trials: Sequence[FrozenTrial]) -> str:
    return ", ".join(str(trial.number) for trial in trials)


def write_best(study: optuna.Study, space: Space, path: Path) -> None:
    """The best trial's configuration, complete, as a file for `asr train --config`."""
    best = ranked(study)[0]
    save_config(path, space.config(best.params),
                f"trial {best.number}: WER {100 * best.values[0]:.2f} %")


def plot_importance(study: optuna.Study, path: Path) -> None:
    """Draw each setting's share in the variance of the error rate (fANOVA, Hutter et al. 2014).

    Does nothing where there are too few trials to tell.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    best = ranked(study)
    if len(best) < _ENOUGH or best[0].values == best[-1].values:
        return
    shares = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0))
    names = list(shares)[::-1]
    figure = Figure(figsize=(7, 1.2 + 0.35 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.barh(names, [shares[name] for name in names])
    axes.set(xlabel="share in the variance of the error rate", xlim=(0, 1),
             title=f"{len(best)} finished trials")
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format="png", dpi=120)

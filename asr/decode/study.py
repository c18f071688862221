"""Optuna's search for the weights of a beam search, in a study that can be gone on with."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr.decode.config import DecodeConfig
from asr.decode.material import Material
from asr.decode.settings import LmSearch
from asr.files import atomic_write, sha256
from asr.progress import log, track
from asr.study import open_study, parzen_sampler

if TYPE_CHECKING:
    import optuna

RANGES = {"lm_weight": (0.0, 4.0), "word_bonus": (-2.0, 6.0), "unknown_score": (-30.0, 0.0),
          "prior_weight": (0.0, 1.0)}
"""Where the weights are looked for."""


def best_weights(folder: Path, files: Sequence[Path], material: Material, words: LmSearch,
                 start: DecodeConfig, trials: int) -> tuple[dict[str, float], int]:
    """Measure weights until `trials` are done, see `parzen_sampler`; first those of `start`.

    Parameters
    ----------
    folder : Path
        For `study.db`, with every trial, and `surface.png`.
    files : sequence of Path
        Network and language model.

    Returns
    -------
    dict
        The best weights, by their names in `DecodeConfig`.
    int
        Number of trials in the study.

    Raises
    ------
    AsrError
        `study.db` cannot be written, or is no study.
    """
    tuned = (*words.weights, "prior_weight")
    study = _open_study(folder, files, material.ids, start)
    if not study.trials:
        study.enqueue_trial({name: getattr(start, name) for name in tuned})

    def objective(trial: "optuna.Trial") -> float:
        chosen = {name: trial.suggest_float(name, *RANGES[name]) for name in tuned}
        return material.measure(words.search(start.model_copy(update=chosen)))[0]

    done = sum(trial.values is not None for trial in study.trials)
    for number in track(range(done, trials), "trials", max(0, trials - done)):
        study.sampler = parzen_sampler(0, number)
        study.optimize(objective, n_trials=1)
        described = "  ".join(f"{name}={value:.2f}"
                              for name, value in study.trials[-1].params.items())
        log(f"  {len(study.trials):3}  WER {100 * study.trials[-1].values[0]:.2f} %  {described}  "
            f"(best {100 * study.best_value:.2f} %)")
    _plot(study, folder / "surface.png")
    weights = {name: round(value, 2) for name, value in study.best_params.items()}
    return weights, sum(trial.values is not None for trial in study.trials)


def _open_study(folder: Path, files: Sequence[Path], ids: Sequence[str], start: DecodeConfig
                ) -> "optuna.Study":
    """The study of these files, utterances and other settings: only such trials compare."""
    # Nor does it matter what is chosen after the weights, or follows from files and utterances.
    other = {*RANGES, "rescore_weight", "label_priors", "calibration"}
    fixed = start.model_dump_json(exclude=other)
    digest = hashlib.sha256("\n".join([*map(sha256, files), fixed, *ids]).encode())
    return open_study(folder / "study.db", digest.hexdigest()[:16])


def _plot(study: "optuna.Study", path: Path) -> None:
    """Error rate over weight and bonus; every trial is a point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    trials = [t for t in study.trials if t.values is not None]
    x, y = ([t.params[name] for t in trials] for name in ("lm_weight", "word_bonus"))
    colours = [100 * t.values[0] for t in trials]
    # The worst trials would take all of the colours.
    top = float(np.quantile(colours, 0.8)) if len(colours) > 4 else max(colours)
    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    points = axes.scatter(x, y, c=colours, vmax=top, cmap="viridis_r")
    best = study.best_params
    axes.scatter([best["lm_weight"]], [best["word_bonus"]], s=200, facecolors="none",
                 edgecolors="red", label=f"best: {100 * study.best_value:.2f} %")
    figure.colorbar(points, ax=axes, label="WER (%)", extend="max")
    axes.set(xlabel="lm_weight", ylabel="word_bonus", title=f"{len(trials)} trials")
    axes.legend()
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format="png", dpi=120)

"""Choose the weights and the width of a beam search on a development set."""

import hashlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import Search, decode_posteriors
from asr.decode.settings import LmSearch, lm_search, rescorer
from asr.errors import AsrError
from asr.features.store import Store
from asr.files import atomic_write, cannot_write, sha256
from asr.lm.binary import lm_bytes, load_lm
from asr.manifest import Hypothesis
from asr.model.bundle import Bundle, load_bundle, set_decoding
from asr.model.inference import by_length, evenly, store_log_posteriors
from asr.progress import log, track
from asr.score.align import score_utterances
from asr.score.confidence import (
    WordConfidences,
    calibrate,
    calibration_error,
    word_confidences,
)

if TYPE_CHECKING:
    import optuna

RANGES = {"lm_weight": (0.0, 4.0), "word_bonus": (-2.0, 6.0), "unknown_score": (-30.0, 0.0),
          "prior_weight": (0.0, 1.0)}
"""Where the weights are looked for."""
_SHARES = [round(0.1 * i, 1) for i in range(11)]
_WIDTHS = (4, 8, 16, 32, 64, 128)
_AS_GOOD = 0.0005  # a narrower beam may cost this much WER
_MANY_UNKNOWN = 0.05  # share of words unknown to the language model that gets a warning


@dataclass(frozen=True)
class Material:
    """A development set as the search sees it."""

    ids: list[str]
    texts: list[str]
    """Normalised references."""
    log_posteriors: list[np.ndarray]
    bundle: Bundle
    threads: int

    def search(self, search: Search) -> list[Hypothesis]:
        """What is found in each utterance."""
        return list(decode_posteriors(self.ids, self.log_posteriors, self.bundle.units,
                                      self.bundle.frame_shift, search, self.threads))

    def measure(self, search: Search) -> tuple[float, float]:
        """Word error rate and real-time factor."""
        start = time.perf_counter()
        found = self.search(search)
        seconds = time.perf_counter() - start
        return self.error_rate([h.text for h in found]), seconds / self.duration

    def error_rate(self, texts: Sequence[str]) -> float:
        """Word error rate of what was found in each utterance."""
        words = score_utterances(zip(self.ids, self.texts, texts, strict=True)).words
        return words.errors.sum() / words.length.sum()

    def priors(self) -> list[float]:
        """Mean posterior of each unit."""
        sums = sum(np.exp(each).sum(axis=0, dtype=np.float64) for each in self.log_posteriors)
        return [round(float(p), 9) for p in sums / sum(map(len, self.log_posteriors))]

    @property
    def duration(self) -> float:
        """Seconds of speech."""
        return sum(map(len, self.log_posteriors)) * self.bundle.frame_shift


def tune_decoding(bundle_folder: Path, store_folder: Path, lm: Path | None, lstm: Path | None,
                  folder: Path, trials: int, utterances: int, threads: int) -> DecodeConfig:
    """Find the best settings, write them and the language model into the bundle.

    First the weights, in `trials` steps of a tree-structured Parzen estimator (Bergstra et al.
    2011) that starts from the bundle's own; then the narrowest beam that is as good as any, and
    the share of an LSTM model in sorting that again. Where greedy search is better than all of
    them, that becomes the bundle's search. In the end the confidences of what is found are
    calibrated.

    Parameters
    ----------
    lm : Path, optional
        A model of words or characters; the bundle's own by default.
    folder : Path
        For `study.db`, with every trial: a later call goes on from there; and `surface.png`.
    utterances : int
        How many to use, evenly spread over the set; 0 is all.

    Raises
    ------
    AsrError
        optuna is not there, or see `load_bundle`, `Store.open`, `load_lm`, `lm_search`.
    """
    if importlib.util.find_spec("optuna") is None:
        raise AsrError("tuning needs optuna: pip install 'asr[tune]'")
    bundle = load_bundle(bundle_folder)
    path = lm or bundle.lm
    if path is None:
        raise AsrError(f"{bundle_folder} has no language model of its own; name one with --lm")
    model = load_lm(path)
    words = lm_search(model, bundle.units, path)
    content = path.read_bytes() if path.suffix == ".lm" else lm_bytes(model)
    lstm = lstm or bundle.lstm
    second = None
    if lstm is not None:
        from asr.lm.lstm import LstmModel

        second = rescorer(words, LstmModel.load(lstm).score)
    # To see now rather than after the work whether the bundle can be written.
    set_decoding(bundle_folder, bundle.config.decoding, _content(bundle.lm),
                 _content(bundle.lstm), {})
    material = gather(bundle, store_folder, utterances, threads)
    _warn_of_unknown(words, material.texts, path)
    # Not with the bundle's width, which an earlier tuning may have changed.
    start = bundle.config.decoding.model_copy(
        update={"search": "beam", "nbest": 1, "beam": DecodeConfig().beam,
                "label_priors": material.priors(), "calibration": (1.0, 0.0)})
    tuned = (*words.weights, "prior_weight")
    study = _open_study(folder, [bundle_folder / "model.safetensors", path], material.ids, start)
    if not study.trials:
        study.enqueue_trial({name: getattr(start, name) for name in tuned})

    def objective(trial: "optuna.Trial") -> float:
        chosen = {name: trial.suggest_float(name, *RANGES[name]) for name in tuned}
        return material.measure(words.search(start.model_copy(update=chosen)))[0]

    greedy, _ = material.measure(Search(start.model_copy(update={"search": "greedy"})))
    log(f"{len(material.ids)} utterances, {material.duration / 3600:.2f} h; greedy search: WER "
        f"{100 * greedy:.2f} %")
    done = sum(trial.values is not None for trial in study.trials)
    for _ in track(range(done, trials), "trials", max(0, trials - done)):
        study.optimize(objective, n_trials=1)
        log(f"  {len(study.trials):3}  WER {100 * study.trials[-1].values[0]:.2f} %  "
            f"{_described(study.trials[-1].params)}  (best {100 * study.best_value:.2f} %)")
    _plot(study, folder / "surface.png")
    weights = {name: round(value, 2) for name, value in study.best_params.items()}
    best, error = _narrowest(material, start.model_copy(update=weights), words)
    if second is not None:
        best, error = _shared(material, words.search(best), second)
    if greedy < error:
        log("greedy search is better: the bundle will use it unless told otherwise")
        best = best.model_copy(update={"search": "greedy"})
    best, before, after = _calibrated(material, words.search(best)._replace(rescore=second))
    log(f"chosen: beam={best.beam}  {_described({name: getattr(best, name) for name in tuned})}")
    log(f"expected calibration error of words' confidences: {before:.3f}, calibrated {after:.3f}")
    set_decoding(bundle_folder, best, content, _content(lstm), {"decoding tuned": {
        "on": store_folder.name, "utterances": len(material.ids), "trials": len(study.trials),
        "language model": path.name, "rescored with": lstm and lstm.name, "wer": error,
        "greedy wer": greedy, "calibration error": after}})
    return best


def gather(bundle: Bundle, store_folder: Path, utterances: int, threads: int) -> Material:
    """One pass of the network over (some of) a store."""
    store = Store.open(store_folder, bundle.config.features)
    texts = store.texts(bundle.config.normaliser)
    spoken = [i for i, text in enumerate(texts) if text]
    if not spoken:
        raise AsrError(f"{store_folder}: no text to measure an error rate on")
    chosen = by_length(store, [spoken[i] for i in evenly(len(spoken), utterances)])
    statistics = bundle.statistics(store.moments, [entry.speaker for entry in store.entries])
    posteriors = store_log_posteriors(bundle.network, store, statistics, chosen)
    return Material([store.entries[i].id for i in chosen], [texts[i] for i in chosen],
                    list(track(posteriors, "posteriors", len(chosen))), bundle, threads)


def _warn_of_unknown(words: LmSearch, texts: Sequence[str], path: Path) -> None:
    share = words.unknown_share(texts)
    log(f"{path.name}: {100 * share:.2f} % of the references is unknown to it")
    if share > _MANY_UNKNOWN:
        log(f"asr: warning: that much ({share:.0%}) will be missed or spelt; was its text "
            "normalised like the transcripts, and is its vocabulary large enough?")


def _open_study(folder: Path, files: Sequence[Path], ids: Sequence[str], start: DecodeConfig
                ) -> "optuna.Study":
    """The study of these files, utterances and other settings: only such trials compare."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.db").open("ab").close()
    except OSError as error:
        raise cannot_write(folder / "study.db", error) from error
    fixed = start.model_dump_json(exclude=set(RANGES))
    digest = hashlib.sha256("\n".join([*map(sha256, files), fixed, *ids]).encode())
    try:
        return optuna.create_study(storage=f"sqlite:///{folder.resolve() / 'study.db'}",
                                   study_name=digest.hexdigest()[:16], load_if_exists=True,
                                   sampler=optuna.samplers.TPESampler(seed=0))
    except Exception as error:  # whatever SQLAlchemy makes of a file that is no database
        raise AsrError(f"{folder / 'study.db'}: not a study ({str(error).splitlines()[0]}); delete "
                       "it or choose another folder") from None


def _narrowest(material: Material, config: DecodeConfig, words: LmSearch
               ) -> tuple[DecodeConfig, float]:
    """The first beam width that is as good as any, with its error rate; all are shown."""
    search = words.search(config)
    measured = []
    for width in _WIDTHS:
        wider = config.model_copy(update={"beam": width})
        error, factor = material.measure(search._replace(config=wider))
        log(f"  beam {width:3}: WER {100 * error:.2f} %, real-time factor {factor:.5f} on "
            f"{material.threads} threads")
        measured.append((error, wider))
    least = min(error for error, _ in measured)
    error, chosen = next(m for m in measured if m[0] <= least + _AS_GOOD)
    return chosen, error


def _shared(material: Material, search: Search,
            second: Callable[[Sequence[str]], np.ndarray]) -> tuple[DecodeConfig, float]:
    """The best share of a second model in the scores of what the beam holds in the end."""
    config = search.config
    listed = material.search(search._replace(
        config=config.model_copy(update={"nbest": config.beam})))
    gains = [config.lm_weight * second([each.text for each in h.nbest]) if h.nbest else
             np.zeros(0) for h in track(listed, "rescoring", len(listed))]
    errors = []
    for share in _SHARES:
        texts = [h.nbest[int(np.argmax([each.score for each in h.nbest] + share * gain))].text
                 if h.nbest else h.text for h, gain in zip(listed, gains, strict=True)]
        errors.append(material.error_rate(texts))
        log(f"  rescore_weight {share:.1f}: WER {100 * errors[-1]:.2f} %")
    best = int(np.argmin(errors))
    return config.model_copy(update={"rescore_weight": _SHARES[best]}), errors[best]


def _content(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _calibrated(material: Material, search: Search) -> tuple[DecodeConfig, float, float]:
    """The configuration with a calibration; the calibration error before and after.

    The error after is that of each half of the utterances by what the other half gives.
    """
    found = material.search(search)
    halves = [word_confidences(
        (text.split(), [word.text for word in h.words], [word.confidence for word in h.words])
        for h, text in list(zip(found, material.texts, strict=True))[half::2])
        for half in (0, 1)]
    both = _joined(halves)
    crossed = _joined([WordConfidences(calibrate(other)(one.confidence), one.correct)
                       for one, other in (halves, halves[::-1])])
    config = search.config.model_copy(update={
        "calibration": tuple(round(value, 4) for value in calibrate(both))})
    return config, calibration_error(both), calibration_error(crossed)


def _joined(parts: Sequence[WordConfidences]) -> WordConfidences:
    return WordConfidences(*map(np.concatenate, zip(*parts, strict=True)))


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


def _described(params: dict[str, float]) -> str:
    return "  ".join(f"{name}={value:.2f}" for name, value in params.items())

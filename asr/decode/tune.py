"""Choose the weights, width and pruning of a beam search on a development set."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import Search
from asr.decode.material import Material, calibrated, gather
from asr.decode.settings import LmSearch, lm_search, rescorer
from asr.decode.study import RANGES, best_weights
from asr.errors import AsrError
from asr.lm.binary import lm_bytes, load_lm
from asr.model.bundle import load_bundle, set_decoding
from asr.progress import log, track
from asr.startup import tell_of_compiling
from asr.study import require_optuna

_SHARES = [round(0.1 * i, 1) for i in range(11)]
_WIDTHS = [{"beam": 2**i} for i in range(2, 11)]
_PRUNINGS = [{"threshold": threshold, "min_posterior": least}
             for threshold, least in ((10.0, 1e-3), (12.0, 5e-4), (15.0, 2e-4), (20.0, 5e-5))]
_STEPS = {"lm_weight": 0.15, "word_bonus": -0.5, "unknown_score": -2.0, "prior_weight": -0.1}
_AS_GOOD = 0.0005  # a faster search may cost this much WER
_MANY_UNKNOWN = 0.05  # share of words unknown to the language model that gets a warning


def tune_decoding(bundle_folder: Path, store_folder: Path, lm: Path | None, lstm: Path | None,
                  folder: Path, trials: int, utterances: int, threads: int) -> DecodeConfig:
    """Find the best settings, write them and the language model into the bundle.

    First the weights, in a study of `trials` trials that starts from the bundle's own; then the
    narrowest beam that is as good as any, and the sharpest pruning; then, in half as many trials,
    the weights once more for these, from the better ones of those found and the bundle's own, and
    the share of an LSTM model in sorting again what is found.
    Where greedy search is better than all of them, that becomes the bundle's search. In the end
    the confidences of what is found are calibrated.

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
    require_optuna()
    tell_of_compiling()
    bundle = load_bundle(bundle_folder)
    path = lm or bundle.lm
    if path is None:
        raise AsrError(f"{bundle_folder} has no language model of its own; name one with --lm")
    model = load_lm(path)
    words = lm_search(model, bundle.units, path)
    content = path.read_bytes() if path.suffix == ".lm" else lm_bytes(model)
    lstm = lstm or bundle.lstm
    second = None if lstm is None else _remembering(rescorer(words, lstm))
    # To see now rather than after the work whether the bundle can be written.
    set_decoding(bundle_folder, bundle.config.decoding, _content(bundle.lm),
                 _content(bundle.lstm), {})
    material = gather(bundle, store_folder, utterances, threads)
    _warn_of_unknown(words, material.texts, path)
    # Not with the bundle's width and pruning, which an earlier tuning may have changed.
    start = bundle.config.decoding.model_copy(
        update={"search": "beam", "nbest": 1, "beam": DecodeConfig().beam, **_PRUNINGS[0],
                "label_priors": material.priors(), "calibration": (1.0, 0.0)})
    greedy, _ = material.measure(Search(start.model_copy(update={"search": "greedy"})))
    log(f"{len(material.ids)} utterances, {material.duration / 3600:.2f} h; greedy search: WER "
        f"{100 * greedy:.2f} %")
    files = [bundle_folder / "model.safetensors", path]
    weights, done = best_weights(folder, files, material, words, start, trials)
    best, _ = _fastest(material, start.model_copy(update=weights), words, _WIDTHS)
    best, error = _fastest(material, best, words, _PRUNINGS)
    best, error = _refined(material, best, error, start, words, trials // 2)
    if second is not None:
        best, error = _shared(material, words.search(best), second)
    if greedy < error:
        log("greedy search is better: the bundle will use it unless told otherwise")
        best = best.model_copy(update={"search": "greedy"})
    best, before, after = calibrated(material, words.search(best)._replace(rescore=second))
    names = (*_WIDTHS[0], *_PRUNINGS[0], *weights)
    log("chosen: " + "  ".join(f"{name}={getattr(best, name)}" for name in names))
    log(f"expected calibration error of words' confidences: {before:.3f}, calibrated {after:.3f}")
    set_decoding(bundle_folder, best, content, _content(lstm), {"decoding tuned": {
        "on": store_folder.name, "utterances": len(material.ids), "trials": done,
        "language model": path.name, "rescored with": lstm and lstm.name, "wer": error,
        "greedy wer": greedy, "calibration error": after}})
    return best


def _warn_of_unknown(words: LmSearch, texts: Sequence[str], path: Path) -> None:
    share = words.unknown_share(texts)
    log(f"{path.name}: {100 * share:.2f} % of the references is unknown to it")
    if share > _MANY_UNKNOWN:
        log(f"asr: warning: that much ({share:.0%}) will be missed or spelt; was its text "
            "normalised like the transcripts, and is its vocabulary large enough?")


def _fastest(material: Material, config: DecodeConfig, words: LmSearch,
             changes: Sequence[dict[str, Any]]) -> tuple[DecodeConfig, float]:
    """The first of some changes, from fast to slow, that is as good as any, with its error rate.

    All are shown.
    """
    search = words.search(config)
    measured = []
    for change in changes:
        changed = config.model_copy(update=change)
        error, factor = material.measure(search._replace(config=changed))
        log("  " + "  ".join(f"{name}={value:<5g}" for name, value in change.items())
            + f"  WER {100 * error:.2f} %, real-time factor {factor:.5f} on "
            f"{material.threads} threads")
        measured.append((error, changed))
    least = min(error for error, _ in measured)
    error, chosen = next(m for m in measured if m[0] <= least + _AS_GOOD)
    return chosen, error


def _refined(material: Material, config: DecodeConfig, error: float, own: DecodeConfig,
             words: LmSearch, trials: int) -> tuple[DecodeConfig, float]:
    """The best weights near `config`'s, or `own`'s if these are better, at its width and pruning.

    A wide beam leans on the language model more than the narrow one of the trials, of which the
    best, where they are few, can be far from weights that an earlier tuning found. By Nelder and
    Mead's method (1965), from a step in each weight.
    """
    from scipy.optimize import minimize

    names = [name for name in _STEPS if name in (*words.weights, "prior_weight")]

    def weights_of(config: DecodeConfig) -> tuple[float, ...]:
        return tuple(getattr(config, name) for name in names)

    measured = {weights_of(config): error}

    def at(weights: tuple[float, ...]) -> DecodeConfig:
        return config.model_copy(update=dict(zip(names, weights, strict=True)))

    def objective(values: np.ndarray) -> float:
        weights = tuple(round(float(value), 2) for value in values)
        if weights not in measured:
            measured[weights], _ = material.measure(words.search(at(weights)))
            log(f"  beam {config.beam:3}  WER {100 * measured[weights]:.2f} %  " + "  ".join(
                f"{name}={value:.2f}" for name, value in zip(names, weights, strict=True))
                + f"  (best {100 * min(measured.values()):.2f} %)")
        return measured[weights]

    objective(np.array(weights_of(own)))
    first = np.array(min(measured, key=lambda weights: measured[weights]))
    bounds = [RANGES[name] for name in names]
    steps = [step if low <= value + step <= high else -step for step, value, (low, high)
             in zip([_STEPS[name] for name in names], first, bounds, strict=True)]
    simplex = first + np.vstack([np.zeros(len(names)), np.diag(steps)])
    minimize(objective, first, method="Nelder-Mead", bounds=bounds,
             options={"initial_simplex": simplex, "maxfev": trials + 1, "xatol": 0.02,
                      "fatol": 1e-4})
    best = min(measured, key=lambda weights: measured[weights])
    return at(best), measured[best]


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


def _remembering(second: Callable[[Sequence[str]], np.ndarray]
                 ) -> Callable[[Sequence[str]], np.ndarray]:
    """The same, asked once about each text: an LSTM is slower than all else here."""
    known: dict[str, float] = {}

    def gains(texts: Sequence[str]) -> np.ndarray:
        new = [text for text in texts if text not in known]
        if new:
            known.update(zip(new, second(new), strict=True))
        return np.array([known[text] for text in texts])
    return gains


def _content(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()

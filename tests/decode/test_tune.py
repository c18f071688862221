"""Tuning on utterances that greedy search mishears, and a word list that knows better."""

import shutil
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
import torch
from dummies import unigrams

from asr.decode import tune
from asr.decode.config import DecodeConfig
from asr.decode.material import Material
from asr.decode.study import RANGES
from asr.decode.tune import tune_decoding
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.lm.binary import save_lm
from asr.model.bundle import BundleConfig, load_bundle, save_bundle, set_decoding
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.units import CharacterUnits

WORDS = ["ABBA", "BABE", "CAB", "EBB"]
UNITS = CharacterUnits.from_texts(["ABCDE "])


def write_lm(path, words):
    save_lm(path, unigrams(*words, log_prob=-1.5))
    return path


def misheard(text, random):
    """A frame a unit and a blank after each; in a third of the frames `D` is a bit likelier."""
    labels = UNITS.encode(text)
    posteriors = np.full((2 * len(labels), len(UNITS)), 0.01)
    posteriors[1::2, 0] = 0.9
    posteriors[np.arange(0, len(posteriors), 2), labels] = 0.9
    for t in 2 * np.flatnonzero(random.random(len(labels)) < 1 / 3):
        posteriors[t, labels[t // 2]] = 0.4
        posteriors[t, UNITS.encode("D")] = 0.5
    return np.log(posteriors / posteriors.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """With a bundle, whose network is not asked, and language models."""
    config = BundleConfig(features=FeatureConfig(mels=8), normaliser="none",
                          model=ModelConfig(layers=1, units=4, channels=2))
    torch.manual_seed(0)
    save_bundle(tmp_path / "bundle", config, UNITS,
                arrays(Network(config.model, 8, len(UNITS)).state_dict()), None)
    write_lm(tmp_path / "words.lm", WORDS)
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 4)) for _ in range(12)]
    posteriors = [misheard(text, random) for text in texts]

    def gather(bundle, store, utterances, threads):
        return Material([f"u{i}" for i in range(12)], texts, posteriors, bundle, threads)
    monkeypatch.setattr(tune, "gather", gather)
    return tmp_path


def run(folder, lm="words.lm", trials=3, lstm=None):
    return tune_decoding(folder / "bundle", folder / "dev", lm and folder / lm,
                         lstm and folder / lstm, folder / "tune", trials, 0, 1)


def test_what_is_best_goes_into_the_bundle(folder):
    before = load_bundle(folder / "bundle").network.state_dict()
    best = run(folder)
    bundle = load_bundle(folder / "bundle")
    assert bundle.config.decoding == best
    assert best.search == "beam"
    tuned = bundle.config.provenance["decoding tuned"]
    assert tuned["wer"] < 0.2 < tuned["greedy wer"]
    assert tuned["trials"] == 3
    assert sum(best.label_priors) == pytest.approx(1)
    assert best.label_priors[0] == pytest.approx(0.45, abs=0.05)  # a blank after each unit
    assert tuned["calibration error"] < 0.2
    assert best.calibration != (1.0, 0.0)
    assert bundle.lm.read_bytes() == (folder / "words.lm").read_bytes()
    assert (folder / "tune" / "surface.png").read_bytes().startswith(b"\x89PNG")
    for name, tensor in bundle.network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_second_model_gets_its_share(folder, monkeypatch):
    """One that knows what was said, but not where: the list is sorted by it alone."""
    said = set(tune.gather(load_bundle(folder / "bundle"), None, 0, 1).texts)
    asked = []

    def score(texts):
        asked.extend(texts)
        return np.array([0.0 if text in said else -50.0 for text in texts])
    monkeypatch.setattr("asr.lm.lstm.LstmModel.load", lambda path: SimpleNamespace(score=score))
    (folder / "second.safetensors").write_bytes(b"a model")
    set_decoding(folder / "bundle", DecodeConfig(lm_weight=0.1, unknown_score=0), None, None, {})
    monkeypatch.setattr(tune, "_WIDTHS", [{"beam": 16}])
    alone = run(folder, trials=1)
    error = load_bundle(folder / "bundle").config.provenance["decoding tuned"]["wer"]
    both = run(folder, trials=1, lstm="second.safetensors")
    tuned = load_bundle(folder / "bundle").config.provenance["decoding tuned"]
    assert tuned["rescored with"] == "second.safetensors"
    assert tuned["wer"] < error
    assert both.rescore_weight > 0
    assert both.model_copy(update={"rescore_weight": alone.rescore_weight,
                                   "calibration": alone.calibration}) == alone
    assert load_bundle(folder / "bundle").lstm.read_bytes() == b"a model"
    assert len(asked) == len(set(asked)) > 0
    run(folder, lm=None, trials=2)  # a share that was chosen is no reason for another study
    assert len(optuna.get_all_study_names(f"sqlite:///{folder / 'tune' / 'study.db'}")) == 1


def test_the_sharpest_pruning_that_is_as_good_as_any_is_taken(folder, monkeypatch):
    usual = {"threshold": DecodeConfig().threshold, "min_posterior": DecodeConfig().min_posterior}
    assert tune._PRUNINGS[0] == usual
    assert usual.items() <= run(folder, trials=1).model_dump().items()
    sharp, wide = {"threshold": 0.01, "min_posterior": 0.9}, {"threshold": 12.0}
    monkeypatch.setattr(tune, "_PRUNINGS", [sharp, usual, wide])
    assert usual.items() <= run(folder, trials=1).model_dump().items()


def test_a_study_goes_on_where_it_was(folder, monkeypatch):
    monkeypatch.setattr(tune, "_refined", lambda material, config, error, *_: (config, error))
    run(folder)
    calls = []
    measure = Material.measure
    monkeypatch.setattr(Material, "measure",
                        lambda self, *a: calls.append(a) or measure(self, *a))
    run(folder, lm=None, trials=5)  # with the model that is in the bundle now
    assert load_bundle(folder / "bundle").config.provenance["decoding tuned"]["trials"] == 5
    assert len(calls) == 1 + 2 + len(tune._WIDTHS) + len(tune._PRUNINGS)


def test_an_interrupted_study_tries_what_it_would_have_tried(folder, tmp_path_factory):
    def tried(study):
        return [trial.params for trial in optuna.load_study(
            study_name=None, storage=f"sqlite:///{study}").trials]

    whole = tmp_path_factory.mktemp("whole")
    shutil.copytree(folder, whole, dirs_exist_ok=True)
    run(folder, trials=2)
    run(folder, lm=None, trials=5)
    run(whole, trials=5)
    assert tried(folder / "tune" / "study.db") == tried(whole / "tune" / "study.db")


def test_other_utterances_are_another_study(folder, monkeypatch):
    run(folder)
    material = tune.gather(load_bundle(folder / "bundle"), None, 0, 1)
    fewer = Material(material.ids[:6], material.texts[:6], material.log_posteriors[:6],
                     material.bundle, 1)
    monkeypatch.setattr(tune, "gather", lambda *_: fewer)
    run(folder, trials=2)
    assert load_bundle(folder / "bundle").config.provenance["decoding tuned"]["trials"] == 2


def test_a_model_that_only_hurts_gives_way_to_greedy_search(folder, capsys):
    write_lm(folder / "wrong.lm", ["DADDA", "DEED"])
    set_decoding(folder / "bundle", DecodeConfig(lm_weight=4, unknown_score=-20, word_bonus=-2),
                 None, None, {})
    best = run(folder, "wrong.lm", trials=1)
    assert best.search == "greedy"
    assert load_bundle(folder / "bundle").config.decoding == best
    assert "greedy search is better" in capsys.readouterr().err


def test_unknown_words_are_counted(folder, capsys):
    write_lm(folder / "few.lm", WORDS[:2])
    run(folder, "few.lm", trials=1)
    assert "will be missed or spelt" in capsys.readouterr().err


def test_what_is_missing_is_said(folder, monkeypatch):
    with pytest.raises(AsrError, match="name one with --lm"):
        run(folder, lm=None)
    (folder / "tune").mkdir()
    (folder / "tune" / "study.db").write_text("not a data base, but a text of some length" * 30)
    with pytest.raises(AsrError, match="not a study"):
        run(folder)
    (folder / "bundle" / "notes.txt").write_text("mine")
    with pytest.raises(AsrError, match=r"notes\.txt"):
        run(folder)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AsrError, match=r"pip install 'asr\[tune\]'"):
        run(folder)


def test_trials_of_one_study_differ_in_the_weights_alone(folder, monkeypatch):
    measured = []
    measure = Material.measure

    def watched(self, search):
        measured.append(search.config)
        return measure(self, search)
    monkeypatch.setattr(Material, "measure", watched)
    run(folder)
    first = measured[1:4]
    assert load_bundle(folder / "bundle").config.decoding.beam != first[0].beam
    measured.clear()
    run(folder, lm=None, trials=5)  # with the width that was chosen in the bundle
    fixed = {config.model_copy(update=dict.fromkeys(RANGES, 0.0)).model_dump_json()
             for config in [*first, *measured[1:3]]}
    assert len(fixed) == 1
    decoding = load_bundle(folder / "bundle").config.decoding
    set_decoding(folder / "bundle", decoding.model_copy(update={"open_vocabulary": False}),
                 (folder / "words.lm").read_bytes(), None, {})
    run(folder, trials=2)
    assert load_bundle(folder / "bundle").config.provenance["decoding tuned"]["trials"] == 2


class Bowl:
    """What measures as a known function of the weights, lowest in error at `best`."""

    def __init__(self, best):
        self.best, self.measured = best, []

    def measure(self, search):
        at = {name: getattr(search.config, name) for name in self.best}
        assert all(RANGES[name][0] <= value <= RANGES[name][1] for name, value in at.items())
        assert search.config.beam == 256
        self.measured.append(at)
        return 0.2 + sum(abs(at[name] - best) / 10 for name, best in self.best.items()), 0.0


WEIGHTS = SimpleNamespace(weights=("lm_weight", "word_bonus"),
                          search=lambda config: SimpleNamespace(config=config))


def test_weights_are_refined_at_the_width(capsys):
    bowl = Bowl({"lm_weight": 1.1, "word_bonus": -0.9, "prior_weight": 0.45})
    start = DecodeConfig(beam=256, lm_weight=0.8, word_bonus=-0.5, prior_weight=0.6,
                         label_priors=[1.0])
    error, _ = bowl.measure(WEIGHTS.search(start))
    bowl.measured.clear()
    refined, least = tune._refined(bowl, start, error, start, WEIGHTS, 30)
    assert len(bowl.measured) <= 30
    assert refined.beam == 256
    assert least < 0.2 + 0.2 * (error - 0.2)
    assert bowl.measure(WEIGHTS.search(refined))[0] == least
    assert capsys.readouterr().err.count("(best ") == len(bowl.measured) - 1


def test_a_weight_at_the_end_of_its_range_is_refined():
    """The step would leave the range there."""
    bowl = Bowl({"lm_weight": 0.8, "word_bonus": -1.6, "prior_weight": 0.3})
    start = DecodeConfig(beam=256, lm_weight=0.8, word_bonus=-2.0, prior_weight=0.0)
    error, _ = bowl.measure(WEIGHTS.search(start))
    refined, _ = tune._refined(bowl, start, error, start, WEIGHTS, 30)
    assert abs(refined.prior_weight - 0.3) < 0.1
    assert abs(refined.word_bonus + 1.6) < 0.2


def test_weights_that_are_best_already_stay():
    best = {"lm_weight": 0.0, "word_bonus": 6.0, "prior_weight": 1.0}  # at the ends of the ranges
    start = DecodeConfig(beam=256, label_priors=[1.0], **best)
    assert tune._refined(Bowl(best), start, 0.2, start, WEIGHTS, 12) == (start, 0.2)


def test_the_bundles_own_weights_are_the_start_where_they_are_better():
    """A beam of 16 and few trials had led from 0.92 to 0.40."""
    bowl = Bowl({"lm_weight": 0.9, "word_bonus": -0.3, "prior_weight": 0.0})
    own = DecodeConfig(beam=32, lm_weight=0.92, word_bonus=-0.27, prior_weight=0.02,
                       label_priors=[1.0])
    found = DecodeConfig(beam=256, lm_weight=0.4, word_bonus=-1.5, prior_weight=0.4,
                         label_priors=[1.0])
    error, _ = bowl.measure(WEIGHTS.search(found))
    bowl.measured.clear()
    refined, least = tune._refined(bowl, found, error, own, WEIGHTS, 4)
    assert bowl.measured[0] == {name: getattr(own, name) for name in bowl.best}
    assert refined.beam == 256
    assert least <= 0.2 + (0.02 + 0.03 + 0.02) / 10
    assert abs(refined.lm_weight - 0.92) < 0.2

import math
from types import SimpleNamespace

import numpy as np
import pytest
from dummies import unigrams

from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import decode_posteriors
from asr.decode.scorer import NO_SCORER
from asr.decode.settings import SearchRequest, prepare_search
from asr.errors import AsrError
from asr.lm.binary import save_lm
from asr.lm.ngram import SPECIAL, UNKNOWN
from asr.score.confidence import Calibration
from asr.text.bpe import BpeUnits
from asr.text.phones import PhoneUnits
from asr.text.units import CharacterUnits


def write_lm(path, *words):
    save_lm(path, unigrams(*words))
    return path


@pytest.fixture
def bundle(tmp_path):
    return SimpleNamespace(config=SimpleNamespace(decoding=DecodeConfig(beam=5, lm_weight=0.25),
                                                  normaliser="none"),
                           units=CharacterUnits.from_texts(["ABC"]),
                           lm=write_lm(tmp_path / "own.lm", "AB", "A", "CAB"), lstm=None)


def test_the_bundles_own_settings_and_model(bundle):
    search = prepare_search(bundle)
    assert search.config == bundle.config.decoding
    assert search.scorer.weight == 0.25
    assert search.scorer.end[-1] > -math.inf


def test_a_callers_wishes_come_first(bundle, tmp_path):
    other = write_lm(tmp_path / "other.lm", "B")
    search = prepare_search(bundle, SearchRequest(
        {"beam": 7, "lm_weight": 2.0, "open_vocabulary": False}, other))
    assert (search.config.beam, search.scorer.weight) == (7, 2.0)
    assert len(search.scorer.places) - 2 == 2  # B, and what comes before it
    assert search.scorer.end[-1] == -math.inf


def test_no_language_model(bundle):
    assert prepare_search(bundle, SearchRequest({}, without_lm=True)).scorer == NO_SCORER
    assert prepare_search(bundle, SearchRequest({"search": "greedy"})).scorer == NO_SCORER
    bundle.lm = None
    assert prepare_search(bundle).scorer == NO_SCORER


@pytest.mark.parametrize(("changes", "said"), [
    ({"lm_weight": -1.0}, "lm_weight"), ({"lm_weight": 11.0}, "lm_weight"),
    ({"word_bonus": math.nan}, "word_bonus"), ({"unknown_score": 1.0}, "unknown_score"),
    ({"beam": 1_000_001}, "beam"), ({"calibration": [41, 0]}, "calibration.0"),
    ({"calibration": [1, -101]}, "calibration.1"), ({"hotwords": {"A": 101}}, "hotwords.A"),
    ({"hotwords": {"A": -101}}, "hotwords.A"),
    ({"lm_wieght": 1.0}, "did you mean `lm_weight`")])
def test_settings_out_of_range(bundle, changes, said):
    with pytest.raises(AsrError, match=said):
        prepare_search(bundle, SearchRequest(changes))


@pytest.mark.parametrize("calibration", [(40, 100), (40, -100), (-40, 100), (-40, -100)])
def test_no_calibration_overflows(calibration):
    with np.errstate(over="raise"):
        confidences = Calibration(*DecodeConfig(calibration=calibration).calibration)(
            np.array([0.0, 1.0]))
    assert ((confidences >= 0) & (confidences <= 1)).all()


def test_priors_stay_where_no_model_takes_their_place(bundle):
    bundle.config.decoding = DecodeConfig(prior_weight=0.5, label_priors=[0.2] * 5)
    weights = [prepare_search(bundle, SearchRequest(more, without_lm=without)).config.prior_weight
               for more, without in (({}, False), ({}, True), ({"hotwords": {"A": 1.0}}, True))]
    assert weights == [0.5, 0, 0]


def test_priors_of_other_units(bundle):
    with pytest.raises(AsrError, match=r"2 label_priors for 5 units"):
        prepare_search(bundle, SearchRequest({"label_priors": [0.5, 0.5]}))


def test_greedy_search_takes_no_model(bundle, tmp_path):
    with pytest.raises(AsrError, match="greedy search cannot use a language model"):
        prepare_search(bundle, SearchRequest({"search": "greedy"}, tmp_path / "own.lm"))


@pytest.mark.parametrize("changes", [{"hotwords": {"A": 1.0}}, {"hotwords": {}}, {"beam": 8},
                                     {"lm_weight": 0}, {"open_vocabulary": False}])
def test_settings_that_greedy_search_does_not_look_at(bundle, changes):
    with pytest.raises(AsrError, match=f"greedy search has no use for {next(iter(changes))}; "):
        prepare_search(bundle, SearchRequest({"search": "greedy"} | changes))
    prepare_search(bundle, SearchRequest({"search": "greedy", "rescore_weight": 0, "nbest": 1}))


@pytest.mark.parametrize("changes", [
    {"lm_weight": 0}, {"open_vocabulary": False}, {"open_vocabulary": True}, {"prior_weight": 0},
    {"label_priors": []}, {"rescore_weight": 0.1}])
def test_settings_of_a_language_model_that_is_not_there(bundle, changes):
    bundle.config.decoding = DecodeConfig(open_vocabulary=False, lm_weight=0)
    refused = f"without language model has no use for {next(iter(changes))}"
    for more in ({}, {"hotwords": {"A": 1.0}}):
        with pytest.raises(AsrError, match=refused):
            prepare_search(bundle, SearchRequest(changes | more, without_lm=True))
    prepare_search(bundle, SearchRequest({"rescore_weight": 0}, without_lm=True))


def test_weights_of_zero_with_a_language_model(bundle):
    prepare_search(bundle, SearchRequest({"lm_weight": 0, "word_bonus": 0, "prior_weight": 0}))


@pytest.mark.parametrize("name", ["open_vocabulary", "unknown_score"])
def test_unknown_words_where_there_can_be_none(bundle, tmp_path, name):
    for value in (0, 1) if name == "open_vocabulary" else (0, -1):
        request = SearchRequest({name: value}, write_lm(tmp_path / "c.lm", "|", "A", "B"))
        with pytest.raises(AsrError, match=f"a model of characters, has no use for {name}"):
            prepare_search(bundle, request)
    bundle.config.decoding = DecodeConfig(open_vocabulary=False)
    with pytest.raises(AsrError, match="a closed vocabulary has no use for unknown_score"):
        prepare_search(bundle, SearchRequest({"unknown_score": -1}))
    bundle.units = PhoneUnits([("AB", "a b")])
    with pytest.raises(AsrError, match=f"words of a lexicon.* has no use for {name}"):
        prepare_search(bundle, SearchRequest({name: 0}))


def test_weights_without_a_language_model(bundle):
    with pytest.raises(AsrError, match="without language model has no use for lm_weight, word_b"):
        prepare_search(bundle, SearchRequest({"word_bonus": 1.0, "lm_weight": 2.0},
                                             without_lm=True))


def test_a_calibration_is_for_the_search_it_was_fitted_to(bundle, tmp_path):
    fitted = (0.5, -1.0)
    bundle.config.decoding = DecodeConfig(beam=5, calibration=fitted)
    other = write_lm(tmp_path / "other.lm", "B")

    def calibration(changes, *models, **more):
        return prepare_search(bundle, SearchRequest(changes, *models, **more)).config.calibration
    assert calibration({"beam": 7}) == calibration({}, bundle.lm) == fitted
    assert calibration({"search": "greedy"}) == (1, 0)
    assert calibration({}, other) == calibration({}, without_lm=True) == (1, 0)
    assert calibration({"calibration": (2, 0)}, other) == (2, 0)
    bundle.config.decoding = DecodeConfig(search="greedy", calibration=fitted)
    assert calibration({}) == calibration({}, without_lm=True) == fitted
    assert calibration({"search": "beam"}) == (1, 0)


def test_a_second_model_needs_a_first(bundle, tmp_path):
    with pytest.raises(AsrError, match="greedy search cannot use a language model"):
        prepare_search(bundle, SearchRequest({"search": "greedy"}, lstm=tmp_path / "x.safetensors"))
    bundle.lm = None
    with pytest.raises(AsrError, match="rescores what n-grams have found; name theirs with --lm"):
        prepare_search(bundle, SearchRequest({}, lstm=tmp_path / "x.safetensors"))
    bundle.lstm = tmp_path / "x.safetensors"  # the bundle's own waits for n-grams
    assert prepare_search(bundle).rescore is None


@pytest.mark.parametrize("characters", [False, True])
def test_the_second_model_is_held_against_the_first(bundle, tmp_path, monkeypatch, characters):
    monkeypatch.setattr("asr.lm.lstm.LstmModel.load", lambda path: SimpleNamespace(
        score=lambda texts: -1.0 * np.array([len(text) for text in texts])))
    lm = write_lm(tmp_path / "c.lm", "|", "A", "B") if characters else None
    search = prepare_search(bundle, SearchRequest({}, lm, lstm=tmp_path / "x.safetensors"))
    assert prepare_search(bundle, SearchRequest({"rescore_weight": 0}, lm)).rescore is None
    # Each word (or character) and the end has -2 in the first model.
    assert search.rescore(["A AB", ""]).tolist() == ([-4 + 10, 2] if characters else [-4 + 6, 2])


def test_a_second_model_that_is_named_must_be_there_whatever_its_weight(bundle, tmp_path):
    with pytest.raises(AsrError, match=r"nope\.safetensors: no such file"):
        prepare_search(bundle, SearchRequest({"rescore_weight": 0},
                                             lstm=tmp_path / "nope.safetensors"))


def test_words_in_another_case_are_noticed(bundle, tmp_path, capsys):
    with pytest.raises(AsrError, match=r"none of its 2 words \(ab, …\) is made of the model's"):
        prepare_search(bundle, SearchRequest({}, write_lm(tmp_path / "x.lm", "ab", "cab")))
    prepare_search(bundle, SearchRequest({}, write_lm(tmp_path / "y.lm", "ab", "CAB")))
    assert "only 1 of its 2 words are made of the model's units" in capsys.readouterr().err


def test_words_that_a_lexicon_lacks_are_noticed(bundle, tmp_path, capsys):
    bundle.units = PhoneUnits([("AB", "a b")])
    with pytest.raises(AsrError, match=r"none of its 1 words \(CAB, …\) is in the model's lexicon; "
                                       r".*\(asr lm text\), or .*\(asr lexicon make\)"):
        prepare_search(bundle, SearchRequest({}, write_lm(tmp_path / "x.lm", "CAB")))
    prepare_search(bundle, SearchRequest({}, write_lm(tmp_path / "y.lm", "AB", "CAB")))
    warning = capsys.readouterr().err
    assert "only 1 of its 2 words are in the model's lexicon" in warning
    assert "(asr lexicon make)" in warning


def best_text(search, log_posteriors, units):
    return next(decode_posteriors(["u"], [log_posteriors], units, 0.03, search)).text


@pytest.mark.parametrize(("without_lm", "word"), [
    (True, "CAB"), (True, "BCB"), (False, "BCB")])  # the model has CAB and not BCB
def test_a_hotword_is_heard_where_it_may_be_meant(bundle, without_lm, word):
    posteriors = np.full((7, len(bundle.units)), 0.01)
    for t, letter in enumerate("A" + word):
        posteriors[2 * t, bundle.units.encode(letter)] = 0.3
        posteriors[2 * t, bundle.units.encode("A")] += 0.5
        posteriors[2 * t - 1, 0] = 0.9
    posteriors[1, bundle.units.encode(" ")] = 0.9
    posteriors[0, bundle.units.encode("A")] = 0.9
    log_posteriors = np.log(posteriors / posteriors.sum(1, keepdims=True)).astype(np.float32)
    plain, boosted = (best_text(prepare_search(bundle, SearchRequest(
        {"beam": 50, "hotwords": hotwords}, without_lm=without_lm)), log_posteriors, bundle.units)
        for hotwords in ({}, {word: 20.0}))
    assert plain != f"A {word}"
    assert boosted == f"A {word}"


def test_a_hotword_adds_its_boost_and_no_more(bundle):
    labels = "A|CAB|CAB"
    log_posteriors = np.full((2 * len(labels), len(bundle.units)), -30.0, np.float32)
    log_posteriors[1::2, 0] = 0
    for t, symbol in enumerate(labels):
        log_posteriors[2 * t, bundle.units.symbols.index(symbol)] = 0
    scores = [next(decode_posteriors(["u"], [log_posteriors], bundle.units, 0.03, prepare_search(
        bundle, SearchRequest({"hotwords": hotwords})))).score for hotwords in ({}, {"CAB": 3.25})]
    assert scores[1] - scores[0] == pytest.approx(2 * 3.25)


def test_a_hotword_that_cannot_be_spelt(bundle):
    with pytest.raises(AsrError, match="hotword `XYZ`: not made of the model's units"):
        prepare_search(bundle, SearchRequest({"hotwords": {"XYZ": 1.0}}))


@pytest.mark.parametrize(("hotword", "words"), [("e-mail", "e mail"), ("A B", "a b"), ("-", "")])
def test_a_hotword_that_is_not_one_word(bundle, hotword, words):
    bundle.config.normaliser = "librispeech"
    bundle.units = PhoneUnits([("e", "a b"), ("mail", "b")])
    with pytest.raises(AsrError, match=rf"hotword `{hotword}`: not one word .*\(`{words}`\); "):
        prepare_search(bundle, SearchRequest({"hotwords": {hotword: 1.0}}))


def test_a_hotword_that_a_lexicon_lacks(bundle):
    bundle.units = PhoneUnits([("AB", "a b")])
    with pytest.raises(AsrError, match="lexicon has no such word; add a line"):
        prepare_search(bundle, SearchRequest({"hotwords": {"CAB": 1.0}}))


def test_settings_of_what_is_not_there_are_refused(bundle):
    with pytest.raises(AsrError, match="without LSTM model has no use for rescore_weight"):
        prepare_search(bundle, SearchRequest({"rescore_weight": 0.2}))
    prepare_search(bundle, SearchRequest({"rescore_weight": 0}))
    bundle.units = PhoneUnits([("AB", "a b")])
    with pytest.raises(AsrError, match=r"words of a lexicon.* has no use for unknown_score"):
        prepare_search(bundle, SearchRequest({"unknown_score": -20.0}))


def test_a_model_of_characters_is_told_by_its_words(bundle, tmp_path):
    lm = write_lm(tmp_path / "characters.lm", "|", "A", "B")
    search = prepare_search(bundle, SearchRequest({"word_bonus": 0.75}, lm))
    assert search.scorer.word.tolist() == [UNKNOWN, *bundle_words(bundle, "|", "A", "B")]
    assert search.scorer.bonus == 0.75
    with pytest.raises(AsrError, match="no hotwords"):
        prepare_search(bundle, SearchRequest({"hotwords": {"A": 1.0}}, lm))
    bundle.units = BpeUnits.from_texts(["AB ABBA"], 20)
    with pytest.raises(AsrError, match="the network's units are others"):
        prepare_search(bundle, SearchRequest({}, lm))


def bundle_words(bundle, *words):
    """The number of each unit but the blank in a model of these words."""
    names = [*SPECIAL, *words]
    return [names.index(symbol) if symbol in names else UNKNOWN
            for symbol in bundle.units.symbols[1:]]


def test_phones_spell_no_other_words_than_the_lexicons(bundle):
    """`A-B` would be most probable, were it a word."""
    bundle.units = PhoneUnits([("AB", "a b"), ("CAB", "c a b"), ("A", "a a")])
    search = prepare_search(bundle)
    assert search.config.open_vocabulary and search.scorer.end[-1] == -math.inf
    spelt = [bundle.units.symbols.index(symbol) for symbol in ("▁c", "b")]
    posteriors = np.full((2, len(bundle.units)), 0.02, np.float32)
    posteriors[[0, 1], spelt] = 1 - 0.02 * (len(bundle.units) - 1)
    assert best_text(search, np.log(posteriors), bundle.units) in ("AB", "A", "CAB")


def test_phones_need_no_model_to_be_words(bundle):
    """Every word of the lexicon is as probable; of those that sound alike the first is read."""
    bundle.units = PhoneUnits([("B", "b"), ("BE", "b"), ("CAB", "c a b")])
    index = bundle.units.symbols.index
    posteriors = np.full((5, len(bundle.units)), 0.01, np.float32)
    for t, symbol in enumerate(("▁b", "▁c", "a", "<blank>", "a")):  # `CAA` is no word
        posteriors[t, index(symbol)] = 0.8
    posteriors[4, index("b")] = 0.3
    log_posteriors = np.log(posteriors / posteriors.sum(1, keepdims=True))

    def found(hotwords):
        search = prepare_search(bundle, SearchRequest({"hotwords": hotwords}, without_lm=True))
        return best_text(search, log_posteriors, bundle.units)
    assert found({}) == "B CAB"
    assert found({"BE": 1.0}) == "BE CAB"

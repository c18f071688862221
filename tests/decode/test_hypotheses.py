import math

import numpy as np
import pytest
from ctc_reference import peaky_posteriors, random_posteriors
from dummies import unigrams
from hypothesis import given
from hypothesis import strategies as st

from asr.config import parse_config
from asr.decode.alignment import AFTER, BEFORE
from asr.decode.beam import BeamSearch
from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import Search, decode_posteriors, without_priors
from asr.decode.scorer import NO_SCORER
from asr.decode.word_lm import spell, word_scorer
from asr.errors import AsrError
from asr.text.units import CharacterUnits

UNITS = CharacterUnits(["<blank>", "|", "a", "b"])
GREEDY, BEAM = DecodeConfig(search="greedy"), DecodeConfig()


def rows(text, sure=0.97):
    """A frame for each character: `_` is the blank."""
    posteriors = np.full((len(text), 4), (1 - sure) / 3)
    posteriors[np.arange(len(text)), ["_|ab".index(c) for c in text]] = sure
    return np.log(posteriors).astype(np.float32)


def decode(log_posteriors, config=BEAM, shift=0.5, scorer=NO_SCORER):
    return next(decode_posteriors(["u"], [log_posteriors], UNITS, shift, Search(config, scorer), 1))


def closed_vocabulary(*words):
    """A scorer by which all of these words are as likely, and no other is a word."""
    model = unigrams(*words, log_prob=-1.0)
    lexicon = spell(model.words, UNITS)
    return word_scorer(model, lexicon, UNITS.parts, 1.0, 0.5, -math.inf)


@pytest.mark.parametrize("config", [GREEDY, BEAM])
def test_words_and_times(config):
    hypothesis = decode(rows("_aa_b_||_b|"), config)
    assert hypothesis.id == "u"
    assert hypothesis.text == "ab b"
    assert [(word.text, word.start, word.end) for word in hypothesis.words] == [
        ("ab", 0.5 - BEFORE, 2.5 + AFTER), ("b", 4.5 - BEFORE, 5.0 + AFTER)]
    assert [word.confidence for word in hypothesis.words] == pytest.approx([0.97, 0.97])
    assert hypothesis.nbest == []


@pytest.mark.parametrize("config", [GREEDY, BEAM])
def test_confidence_is_of_the_weakest_unit_at_its_best_frame(config):
    log_posteriors = rows("aabb|b")
    log_posteriors[0] = np.log([0.3, 0.1, 0.5, 0.1])  # the other frame of this a is surer
    log_posteriors[2] = np.log([0.1, 0.1, 0.2, 0.6])
    log_posteriors[3] = np.log([0.1, 0.1, 0.1, 0.7])
    hypothesis = decode(log_posteriors, config)
    assert [word.confidence for word in hypothesis.words] == pytest.approx([0.7, 0.97])
    assert hypothesis.confidence == pytest.approx((0.7 + 0.97) / 2)


def test_scores():
    log_posteriors = np.log(np.array([[0.4, 0, 0.6, 0], [0.4, 0, 0.6, 0]]) + 1e-12
                            ).astype(np.float32)
    assert decode(log_posteriors, GREEDY).score == pytest.approx(math.log(0.36))
    assert decode(log_posteriors, BEAM).score == pytest.approx(math.log(0.84))


@pytest.mark.parametrize("config", [GREEDY, DecodeConfig(nbest=3)])
@pytest.mark.parametrize("text", ["", "____", "|", "_||_|"])
def test_nothing_said_nothing_written(text, config):
    hypothesis = decode(rows(text), config)
    assert hypothesis.text == ""
    assert hypothesis.words == []
    assert hypothesis.confidence is None


def test_nbest_lists_different_texts_in_order():
    log_posteriors = random_posteriors(3, 12, 4, spread=1.0)
    hypothesis = decode(log_posteriors, DecodeConfig(beam=200, nbest=20))
    texts = [alternative.text for alternative in hypothesis.nbest]
    scores = [alternative.score for alternative in hypothesis.nbest]
    assert len(texts) == len(set(texts)) == 20
    assert scores == sorted(scores, reverse=True)
    assert (texts[0], scores[0]) == (hypothesis.text, hypothesis.score)


def test_nbest_may_be_shorter():
    assert len(decode(rows("a", sure=1 - 1e-9), DecodeConfig(nbest=5)).nbest) == 1


@given(st.integers(0, 10**6), st.integers(0, 80), st.booleans(),
       st.sampled_from([0.01, 0.02, 0.03, 0.04, 1 / 3]))
def test_times_run_on_within_the_audio(seed, frames, greedy, shift):
    hypothesis = decode(random_posteriors(seed, frames, 4), GREEDY if greedy else BEAM, shift)
    assert " ".join(word.text for word in hypothesis.words) == hypothesis.text
    times = [time for word in hypothesis.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(word.start < word.end for word in hypothesis.words)
    assert all(0 <= time <= frames * shift + 1e-6 for time in times)
    assert all(0 < word.confidence <= 1 for word in hypothesis.words)


def test_threads_change_nothing_and_order_is_kept():
    ids = [f"u{i}" for i in range(40)]
    log_posteriors = [random_posteriors(i, 10 + 7 * (i * 13 % 17), 4) for i in range(40)]
    results = [list(decode_posteriors(ids, log_posteriors, UNITS, 0.02,
                                      Search(DecodeConfig(nbest=4)), threads))
               for threads in (1, 2, 5)]
    assert [hypothesis.id for hypothesis in results[0]] == ids
    assert results[0] == results[1] == results[2]


def test_few_utterances_are_in_flight():
    taken = []

    def source():
        for i in range(1_000):
            taken.append(i)
            yield rows("ab")
    decoded = decode_posteriors([str(i) for i in range(1_000)], source(), UNITS, 0.02,
                                Search(BEAM), 2)
    assert next(decoded).text == "ab"
    assert len(taken) < 20


def test_long_utterance():
    labels = np.random.default_rng(0).integers(1, 4, 1_500).tolist()
    hypothesis = decode(peaky_posteriors(labels, 5_000, 4))
    assert hypothesis.text == UNITS.decode(labels)


@pytest.mark.parametrize(("log_posteriors", "message"), [
    (np.log(np.array([[0.25] * 4, [np.nan] * 4], np.float32)), r"utterance u: frame 1 .*nan"),
    (np.zeros((3, 4), np.float32), r"utterance u: frame 0 .*sum is 4, not 1"),
    (np.full((3, 4), 1e9, np.float32), r"utterance u: frame 0 .*sum is inf"),
    (np.full((3, 4), -np.inf, np.float32), r"utterance u: frame 0 .*sum is 0"),
    (random_posteriors(0, 3, 5), r"utterance u: .*\(3, 5\) do not fit 4 units"),
    (np.zeros(4, np.float32), r"utterance u: .*\(4,\) do not fit"),
])
@pytest.mark.parametrize("config", [GREEDY, BEAM])
def test_what_are_no_posteriors_is_named(log_posteriors, message, config):
    with pytest.raises(AsrError, match=message):
        decode(log_posteriors, config)


def test_other_layouts_of_the_array_give_the_same():
    log_posteriors = random_posteriors(1, 30, 4)
    assert decode(np.asfortranarray(log_posteriors.astype(np.float64))) == decode(log_posteriors)


@pytest.mark.parametrize(("values", "message"), [
    ({"nbest": 17}, "nbest"),
    ({"search": "greedy", "nbest": 2}, "nbest"),
    ({"beam": 0}, "beam"),
    ({"threshold": 0}, "threshold"),
    ({"min_posterior": 1.0}, "min_posterior"),
    ({"search": "viterbi"}, "search"),
    ({"beem": 3}, "beem.*did you mean `beam`"),
])
def test_configuration_out_of_range(values, message):
    with pytest.raises(AsrError, match=message):
        parse_config(DecodeConfig, values, "conf.yaml")


def test_alternatives_say_what_the_language_model_made_of_them():
    hypothesis = decode(rows("a_b|_a", sure=0.8), DecodeConfig(nbest=3),
                        scorer=closed_vocabulary("a", "b", "ab"))
    assert hypothesis.text == "ab a"
    best = hypothesis.nbest[0]
    assert (best.text, best.score) == (hypothesis.text, hypothesis.score)
    assert best.lm == pytest.approx(2 * (-1 + 0.5) - 1)  # two words and the end
    assert {a.text for a in hypothesis.nbest} <= {"ab a", "ab", "a b a", "ab b", "b a", "a a", "a"}


def test_a_word_that_is_not_over_is_left_out():
    """In a beam of one prefix, which no word list allows to end here."""
    hypothesis = decode(rows("ba|_a_|b_b", sure=0.99), DecodeConfig(beam=1),
                        scorer=closed_vocabulary("a", "ba", "bba"))
    assert hypothesis.text == "ba a"
    assert [word.text for word in hypothesis.words] == ["ba", "a"]
    assert hypothesis.score is None


def test_nothing_where_no_word_is_allowed():
    with np.errstate(divide="ignore"):
        certain = np.log(np.eye(4, dtype=np.float32)[[3, 3]])
    assert decode(certain, scorer=closed_vocabulary("a")).text == ""


def test_priors_are_divided_out():
    """By hand: 0.6 · 0.5^-0.5 and so on, normalised."""
    posteriors = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    priors = [0.5, 0.4, 0.1]
    ratio = posteriors / np.sqrt(priors)
    expected = ratio / ratio.sum(axis=1, keepdims=True)
    log_posteriors = np.log(posteriors).astype(np.float32)
    assert np.exp(without_priors(log_posteriors, priors, 0.5)) == pytest.approx(expected, abs=1e-6)
    assert without_priors(log_posteriors, [], 0.0) is log_posteriors


def test_a_rare_unit_gains_by_the_priors():
    posteriors = np.log(np.array([[0.1, 0.1, 0.45, 0.35]], np.float32))
    rare = DecodeConfig(prior_weight=1.0, label_priors=[0.1, 0.1, 0.6, 0.2])
    plain, fairer = (decode(posteriors, config) for config in (BEAM, rare))
    assert (plain.text, fairer.text) == ("a", "b")
    assert fairer.words[0].confidence == pytest.approx(0.35)  # what the network said


def test_priors_that_nobody_measured():
    with pytest.raises(AsrError, match="prior_weight needs label_priors"):
        parse_config(DecodeConfig, {"prior_weight": 0.5}, "decoding")


def test_confidences_are_calibrated():
    config = DecodeConfig(calibration=(0.5, -1.0))
    plain, calibrated = (decode(rows("a|b", 0.8), c) for c in (BEAM, config))
    odds = [word.confidence / (1 - word.confidence) for word in plain.words]
    assert [word.confidence for word in calibrated.words] == pytest.approx(
        [1 / (1 + math.exp(1) / math.sqrt(o)) for o in odds])
    assert calibrated.confidence == pytest.approx(
        np.mean([word.confidence for word in calibrated.words]))


def rescored(share, gains, **settings):
    log_posteriors = rows("a", 0.5)  # then a blank, | and b, all as likely
    config = DecodeConfig(lm_weight=2.0, rescore_weight=share, **settings)
    search = Search(config, rescore=lambda texts: np.array([gains[text] for text in texts]))
    return next(decode_posteriors(["u"], [log_posteriors], UNITS, 0.5, search, 1))


def test_a_second_model_sorts_the_beam_again():
    gains = {"a": -1.0, "b": 0.5, "": 0.0}
    kept, turned = (rescored(share, gains, nbest=3) for share in (0.1, 0.9))
    assert [each.text for each in kept.nbest] == ["a", "b", ""]
    assert [each.text for each in turned.nbest] == ["b", "", "a"]
    assert (turned.text, [word.text for word in turned.words]) == ("b", ["b"])
    assert turned.score == turned.nbest[0].score == pytest.approx(
        math.log(1 / 6) + 2.0 * 0.9 * 0.5)
    assert [each.lm for each in turned.nbest] == pytest.approx([0.9, 0.0, -1.8])
    assert rescored(0.9, gains).text == "b"
    assert rescored(0.9, gains).nbest == []


@pytest.mark.parametrize(("nbest", "rescore", "most"), [
    (1, None, 1), (3, None, 16), (1, lambda texts: np.zeros(len(texts)), 16)])
def test_no_more_is_read_off_the_beam_than_is_asked_for(nbest, rescore, most, monkeypatch):
    taken = []
    labellings = BeamSearch.labellings

    def counted(search):
        for labelling in labellings(search):
            taken.append(labelling)
            yield labelling
    monkeypatch.setattr(BeamSearch, "labellings", counted)
    search = Search(DecodeConfig(nbest=nbest), rescore=rescore)
    found = next(decode_posteriors(["u"], [random_posteriors(3, 30, 4)], UNITS, 0.02, search, 1))
    assert found.text
    assert nbest <= len(taken) <= most
    assert len(taken) == 16 or not rescore

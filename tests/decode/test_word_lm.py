"""Word n-grams in the search against the sum over all paths and scores worked out word by word."""

import math

import numpy as np
import pytest
from ctc_reference import all_labellings, posteriors, random_posteriors
from hypothesis import given
from hypothesis import strategies as st

from asr.decode.beam import beam_search
from asr.decode.lexicon import Lexicon
from asr.decode.word_lm import spell, word_scorer
from asr.lm.kneser_ney import count_ngrams, estimate
from asr.lm.ngram import END, NONE, SPECIAL, START, NgramModel

SYMBOLS = ["<blank>", "|", "A", "B"]
BOUNDARY = 1
WORDS = ["A", "AB", "BA", "BBA", "É"]


def toy_model(seed: int, order: int) -> NgramModel:
    """Of random sentences; É can't be spelt in the units."""
    rng = np.random.default_rng(seed)
    sentences = [[START, *rng.integers(len(SPECIAL), len(SPECIAL) + len(WORDS),
                                       rng.integers(0, 5)), END] for _ in range(12)]
    tokens = np.concatenate(sentences).astype(np.int32)
    size = len(SPECIAL) + len(WORDS)
    counts = count_ngrams(tokens, size, order)
    return NgramModel([*SPECIAL, *WORDS], estimate(counts, [0] * order).levels())


def score_text(model: NgramModel, labels, weight, bonus, unknown):
    """By the model's own score of a sentence, which other tests hold against other programs."""
    words = "".join(" " if u == BOUNDARY else SYMBOLS[u] for u in labels).split()
    known = [word in WORDS for word in words]
    return (weight * model.score(words).sum() + bonus * len(words)
            + (unknown * known.count(False) if not all(known) else 0.0))


settings = st.fixed_dictionaries({
    "weight": st.sampled_from([0.0, 0.5, 2.0]), "bonus": st.sampled_from([-1.5, 0.0, 2.0]),
    "unknown": st.sampled_from([-math.inf, -4.0, 0.0])})


def searched(log_posteriors, model, width, threshold=math.inf, **options):
    lexicon = spell(model.words, SYMBOLS, BOUNDARY)
    scorer = word_scorer(model, lexicon, len(SYMBOLS), BOUNDARY, **options)
    return list(beam_search(log_posteriors, width, threshold, scorer=scorer))


@given(posteriors(symbols=len(SYMBOLS)), st.integers(0, 50), st.integers(1, 3), settings)
def test_full_width_equals_the_sum_over_all_paths_and_the_words(log_posteriors, seed, order,
                                                               options):
    model = toy_model(seed, order)
    found = {tuple(each.labels.tolist()): (each.acoustic, each.added)
             for each in searched(log_posteriors, model, 5_000, **options)
             if each.score > -math.inf}
    expected = {}
    for labels, acoustic in all_labellings(log_posteriors).items():
        added = score_text(model, labels, **options)
        if added > -math.inf:
            expected[labels] = (pytest.approx(acoustic, abs=1e-6), pytest.approx(added, abs=1e-4))
    assert found == expected


@given(st.integers(0, 10**6), st.integers(1, 3), settings)
def test_what_the_ceilings_leave_out_would_not_have_stayed(seed, order, options):
    """A narrow beam is the plain search that asks the scorer about everything."""
    model = toy_model(seed, order)
    log_posteriors = random_posteriors(seed, 20, len(SYMBOLS))
    lexicon = spell(model.words, SYMBOLS, BOUNDARY)
    scorer = word_scorer(model, lexicon, len(SYMBOLS), BOUNDARY, **options)
    lax = scorer._replace(ceilings=np.full(len(SYMBOLS), 1e6))
    for width in (1, 4):
        tight, loose = (list(beam_search(log_posteriors, width, 12.0, scorer=s))
                        for s in (scorer, lax))
        assert [(a.labels.tolist(), a.score) for a in tight] \
            == [(a.labels.tolist(), a.score) for a in loose]


def test_a_lexicon_is_its_words_in_a_tree():
    lexicon = Lexicon.build([[2], [3, 2], [2, 3], [3, 3, 2]], [10, 11, 12, 13])
    assert lexicon.parent.tolist() == [0, 0, 0, 1, 2, 2, 5]
    assert lexicon.unit.tolist() == [0, 2, 3, 3, 2, 3, 2]
    assert lexicon.word.tolist() == [NONE, 10, NONE, 12, 11, NONE, 13]
    assert lexicon.first_child.tolist() == [1, 3, 4, 6, 6, 6, 7, 7]
    values = np.zeros(14)
    values[10:] = [-4, -3, -2, -1]
    assert lexicon.spread(values).tolist() == [-1, -2, -1, -2, -3, -1, -1]


def test_words_that_cannot_be_spelt_are_no_words():
    model = toy_model(0, 2)
    lexicon = spell(model.words, SYMBOLS, BOUNDARY)
    assert sorted(model.words[i] for i in lexicon.word if i != NONE) == sorted(WORDS[:4])


@given(posteriors(symbols=len(SYMBOLS)), st.integers(0, 50), settings,
       st.sampled_from([-3.0, 1.5, 30.0]))
def test_boosted_words_with_and_without_a_place_in_the_model(log_posteriors, seed, options, boost):
    """BB is not the model's: its lexicon number is past the model's last."""
    model = toy_model(seed, 2)
    lexicon = spell([*model.words, "BB"], SYMBOLS, BOUNDARY)
    boosts = [{"AB": boost, "BB": boost}.get(word, 0.0) for word in [*model.words, "BB"]]
    scorer = word_scorer(model, lexicon, len(SYMBOLS), BOUNDARY, **options, boosts=boosts)
    unboosted = dict(options, unknown=0.0)
    expected = {}
    for labels, acoustic in all_labellings(log_posteriors).items():
        words = "".join(" " if u == BOUNDARY else SYMBOLS[u] for u in labels).split()
        unknown = sum(word not in WORDS and word != "BB" for word in words)
        added = score_text(model, labels, **unboosted) \
            + boost * sum(word in ("AB", "BB") for word in words) \
            + (unknown * options["unknown"] if unknown else 0.0)
        if added > -math.inf:
            expected[labels] = pytest.approx(acoustic + added, abs=1e-4)
    found = {tuple(each.labels.tolist()): each.score
             for each in beam_search(log_posteriors, 5_000, scorer=scorer)
             if each.score > -math.inf}
    assert found == expected

"""Word n-grams in the search against the sum over all paths and scores worked out word by word."""

import itertools
import math

import numpy as np
import pytest
from ctc_reference import all_labellings, posteriors, random_posteriors
from hypothesis import given
from hypothesis import strategies as st

from asr.decode.beam import beam_search
from asr.decode.hypotheses import word_edges
from asr.decode.lexicon import Lexicon
from asr.decode.word_lm import spell, word_scorer
from asr.lm.kneser_ney import count_ngrams, estimate
from asr.lm.ngram import END, SPECIAL, START, NgramModel
from asr.text.phones import PhoneUnits
from asr.text.units import BEGINNING, BETWEEN, INSIDE, CharacterUnits, Spellings

CHARACTERS = CharacterUnits(["<blank>", "|", "A", "B"])
WORDS = ["A", "AB", "BA", "BBA", "É"]  # É can't be spelt in the units


class Pieces(CharacterUnits):
    """Two units that begin words, one that goes on with them; what BA is spelt with."""

    def __init__(self):
        super().__init__(["<blank>", "A", "B", "|"])
        self.parts = np.array([INSIDE, BEGINNING, BEGINNING, INSIDE])

    def spellings(self, word):
        return {"A": [[1]], "AB": [[1, 3]], "BA": [[2]], "BBA": [[2, 3, 3]]}.get(word, [])

    def spell(self, words):
        return Spellings.of(words, self.spellings)


PHONES = PhoneUnits([("A", "a"), ("AB", "b a"), ("BA", "a"), ("BA", "a b"), ("BBA", "b a")])
KINDS = [CHARACTERS, Pieces(), PHONES]


def toy_model(seed: int, order: int) -> NgramModel:
    """Of random sentences."""
    rng = np.random.default_rng(seed)
    sentences = [[START, *rng.integers(len(SPECIAL), len(SPECIAL) + len(WORDS),
                                       rng.integers(0, 5)), END] for _ in range(12)]
    tokens = np.concatenate(sentences).astype(np.int32)
    size = len(SPECIAL) + len(WORDS)
    counts = count_ngrams(tokens, size, order)
    return NgramModel([*SPECIAL, *WORDS], estimate(counts, [0] * order).levels())


def readings(labels, units, words):
    """Every sequence of words that may be meant; a word that is none of `words` is None."""
    spellings = [[]]
    for unit in labels:
        if units.parts[unit] != INSIDE:
            spellings.append([])
        if units.parts[unit] != BETWEEN:
            spellings[-1].append(unit)
    return itertools.product(*(
        [word for word in words if spelling in map(list, units.spellings(word))] or [None]
        for spelling in spellings if spelling))


def score_words(model: NgramModel, words, weight, bonus, unknown):
    """By the model's own score of a sentence, which other tests hold against other programs."""
    return (weight * model.score([word or "?" for word in words]).sum() + bonus * len(words)
            + (unknown * words.count(None) if None in words else 0.0))


settings = st.fixed_dictionaries({
    "weight": st.sampled_from([0.0, 0.5, 2.0]), "bonus": st.sampled_from([-1.5, 0.0, 2.0]),
    "unknown": st.sampled_from([-math.inf, -4.0, 0.0])})


@pytest.mark.parametrize("units", KINDS)
@given(posteriors(symbols=4), st.integers(0, 50), st.integers(1, 3), settings)
def test_full_width_equals_the_sum_over_all_paths_and_the_words(units, log_posteriors, seed, order,
                                                               options):
    model = toy_model(seed, order)
    lexicon = spell(model.words, units)
    scorer = word_scorer(model, lexicon, units.parts, **options)
    expected = {}
    for labels, acoustic in all_labellings(log_posteriors).items():
        for words in readings(labels, units, WORDS):
            added = score_words(model, words, **options)
            if added > -math.inf:
                expected[labels, words] = (pytest.approx(acoustic, abs=1e-6),
                                           pytest.approx(added, abs=1e-4))
    found = {}
    for each in beam_search(log_posteriors, 5_000, scorer=scorer):
        if each.score > -math.inf:
            words = []
            for first, end in word_edges(each.labels, units):
                numbers = lexicon.find(each.labels[first:end])
                words.append(model.words[numbers[each.readings[end]]] if len(numbers) else None)
            key = (tuple(each.labels.tolist()), tuple(words))
            assert key not in found
            found[key] = (each.acoustic, each.added)
    assert found == expected


@pytest.mark.parametrize("units", KINDS)
@given(st.integers(0, 10**6), st.integers(1, 3), settings)
def test_what_the_ceilings_leave_out_would_not_have_stayed(units, seed, order, options):
    """A narrow beam is the plain search that asks the scorer about everything."""
    model = toy_model(seed, order)
    log_posteriors = random_posteriors(seed, 20, 4)
    scorer = word_scorer(model, spell(model.words, units), units.parts, **options)
    lax = scorer._replace(ceilings=np.full(4, 1e6), places=scorer.places.copy())
    lax.places["most"] = 1e6
    lax.places["goes_on"] = 2**64 - 1
    for width in (1, 4):
        tight, loose = ([(a.score, a.labels.tolist(), a.readings.tolist())
                         for a in beam_search(log_posteriors, width, 12.0, scorer=s)]
                        for s in (scorer, lax))
        assert tight == loose


def found(lexicon, *spelling):
    return lexicon.find(np.array(spelling, np.int32)).tolist()


def test_a_lexicon_is_its_words_in_a_tree():
    lexicon = Lexicon.build(Spellings.join([[2], [3, 2], [2, 3], [3, 3, 2]], [10, 11, 12, 13]))
    assert lexicon.parent.tolist() == [0, 0, 0, 1, 2, 2, 5]
    assert lexicon.unit.tolist() == [0, 2, 3, 3, 2, 3, 2]
    assert [found(lexicon, *spelling) for spelling in ([], [2], [3, 2], [2, 3], [3, 3, 2])] \
        == [[], [10], [11], [12], [13]]
    assert found(lexicon, 2, 2) == found(lexicon, 3, 2, 3) == []
    assert lexicon.first_child.tolist() == [1, 3, 4, 6, 6, 6, 7, 7]
    values = np.zeros(14)
    values[10:] = [-4, -3, -2, -1]
    assert lexicon.spread(values).tolist() == [-1, -2, -1, -2, -3, -1, -1]


def test_words_that_are_spelt_alike():
    lexicon = Lexicon.build(Spellings.join([[2], [3], [2], [2, 3], [3]], [10, 14, 9, 12, 13]))
    assert found(lexicon, 2) == [9, 10]
    assert found(lexicon, 3) == [13, 14]
    values = np.zeros(15)
    values[9:] = [-1, -2, -3, -4, -5, -6]
    assert lexicon.spread(values).tolist() == [-1, -1, -5, -4]


@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=5)), st.randoms())
def test_a_lexicon_finds_what_was_put_in(spellings, random):
    words = random.sample(range(3, 200), len(spellings))
    lexicon = Lexicon.build(Spellings.join(spellings, words))
    for length in range(5):
        for spelling in itertools.product((1, 2, 3), repeat=length):
            assert found(lexicon, *spelling) == sorted(
                word for word, each in zip(words, spellings, strict=True)
                if each == list(spelling))


def test_words_that_cannot_be_spelt_are_no_words():
    model = toy_model(0, 2)
    lexicon = spell(model.words, CHARACTERS)
    assert sorted(model.words[i] for i in lexicon.words) == sorted(WORDS[:4])


@given(posteriors(symbols=4), st.integers(0, 50), settings,
       st.sampled_from([-3.0, 1.5, 30.0]))
def test_boosted_words_with_and_without_a_place_in_the_model(log_posteriors, seed, options, boost):
    """BB is not the model's: its lexicon number is past the model's last."""
    model = toy_model(seed, 2)
    lexicon = spell([*model.words, "BB"], CHARACTERS)
    boosts = [{"AB": boost, "BB": boost}.get(word, 0.0) for word in [*model.words, "BB"]]
    scorer = word_scorer(model, lexicon, CHARACTERS.parts, **options, boosts=boosts)
    unboosted = dict(options, unknown=0.0)
    expected = {}
    for labels, acoustic in all_labellings(log_posteriors).items():
        words = CHARACTERS.decode(labels).split()
        unknown = sum(word not in WORDS and word != "BB" for word in words)
        added = score_words(model, words, **unboosted) \
            + boost * sum(word in ("AB", "BB") for word in words) \
            + (unknown * options["unknown"] if unknown else 0.0)
        if added > -math.inf:
            expected[labels] = pytest.approx(acoustic + added, abs=1e-4)
    found = {tuple(each.labels.tolist()): each.score
             for each in beam_search(log_posteriors, 5_000, scorer=scorer)
             if each.score > -math.inf}
    assert found == expected

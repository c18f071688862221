"""Held against the definitions of back-off and interpolation, over dictionaries."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.lm.binary import load_lm, save_lm
from asr.lm.build import build
from asr.lm.mix import fitted_weights, mix
from asr.lm.ngram import SPECIAL, START, Level, NgramModel

WORDS = ["a", "b", "c", "d"]


def probability(model):
    """p(word, history) of a model, by Katz's definition."""
    entries = {(): (0.0, 0.0)}
    grams = [()]
    for level in model.levels:
        grams = [(*grams[parent], model.words[word])
                 for parent, word in zip(level.parent, level.word, strict=True)]
        entries |= dict(zip(grams, zip(level.log_prob.astype(float), level.back_off.astype(float),
                                       strict=True), strict=True))

    @cache
    def log_p(word, history):
        if (*history, word) in entries:
            return entries[*history, word][0]
        if not history:
            return -np.inf
        return entries.get(history, (0, 0))[1] + log_p(word, history[1:])

    return (lambda word, history: float(np.exp(log_p(word, tuple(history))))), set(entries) - {()}


def of_text(folder, lines, order):
    (folder / "text").write_text("".join(f"{line}\n" for line in lines))
    return build([folder / "text"], order, None, None, [0], 0.0)


TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
                 min_size=1, max_size=6)


@given(st.lists(st.tuples(TEXTS, st.integers(1, 3), st.floats(0.05, 1)), min_size=2, max_size=3))
def test_n_grams_have_the_sum_and_histories_leave_nothing_over(tmp_path_factory, parts):
    models = [of_text(tmp_path_factory.mktemp("lm"), text, order) for text, order, _ in parts]
    weights = np.array([weight for *_, weight in parts])
    weights /= weights.sum()
    mixed = mix(models, weights)
    assert set(mixed.words) == {word for model in models for word in model.words}
    p, grams = probability(mixed)
    own, own_grams = zip(*map(probability, models), strict=True)
    assert grams == set.union(*own_grams)
    for *history, word in grams:
        if word != SPECIAL[START]:
            assert p(word, history) == pytest.approx(sum(
                weight * q(word, history) for weight, q in zip(weights, own, strict=True)),
                rel=1e-5)
    for length in range(mixed.order):
        for history in product(mixed.words, repeat=length):
            assert sum(p(word, history) for word in mixed.words) == pytest.approx(1, abs=1e-5)


def test_a_model_with_itself_is_itself(tmp_path):
    model = of_text(tmp_path, ["a b c", "a b", "c a", "b"], 3)
    mixed = mix([model, model], [0.3, 0.7])
    assert mixed.words == model.words
    for found, expected in zip(mixed.levels, model.levels, strict=True):
        for array, other in zip(found, expected, strict=True):
            assert np.allclose(array, other, atol=1e-5)


@pytest.mark.parametrize("weights", [(0.3, 0.7), (0.1, 0.9), (1 / 3, 0.66670)])
def test_what_is_certain_stays_so(tmp_path, weights):
    levels = [Level(np.zeros(4, np.int32), np.arange(4, dtype=np.int32),
                    np.log([0.25, 1e-30, 0.25, 0.5]).astype(np.float32), np.zeros(4, np.float32)),
              Level(np.array([3], np.int32), np.array([2], np.int32), np.zeros(1, np.float32),
                    np.zeros(1, np.float32))]  # </s> after a
    model = NgramModel([*SPECIAL, "a"], levels)
    save_lm(tmp_path / "mixed.lm", mix([model, model], weights))
    assert load_lm(tmp_path / "mixed.lm").score(["a"])[1] == pytest.approx(0, abs=1e-6)


def test_weights_are_the_likeliest(tmp_path):
    models = [of_text(tmp_path, lines, 2)
              for lines in (["a b", "a b a", "b a"], ["c d", "d", "a c d"], ["a", "b", "c"])]
    text = ["a b c", "c d d", "a", "x a"]
    sentences = [["<s>", *line.split(), "</s>"] for line in text]
    known = [(words[i], words[i - 1:i]) for words in sentences for i in range(1, len(words))
             if words[i] != "x"]
    p = np.array([[q(word, [part if part in model.words else "<unk>" for part in history])
                   for word, history in known]
                  for model, (q, _) in zip(models, map(probability, models), strict=True)])

    def log_likelihood(weights):
        return np.log(np.array(weights) @ p).sum()

    found = fitted_weights(models, text)
    assert sum(found) == pytest.approx(1)
    grid = [(i / 50, j / 50, 1 - (i + j) / 50) for i in range(1, 50) for j in range(1, 50 - i)]
    best = max(grid, key=log_likelihood)
    assert np.abs(np.subtract(found, best)).max() < 0.03
    assert log_likelihood(found) >= log_likelihood(best) - 1e-3


def test_a_word_that_only_one_knows_has_its_share(tmp_path):
    one, other = of_text(tmp_path, ["a a", "a"], 1), of_text(tmp_path, ["b", "a b"], 1)
    p, q, r = (probability(model)[0] for model in (one, other, mix([one, other], [0.75, 0.25])))
    assert r("b", ()) == pytest.approx(0.25 * q("b", ()), rel=1e-5)
    assert r("a", ()) == pytest.approx(0.75 * p("a", ()) + 0.25 * q("a", ()), rel=1e-5)


@pytest.mark.parametrize("weights", [[0.5], [0.5, 0.6], [1, 0], [1.5, -0.5], [np.nan, 0.5],
                                     [0.5, np.nan]])
def test_weights_that_are_none(tmp_path, weights):
    model = of_text(tmp_path, ["a"], 1)
    with pytest.raises(AsrError, match=r"weights .*expected 2 positive numbers that sum to 1"):
        mix([model, model], weights)

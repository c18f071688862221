import itertools
import random
from fractions import Fraction

import numpy as np
import pytest
from kneser_ney_reference import Reference

from asr.errors import AsrError
from asr.lm.binary import load_lm, save_lm
from asr.lm.build import build
from asr.lm.kneser_ney import count_ngrams, estimate
from asr.lm.ngram import END, SPECIAL, START, NgramModel
from asr.lm.prune import prune


def sentences(number, words="abcdefgh", seed=0, longest=7):
    """Like language in that few words are frequent, and some follow others more often."""
    chance = random.Random(seed)
    weights = [1 / (i + 1) for i in range(len(words))]
    result = []
    for _ in range(number):
        sentence = chance.choices(words, weights, k=chance.randint(1, longest))
        for i in range(1, len(sentence)):
            if chance.random() < 0.5:
                sentence[i] = words[(words.index(sentence[i - 1]) + 1) % len(words)]
        result.append(sentence)
    return result


def tokens_of(text, words):
    number = {word: i for i, word in enumerate([*SPECIAL, *words])}
    return np.array([t for sentence in text
                     for t in (START, *(number[w] for w in sentence), END)], np.int32)


def estimated(text, words, order, cutoffs=None):
    counted = count_ngrams(tokens_of(text, words), len(SPECIAL) + len(words), order)
    return estimate(counted, cutoffs or [0] * order)


def model_of(estimate_, words):
    return NgramModel([*SPECIAL, *words], estimate_.levels())


def distribution(model, history):
    """p(w | history) of every word, from the state that the history leads to."""
    from asr.lm.ngram import score_words

    words = [w for w in model.words if w != "<s>"]
    given = np.array([model.index[w] for w in history], np.int32)
    begins = history[:1] == ["<s>"]
    start = model.start if begins else 0
    return {w: np.exp(score_words(model.trie, start,
                                  np.append(given[begins:], np.int32(model.index[w])))[-1])
            for w in words}


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("number", [3, 200])
@pytest.mark.parametrize("cutoffs", [[0, 0, 0, 0], [0, 0, 1, 2], [2, 1, 0, 1]])
def test_every_probability_equals_the_definition(order, number, cutoffs):
    words = "abcdefgh"
    text = sentences(number)
    reference = Reference(text, words, order, cutoffs[:order])
    model = model_of(estimated(text, words, order, cutoffs[:order]), words)
    for history in ([], ["<s>"], ["a"], ["b", "c"], ["<s>", "a"], ["h", "h", "h"],
                    ["<s>", "a", "b"], ["a", "b", "c"]):
        found = distribution(model, history)
        for word, p in found.items():
            assert p == pytest.approx(reference.probability(word, history), rel=2e-6), history
        assert sum(found.values()) == pytest.approx(1, abs=1e-6)


def test_counts_by_hand():
    counts = count_ngrams(tokens_of([["a", "b"], ["a"], ["a", "b"]], "ab"), 5, 3)
    names = [*SPECIAL, "a", "b"]
    bigrams = {(names[counts[0].word[p]], names[w]): int(c) for p, w, c in
               zip(counts[1].parent, counts[1].word, counts[1].occurrences, strict=True)}
    assert bigrams == {("<s>", "a"): 3, ("a", "b"): 2, ("a", "</s>"): 1, ("b", "</s>"): 2}
    trigrams = {(names[counts[1].word[p]], names[w]): int(c) for p, w, c in
                zip(counts[2].parent, counts[2].word, counts[2].occurrences, strict=True)}
    assert trigrams == {("a", "b"): 2, ("a", "</s>"): 1, ("b", "</s>"): 2}
    assert [names[counts[0].word[counts[1].parent[s]]] for s in counts[2].suffix] \
        == ["a", "a", "b"]


HAND = ["a", "a b", "a b b", "a a", "b a"]
"""Bigrams: <s> a 4; a </s> 3; a b, b </s> 2; <s> b, b a, a a, b b 1. So n1 to n4 are 4, 2, 1, 1,
Y = 4 / (4 + 2·2) = 1/2, and D = 1 − 2Y·2/4 = 1/2, 2 − 3Y·1/2 = 5/4, 3 − 4Y·1/1 = 1.

Different words before a: <s>, a, b; before b: the same; before </s>: a, b. There is no 1 among
these counts, so D = 1/2, 1, 3/2: γ = (3/2 + 3/2 + 1)/8 = 1/2, and with 1/4 for each of four words
p(a) = p(b) = (3/2)/8 + 1/2·1/4 = 5/16, p(</s>) = 1/8 + 1/8 = 1/4, p(<unk>) = 1/8."""
UNIGRAMS = {"a": Fraction(5, 16), "b": Fraction(5, 16), "</s>": Fraction(1, 4),
            "<unk>": Fraction(1, 8)}


@pytest.mark.parametrize(("cutoffs", "history", "seen", "gamma"), [
    # γ = Σ D / Σ c: <s>: (1 + 1/2)/5; a: (1/2 + 5/4 + 1)/6; b: (1/2 + 1/2 + 5/4)/4.
    ([0, 0], "<s>", {"a": Fraction(3, 5), "b": Fraction(1, 10)}, Fraction(3, 10)),
    ([0, 0], "a", {"a": Fraction(1, 12), "b": Fraction(1, 8), "</s>": Fraction(1, 3)},
     Fraction(11, 24)),
    ([0, 0], "b", {"a": Fraction(1, 8), "b": Fraction(1, 8), "</s>": Fraction(3, 16)},
     Fraction(9, 16)),
    # Bigrams that were there once are left out: γ takes all of their count instead of D.
    ([0, 1], "<s>", {"a": Fraction(3, 5)}, Fraction(2, 5)),
    ([0, 1], "a", {"b": Fraction(1, 8), "</s>": Fraction(1, 3)}, Fraction(13, 24)),
    ([0, 1], "b", {"</s>": Fraction(3, 16)}, Fraction(13, 16)),
    # And those that were there twice.
    ([0, 2], "a", {"</s>": Fraction(1, 3)}, Fraction(2, 3)),
    ([0, 2], "b", {}, Fraction(1)),
])
def test_probabilities_by_hand(tmp_path, cutoffs, history, seen, gamma):
    path = tmp_path / "text"
    path.write_text("\n".join(HAND))
    model = build([path], 2, None, None, cutoffs, 0.0)
    expected = {word: seen.get(word, 0) + gamma * p for word, p in UNIGRAMS.items()}
    assert sum(expected.values()) == 1
    assert distribution(model, [history]) == pytest.approx(
        {word: float(p) for word, p in expected.items()}, rel=1e-6)
    kept = model.levels[1]
    assert {model.words[w] for w in kept.word[kept.parent == model.index[history]]} == set(seen)


@pytest.mark.parametrize("cutoffs", [[0, 0, 1], [0, 1, 1], [0, 1, 2, 3]])
def test_cutoffs_leave_proper_distributions(cutoffs):
    words = "abcdefgh"
    text = sentences(200)
    whole = estimated(text, words, len(cutoffs))
    cut = estimated(text, words, len(cutoffs), cutoffs)
    assert len(cut.counts[-1].word) < len(whole.counts[-1].word)
    assert cut.counts[-1].occurrences.min() > cutoffs[-1]
    model = model_of(cut, words)
    for history in itertools.product(["<s>", *words], words):
        assert sum(distribution(model, list(history)).values()) == pytest.approx(1, abs=1e-5)


def divergence(before, after, shares, words):
    """D(before || after) of Stolcke 1998, eq. 2, summed over every history and word."""
    total = 0.0
    for history, share in shares.items():
        p, q = distribution(before, list(history)), distribution(after, list(history))
        total += share * sum(p[w] * np.log(p[w] / q[w]) for w in p)
    return total


def test_pruning_drops_just_the_bigrams_that_cost_little():
    """Each bigram is dropped alone and the divergence summed in full."""
    words = "abcd"
    text = sentences(60, words)
    model = estimated(text, words, 2)
    tokens = sum(len(s) + 1 for s in text)
    counts = model.counts[0].occurrences
    shares = {(name,): counts[i] / tokens for i, name in enumerate([*SPECIAL, *words])
              if name not in ("</s>", "<unk>")}
    from asr.lm.prune import _weights

    costs = []
    for i in range(len(model.counts[1].word)):
        kept = [np.ones(len(c.word), bool) for c in model.counts]
        kept[1][i] = False
        one_less = model._replace(back_offs=_weights(model.counts, model.log_probs, kept))
        costs.append(divergence(model_of(model, words), model_of(one_less.only(kept), words),
                                shares, words))
    costs = np.expm1(costs)
    names = list(zip(model.counts[1].parent, model.counts[1].word, strict=True))
    for threshold in np.quantile(costs, [0.2, 0.5, 0.8]):
        pruned = prune(model, float(threshold) * (1 + 1e-6))
        left = set(zip(pruned.counts[1].parent, pruned.counts[1].word, strict=True))
        assert left == {name for name, cost in zip(names, costs, strict=True)
                        if cost > threshold * (1 + 1e-6)}


@pytest.mark.parametrize("threshold", [1e-4, 1e-3, 1e-2, 1.0])
def test_pruned_models_sum_to_one_and_shrink(threshold):
    words = "abcdefgh"
    model = estimated(sentences(300), words, 3)
    pruned = prune(model, threshold)
    assert len(pruned.counts[2].word) < len(model.counts[2].word)
    if threshold == 1.0:
        assert not len(pruned.counts[1].word)
    loaded = model_of(pruned, words)
    for history in itertools.product(["<s>", *words], words):
        assert sum(distribution(loaded, list(history)).values()) == pytest.approx(1, abs=1e-5)


def test_a_threshold_of_almost_nothing_keeps_the_distributions():
    words = "abcdefgh"
    model = estimated(sentences(300), words, 3)
    before, after = model_of(model, words), model_of(prune(model, 1e-12), words)
    for history in (["a"], ["<s>", "a"], ["b", "c"]):
        p, q = distribution(before, history), distribution(after, history)
        for word in p:
            assert q[word] == pytest.approx(p[word], rel=1e-3)


def test_words_out_of_the_vocabulary_are_unknown(tmp_path):
    path = tmp_path / "text"
    path.write_text("a b a\nb z a\n\na y\n")
    model = build([path], 2, 2, None, [0], 0.0)
    assert model.words == [*SPECIAL, "a", "b"]
    assert model.score(["z"])[0] == model.score(["never"])[0] > np.log(0.1)
    listed = tmp_path / "words"
    listed.write_text("y\nz\n")
    assert build([path], 2, None, listed, [0], 0.0).words == [*SPECIAL, "y", "z"]


def test_no_text(tmp_path):
    path = tmp_path / "text"
    path.write_text("\n  \n")
    with pytest.raises(AsrError, match="no text"):
        build([path], 2, None, None, [0], 0.0)
    with pytest.raises(AsrError, match="no such file"):
        build([tmp_path / "none"], 2, None, None, [0], 0.0)


def test_counts_of_counts_that_give_no_discount(tmp_path):
    """Here 3 − 4Y n4/n3 is below 0: what follows `a` would leave nothing to other words."""
    path = tmp_path / "text"
    path.write_text("".join(f"{word}\n" * count for word, count in
                            {"a": 4, "b": 4, "f": 4, "c": 3, "d": 2, "e": 1}.items()))
    save_lm(tmp_path / "model.lm", build([path], 2, None, None, [0], 0.0))
    model = load_lm(tmp_path / "model.lm")
    assert sum(distribution(model, ["a"]).values()) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(model.score(["a", "b"])).all()

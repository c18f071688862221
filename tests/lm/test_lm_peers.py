"""Sentence scores against KenLM's own, through its module and through flashlight-text."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.lm.arpa import write_arpa
from asr.lm.kneser_ney import count_ngrams, estimate
from asr.lm.ngram import END, SPECIAL, START, NgramModel
from asr.lm.prune import prune

WORDS = ["a", "b", "c", "d", "e", "f"]
LN10 = np.log(10)


def model_file(path, seed, order, threshold):
    random = np.random.default_rng(seed)
    size = len(SPECIAL) + len(WORDS)
    sentences = [[START, *np.minimum(random.geometric(0.4, random.integers(0, 8)) + 2, size - 1),
                  END] for _ in range(40)]
    counts = count_ngrams(np.concatenate(sentences).astype(np.int32), size, order)
    estimated = estimate(counts, [0] * order)
    if threshold:
        estimated = prune(estimated, threshold)
    model = NgramModel([*SPECIAL, *WORDS], estimated.levels())
    write_arpa(path, model)
    return model


def flashlight_score(path, sentences):
    kenlm = pytest.importorskip("flashlight.lib.text.decoder.kenlm", exc_type=ImportError)
    dictionary = pytest.importorskip("flashlight.lib.text.dictionary")
    words = dictionary.Dictionary()
    for word in ["<unk>", *WORDS]:
        words.add_entry(word)
    words.set_default_index(0)
    lm = kenlm.KenLM(str(path), words)
    scores = []
    for sentence in sentences:
        state, total = lm.start(False), 0.0
        for word in sentence:
            state, score = lm.score(state, words.get_index(word))
            total += score
        scores.append(total + lm.finish(state)[1])
    return scores


def kenlm_score(path, sentences):
    lm = pytest.importorskip("kenlm").Model(str(path))
    return [lm.score(" ".join(sentence)) for sentence in sentences]


@pytest.mark.parametrize("peer", [kenlm_score, flashlight_score])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), order=st.integers(2, 5), threshold=st.sampled_from([0, 1e-3]),
       sentences=st.lists(st.lists(st.sampled_from([*WORDS, "unheard"]), max_size=7), min_size=1))
def test_sentences_score_as_with_kenlm(peer, tmp_path, seed, order, threshold, sentences):
    model = model_file(tmp_path / "model.arpa", seed, order, threshold)
    expected = [LN10 * score for score in peer(tmp_path / "model.arpa", sentences)]
    assert [model.score(sentence).sum() for sentence in sentences] \
        == pytest.approx(expected, abs=1e-4)

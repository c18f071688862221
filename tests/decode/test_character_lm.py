"""Character n-grams in the search against the sum over all paths and the model's own scores."""

import math

import numpy as np
import pytest
from ctc_reference import all_labellings, posteriors
from hypothesis import given
from hypothesis import strategies as st

from asr.decode.beam import beam_search
from asr.decode.character_lm import character_scorer
from asr.lm.kneser_ney import count_ngrams, estimate
from asr.lm.ngram import END, SPECIAL, START, NgramModel

SYMBOLS = ["<blank>", "|", "A", "B"]
WORDS = ["A", "C", "|"]  # B is unknown to the model, C to the units


def toy_model(seed, order):
    rng = np.random.default_rng(seed)
    size = len(SPECIAL) + len(WORDS)
    sentences = [[START, *rng.integers(len(SPECIAL), size, rng.integers(0, 6)), END]
                 for _ in range(12)]
    tokens = np.concatenate(sentences).astype(np.int32)
    return NgramModel([*SPECIAL, *WORDS],
                      estimate(count_ngrams(tokens, size, order), [0] * order).levels())


@given(posteriors(symbols=len(SYMBOLS)), st.integers(0, 50), st.integers(1, 4),
       st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([-1.5, 0.0, 2.0]), st.booleans())
def test_full_width_equals_the_sum_over_all_paths_and_the_model(log_posteriors, seed, order,
                                                               weight, bonus, narrow):
    model = toy_model(seed, order)
    scorer = character_scorer(model, SYMBOLS, weight, bonus)
    expected = {labels: acoustic + bonus * len(labels)
                + weight * model.score([SYMBOLS[u] for u in labels]).sum()
                for labels, acoustic in all_labellings(log_posteriors).items()}
    if narrow:  # what the ceilings leave out would not have stayed
        lax = scorer._replace(ceilings=np.full(len(SYMBOLS), 1e6))
        tight, loose = ([(each.labels.tolist(), each.score) for each in
                         beam_search(log_posteriors, 3, 12.0, scorer=s)] for s in (scorer, lax))
        assert tight == loose
        return
    found = {tuple(each.labels.tolist()): each.score
             for each in beam_search(log_posteriors, 5_000, scorer=scorer)}
    assert found == {labels: pytest.approx(score, abs=1e-4) for labels, score in expected.items()
                     if score > -math.inf}

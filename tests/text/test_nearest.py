"""asr.text.nearest: pronunciations by their distance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from asr.text.nearest import Pronunciations

PHONES = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@given(st.lists(PHONES, min_size=1, max_size=30), PHONES)
def test_the_first_of_the_nearest(sequences, query):
    pronunciations = Pronunciations(np.concatenate(sequences).astype(np.int32),
                                    np.array([len(each) for each in sequences]))
    distances = [Levenshtein.distance(each, query) for each in sequences]
    assert pronunciations.nearest(np.array(query, np.int32)) == int(np.argmin(distances))

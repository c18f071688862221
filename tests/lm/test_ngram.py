import numpy as np
import pytest

from asr.lm.ngram import SPECIAL, Level, NgramModel


def level(parent, word, back_off=None):
    size = len(parent)
    return Level(np.array(parent, np.int32), np.array(word, np.int32),
                 -np.arange(1, size + 1, dtype=np.float32),
                 np.array([0] * size if back_off is None else back_off, np.float32))


UNIGRAMS = level([0] * 5, range(5), [0, -1, 0, -2, -3])


@pytest.mark.parametrize("levels", [
    [level([0] * 5, range(5))],
    [UNIGRAMS, level([1, 3, 3, 4], [4, 2, 3, 3])],
    [UNIGRAMS, level([1, 3, 3, 4], [4, 2, 3, 3], [-1, 0, -3, -4]), level([0, 2, 2], [3, 2, 4])],
    [UNIGRAMS, level([1], [4], [-1]), level([], [])],
    [UNIGRAMS, level([], []), level([], [])],
], ids=lambda levels: str([len(level.word) for level in levels]))
def test_the_trie_gives_back_the_levels_and_they_are_in_memory_once(levels):
    model = NgramModel([*SPECIAL, "a", "b"], levels)
    assert model.order == len(levels)
    for found, given in zip(model.levels, levels, strict=True):
        for array, expected in zip(found, given, strict=True):
            assert array.dtype == expected.dtype
            assert np.array_equal(array, expected)
        assert found.log_prob.base is model.trie.log_prob
        assert found.word.base is model.trie.word
    assert "levels" not in vars(model)

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from asr.score.align import score_utterances
from asr.score.analysis import WordErrors, analyse, unknown_words

texts = st.lists(st.sampled_from("abcd"), max_size=7).map(" ".join)


def score_of(*pairs):
    return score_utterances((str(i), *pair) for i, pair in enumerate(pairs))


def test_worked_by_hand():
    found = analyse(score_of(("the cat sat", "a cat sat sat"), ("the dog", "a"), ("dog", "dog")))
    assert found.substitutions == [("the", "a", 2)]
    assert found.deletions == [("dog", 1)]
    assert found.insertions == [("sat", 1)]
    assert found.words == [WordErrors("the", 2, 2, 0), WordErrors("dog", 2, 0, 1)]


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_it_counts_what_the_alignments_show(pairs):
    score = score_of(*pairs)
    aligned = [pair for i in range(len(pairs)) for pair in score.alignment(i)
               if pair[0] != pair[1]]
    found = analyse(score)
    assert Counter({(r, h): n for r, h, n in found.substitutions}) == Counter(
        pair for pair in aligned if None not in pair)
    assert Counter(dict(found.deletions)) == Counter(r for r, h in aligned if h is None)
    assert Counter(dict(found.insertions)) == Counter(h for r, h in aligned if r is None)
    assert sum(w.substituted + w.deleted for w in found.words) == len(
        [r for r, _ in aligned if r is not None])


def test_errors_at_words_outside_a_vocabulary():
    found = unknown_words(score_of(("a x b y", "a z b"), ("x", "x")), frozenset("abz"))
    assert (found.words, found.errors, found.all_errors) == (3, 2, 2)
    assert found.frequent == [("x", 2), ("y", 1)]

import subprocess
import sys

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.score.align import align, score_utterances

words = st.lists(st.sampled_from(["a", "b", "c", "dd", "é", "日本"]), max_size=9)
lines = st.lists(st.tuples(words, words), min_size=1, max_size=6)


def edit_distance(reference, hypothesis):
    """Wagner & Fischer 1974, by the book."""
    table = [[0] * (len(hypothesis) + 1) for _ in range(len(reference) + 1)]
    for i in range(len(reference) + 1):
        for j in range(len(hypothesis) + 1):
            if i == 0 or j == 0:
                table[i][j] = i + j
            else:
                table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1,
                                  table[i - 1][j - 1] + (reference[i - 1] != hypothesis[j - 1]))
    return table[-1][-1]


def score_of(*pairs):
    return score_utterances((str(i), *pair) for i, pair in enumerate(pairs))


def totals(counts):
    return (int(counts.substitutions.sum()), int(counts.deletions.sum()),
            int(counts.insertions.sum()), int(counts.length.sum()))


@given(lines)
def test_errors_are_the_least_edit_distance_and_explain_the_lengths(pairs):
    texts = [(" ".join(reference), " ".join(hypothesis)) for reference, hypothesis in pairs]
    score = score_of(*texts)
    for i, (reference, hypothesis) in enumerate(pairs):
        assert score.words.errors[i] == edit_distance(reference, hypothesis)
        assert score.characters.errors[i] == edit_distance(*texts[i])
    for counts, pieces in ((score.words, pairs), (score.characters, texts)):
        grown = counts.insertions - counts.deletions
        assert counts.length.tolist() == [len(reference) for reference, _ in pieces]
        assert (counts.length + grown).tolist() == [len(hypothesis) for _, hypothesis in pieces]


@given(lines)
def test_counts_are_those_of_jiwer(pairs):
    references, hypotheses = zip(*((" ".join(r), " ".join(h)) for r, h in pairs), strict=True)
    score = score_of(*zip(references, hypotheses, strict=True))
    expected = jiwer.process_words(list(references), list(hypotheses))
    assert totals(score.words)[:3] == (expected.substitutions, expected.deletions,
                                       expected.insertions)
    expected = jiwer.process_characters(list(references), list(hypotheses))
    assert totals(score.characters)[:3] == (expected.substitutions, expected.deletions,
                                            expected.insertions)


@given(words, words)
def test_alignment_spells_both_sides_and_agrees_with_the_counts(reference, hypothesis):
    pairs = align(reference, hypothesis)
    assert [word for word, _ in pairs if word is not None] == reference
    assert [word for _, word in pairs if word is not None] == hypothesis
    score = score_of((" ".join(reference), " ".join(hypothesis)))
    assert score.alignment(0) == pairs
    assert totals(score.words)[:3] == (
        sum(None is not r != h is not None for r, h in pairs),
        sum(h is None for _, h in pairs), sum(r is None for r, _ in pairs))


def test_counts_worked_by_hand():
    score = score_of(("the cat sat on the mat", "the cat sad on mat"),  # S sat, D the
                     ("hello world", "oh hello world then"),  # I oh, then
                     ("same", "same"))
    assert score.words.substitutions.tolist() == [1, 0, 0]
    assert score.words.deletions.tolist() == [1, 0, 0]
    assert score.words.insertions.tolist() == [0, 2, 0]
    assert score.words.length.tolist() == [6, 2, 1]
    # t→d, and `the ` with its space
    assert score.characters.substitutions.tolist() == [1, 0, 0]
    assert score.characters.deletions.tolist() == [4, 0, 0]
    assert score.characters.length.tolist() == [22, 11, 4]
    assert score.alignment(0) == [("the", "the"), ("cat", "cat"), ("sat", "sad"), ("on", "on"),
                                  ("the", None), ("mat", "mat")]


@pytest.mark.parametrize(("reference", "hypothesis", "counts"), [
    ("", "", (0, 0, 0, 0)),
    ("", "two words", (0, 0, 2, 0)),
    ("two words", "", (0, 2, 0, 2)),
    (" \t ", "\n", (0, 0, 0, 0)),
])
def test_empty_sides(reference, hypothesis, counts):
    assert totals(score_of((reference, hypothesis)).words) == counts


def test_no_utterances():
    score = score_of()
    assert totals(score.words) == (0, 0, 0, 0)
    assert score.worst(3) == []


def test_all_white_space_parts_words_alike():
    score = score_of(("a\tb\u2003c\u2028d", " a  b c d "))
    assert score.references == score.hypotheses == ["a b c d"]
    assert score.words.errors.sum() == score.characters.errors.sum() == 0


def test_characters_are_code_points():
    score = score_of(("e\u0301", "\u00e9"))  # not normalised: decomposed against composed
    assert totals(score.characters) == (1, 1, 0, 2)


def test_words_that_share_a_hash_differ():
    class Colliding(str):
        def __hash__(self):
            return 7

    assert align([Colliding("a")], [Colliding("b")]) == [("a", "b")]
    assert align([Colliding("a"), Colliding("c")], [Colliding("c")]) == [("a", None), ("c", "c")]


def test_worst_come_by_errors_then_by_shortness():
    score = score_of(("a b c", "a b c"), ("a b c", "a x c"), ("b", "x"), ("a b c", "x x c"))
    assert score.worst(10) == [3, 2, 1]
    assert score.worst(2) == [3, 2]


def test_a_long_utterance():
    reference = [str(i % 1000) for i in range(20_000)]
    score = score_of((" ".join(reference), " ".join(reference[1:])))
    assert totals(score.words) == (0, 1, 0, 20_000)


def test_counts_are_integers_even_of_numpy():
    assert score_of(("a", "b")).words.errors.dtype == np.int64


def test_scoring_loads_neither_torch_nor_audio():
    code = ("import sys, asr.cli.score, asr.score.stage, asr.score.report; "
            "print([m for m in ('torch', 'soundfile', 'librosa', 'numba') if m in sys.modules])")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"

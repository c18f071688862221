import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asr.score.sclite as module
from asr.score.align import align, score_utterances
from asr.score.edits import DELETION, INSERTION, SUBSTITUTION
from asr.score.groups import group_utterances
from asr.score.sclite import sclite_edits
from asr.score.trn import read_trn, write_trn

words = st.lists(st.integers(0, 3), max_size=12)
SCLITE = shutil.which("sclite") or shutil.which("sclite", path="/usr/lib/sctk/bin")


def reference_edits(reference, hypothesis):
    """The whole matrix, and a walk back from its end."""
    cost = [[3 * (i + j) for j in range(len(hypothesis) + 1)] for i in range(len(reference) + 1)]
    for i in range(1, len(reference) + 1):
        for j in range(1, len(hypothesis) + 1):
            cost[i][j] = min(cost[i - 1][j] + 3, cost[i][j - 1] + 3, cost[i - 1][j - 1]
                             + 4 * (reference[i - 1] != hypothesis[j - 1]))
    i, j, edits = len(reference), len(hypothesis), []
    while i or j:
        differ = i and j and reference[i - 1] != hypothesis[j - 1]
        if i and j and cost[i][j] == cost[i - 1][j - 1] + 4 * differ:
            i, j, kind = i - 1, j - 1, SUBSTITUTION if differ else None
        elif j and cost[i][j] == cost[i][j - 1] + 3:
            j, kind = j - 1, INSERTION
        else:
            i, kind = i - 1, DELETION
        if kind is not None:
            edits.append((kind, i, j))
    return edits[::-1]


def found_edits(reference, hypothesis):
    return list(zip(*(column.tolist() for column in sclite_edits([reference], [hypothesis])[1:]),
                    strict=True))


def noisy(rng, words, kinds, share):
    """With substitutions, deletions and insertions, `share` of each."""
    result = []
    for word in words:
        draw = rng.random()
        if draw >= share:
            result.append(rng.randrange(kinds) if draw < 2 * share else word)
        if rng.random() < share:
            result.append(rng.randrange(kinds))
    return result


@given(words, words)
def test_edits_are_those_of_the_whole_matrix(reference, hypothesis):
    assert found_edits(reference, hypothesis) == reference_edits(reference, hypothesis)


@pytest.mark.parametrize("kinds", [2, 5, 300])
def test_long_utterances_in_blocks_of_rows(monkeypatch, kinds):
    """More rows than are kept at once, within the band and without it."""
    rng = random.Random(kinds)
    reference = [rng.randrange(kinds) for _ in range(1_300)]
    alike, unlike = noisy(rng, reference, kinds, 0.05), [rng.randrange(kinds) for _ in range(700)]
    expected = [reference_edits(reference, alike), reference_edits(reference, unlike)]
    assert [found_edits(reference, alike), found_edits(reference, unlike)] == expected
    monkeypatch.setattr(module, "_band", lambda r, h: (-len(r), len(h)))
    assert [found_edits(reference, alike), found_edits(reference, unlike)] == expected


def test_an_utterance_of_100_000_words():
    rng = random.Random(0)
    reference = [rng.randrange(20_000) for _ in range(100_000)]
    edits = sclite_edits([reference], [[*reference[:50_000], -1, *reference[50_001:-1]]])
    assert edits.kind.tolist() == [SUBSTITUTION, DELETION]
    assert edits.reference.tolist() == [50_000, 99_999]


def test_two_substitutions_cost_more_than_a_deletion_and_an_insertion():
    """Where jiwer's costs are equal: b a against a c."""
    assert align(["b", "a"], ["a", "c"], "sclite") == [("b", None), ("a", "a"), (None, "c")]


def test_characters_and_texts_that_are_no_text():
    score = score_utterances([("u", "ab\ud800", "ab"), ("v", "", "x"), ("w", "日本", "日")],
                             "sclite")
    assert score.characters.deletions.tolist() == [1, 0, 1]
    assert score.characters.insertions.tolist() == [0, 1, 0]


@pytest.mark.skipif(SCLITE is None, reason="needs sclite (Debian: sctk)")
@pytest.mark.parametrize("kinds", [2, 6, 26])
def test_counts_are_those_of_sclite_for_each_utterance_and_speaker(tmp_path, kinds):
    rng = random.Random(kinds)
    pairs = []
    for number in range(4_000):
        reference = [rng.randrange(kinds) for _ in range(rng.randrange(15))]
        hypothesis = (noisy(rng, reference, kinds, 0.15) if number % 2
                      else [rng.randrange(kinds) for _ in range(rng.randrange(15))])
        pairs.append((f"speaker{number % 7}-{number:05}",
                      *(" ".join("abcdefghijklmnopqrstuvwxyz"[word] for word in words)
                        for words in (reference, hypothesis))))
    write_trn(tmp_path / "r.trn", [(utterance, text) for utterance, text, _ in pairs])
    write_trn(tmp_path / "h.trn", [(utterance, text) for utterance, _, text in pairs])
    assert SCLITE is not None
    output = subprocess.run(
        [SCLITE, "-r", "r.trn", "trn", "-h", "h.trn", "trn", "-i", "spu_id", "-s", "-e", "utf-8",
         "-o", "pralign", "rsum", "stdout", "-f", "0"],
        cwd=Path(tmp_path), capture_output=True, text=True, check=True).stdout
    expected = {match[1]: tuple(map(int, match.groups()[1:])) for match in re.finditer(
        r"id: \((.*?)\)\nScores: \(#C #S #D #I\) \d+ (\d+) (\d+) (\d+)", output)}
    counts = score_utterances(pairs, "sclite").words
    found = dict(zip((utterance for utterance, _, _ in pairs),
                     zip(counts.substitutions.tolist(), counts.deletions.tolist(),
                         counts.insertions.tolist(), strict=True), strict=True))
    assert found == expected
    # Speaker, utterances, words, correct, sub, del, ins, errors, wrong utterances.
    expected_rows = {match[1]: list(map(int, match[2].replace("|", " ").split())) for match in
                     re.finditer(r"^ *\| (speaker\d) *\|([\d |]+)\|$", output, re.MULTILINE)}
    speakers = group_utterances("speaker", list(read_trn(tmp_path / "r.trn").values()), counts)
    found_rows = {}
    for group in speakers:
        c = group.counts
        length, *kinds_of_error = (int(part.sum()) for part in (
            c.length, c.substitutions, c.deletions, c.insertions))
        found_rows[group.name] = [len(group.utterances), length, length - sum(kinds_of_error[:2]),
                                  *kinds_of_error, sum(kinds_of_error), int((c.errors > 0).sum())]
    assert found_rows == expected_rows
    assert len(found_rows) == 7

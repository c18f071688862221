import itertools
import math
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from asr.errors import AsrError
from asr.score.align import score_utterances
from asr.score.edits import INSERTION
from asr.score.significance import (
    Difference,
    bootstrap_difference,
    mapsswe,
    mcnemar,
    signed_rank,
    verdict,
)
from asr.score.statistics import bootstrap_interval
from asr.score.trn import write_trn

SCLITE, SC_STATS = (shutil.which(name) or shutil.which(f"/usr/lib/sctk/bin/{name}")
                    for name in ("sclite", "sc_stats"))


def scores_of(*utterances, alignment="unit"):
    """Of systems A and B from (reference, hypothesis of A, hypothesis of B)."""
    return [score_utterances(((f"s{i % 3}-{i:04}", texts[0], texts[system])
                              for i, texts in enumerate(utterances)), alignment)
            for system in (1, 2)]


def speech(seed, utterances, longest, rates=(0.2, 0.2)):
    """Random utterances; a rate is how probably a word is wrong, in three ways alike."""
    random = np.random.default_rng(seed)

    def noisy(words, rate):
        for word in words:
            if random.random() < rate / 3:
                yield str(random.choice(list("abcd")))
            draw = random.random()
            if draw >= rate * 2 / 3:
                yield word
            elif draw >= rate / 3:
                yield str(random.choice(list("abcd")))
        while random.random() < rate:  # trailing insertions, and words where none was said
            yield str(random.choice(list("abcd")))

    for _ in range(utterances):
        words = [str(word) for word in random.choice(list("abcd"), random.integers(longest + 1))]
        yield " ".join(words), *(" ".join(noisy(words, rate)) for rate in rates)


def walk(a, b):
    """Differences of segments by walking over the reference's words, state by state (SCTK)."""
    values = []
    for index, reference in enumerate(a.references):
        edits = [score.utterance_edits(index) for score in (a, b)]
        state, good, value = "b", 0, 0
        for position in range(len(reference.split()) + 1):
            at = [[kind for kind, where, _ in system if where == position] for system in edits]
            inserted = [kinds.count(INSERTION) for kinds in at]
            wrong = [len(kinds) - ins for kinds, ins in zip(at, inserted, strict=True)]
            value += inserted[0] - inserted[1] + wrong[0] - wrong[1]
            if any(inserted):
                state = "e"
            if position == len(reference.split()):
                break
            if any(wrong):
                state = "e"
            elif state == "e":
                state, good = "g", 1
            elif state == "g":
                good += 1
                if good == 2:
                    values.append(value)
                    state, value = "b", 0
        if state != "b":
            values.append(value)
    return np.array(values)


def test_segments_worked_by_hand():
    result = mapsswe(*scores_of(
        ("a b c d e f g", "x b c d e f g", "a b c y e f g"),  # two right between: 1 and -1
        ("a b c d e f g", "x b c d e f g", "a b y d e f g"),  # one right between: 0
        ("a b c d e", "a x c z d e", "a b c d e"),  # what is inserted parts c from d: 2
        ("a b", "a b", "a b"),  # no error, no segment
        ("a b c", "a b c q q", "a b c"),  # inserted at the end: 2
        ("", "", "q"),  # nothing said: -1
        ("a", "", "b"),  # 0
    ))
    values = [1, -1, 0, 2, 2, -1, 0]
    assert result.segments == 7
    assert result.mean == pytest.approx(3 / 7)
    deviation = math.sqrt(sum((value - 3 / 7) ** 2 for value in values) / 6)
    assert result.deviation == pytest.approx(deviation)
    assert result.z == pytest.approx(3 / 7 / (deviation / math.sqrt(7)))


def test_p_is_that_of_the_normal_distribution():
    utterances = [("a", "x", "a")] * 21 + [("a", "a", "x")] * 10
    result = mapsswe(*scores_of(*utterances))
    mean, variance = 11 / 31, (31 - 11 ** 2 / 31) / 30
    assert result.z == pytest.approx(mean / math.sqrt(variance / 31))
    assert result.z == pytest.approx(2.0788, abs=1e-4)
    assert result.p == pytest.approx(0.0376, abs=2e-4)  # 2 (1 - Φ(2.08)) = 0.0375 in tables


@pytest.mark.parametrize("utterances", [
    [], [("a b", "a b", "a b")], [("a", "x y z", "a")], [("a", "x", "a"), ("b", "x", "b")],
])
def test_without_spread_there_is_no_z(utterances):
    result = mapsswe(*scores_of(*utterances))
    assert (result.deviation, result.z, result.p) == (0, 0, 1)


@pytest.mark.parametrize("alignment", ["unit", "sclite"])
def test_segments_are_those_of_the_walk_and_order_changes_signs_only(alignment):
    for seed in range(20):
        a, b = scores_of(*speech(seed, 60, 12, (0.1, 0.3)), alignment=alignment)
        found, swapped, expected = mapsswe(a, b), mapsswe(b, a), walk(a, b)
        assert found.segments == len(expected)
        assert found.mean == pytest.approx(expected.mean())
        assert found.deviation == pytest.approx(expected.std(ddof=1))
        assert swapped[:2] == (found.segments, -found.mean)
        assert swapped[2:] == pytest.approx((found.deviation, -found.z, found.p))


@pytest.mark.skipif(not (SCLITE and SC_STATS), reason="needs sclite and sc_stats")
@pytest.mark.parametrize("seed", range(12))
def test_mapsswe_agrees_with_sc_stats(tmp_path, seed):
    longest, rate = [(3, 0.5), (8, 0.3), (25, 0.1)][seed % 3]
    utterances = list(speech(seed, 150, longest, (rate, 0.7 * rate)))
    a, b = scores_of(*utterances, alignment="sclite")
    write_trn(tmp_path / "r.trn", zip(a.ids, a.references, strict=True))
    for name, score in (("a", a), ("b", b)):
        write_trn(tmp_path / f"{name}.trn", zip(score.ids, score.hypotheses, strict=True))
        subprocess.run([SCLITE, "-r", "r.trn", "trn", "-h", f"{name}.trn", "trn", name, "-i",
                        "spu_id", "-s", "-e", "utf-8", "-o", "sgml", "-f", "0"],
                       cwd=tmp_path, check=True, capture_output=True)
    for first, second, found in (("a", "b", mapsswe(a, b)), ("b", "a", mapsswe(b, a))):
        alignments = b"".join((tmp_path / f"{name}.trn.sgml").read_bytes()
                              for name in (first, second))
        printed = subprocess.run([SC_STATS, "-p", "-t", "mapsswe", "-v", "-n", "-"], cwd=tmp_path,
                                 input=alignments, check=True, capture_output=True).stdout
        match = re.search(rb"MTCH_PR_RESULTS.*# segs: (\d+)\).*mean: +(\S+)\) "
                          rb"\(std dev: +(\S+)\) \(Z Stat: +(\S+)\)", printed)
        assert int(match[1]) == found.segments
        assert [float(field) for field in match.groups()[1:]] == pytest.approx(
            [found.mean, found.deviation, found.z], abs=5.01e-4)  # three decimals


def test_bootstrap_equals_drawing_utterances_one_by_one():
    utterances = list(speech(1, 200, 20, (0.2, 0.19)))
    a, b = scores_of(*utterances)
    drawn = np.random.default_rng(2).integers(0, 200, (20_000, 200))
    of_a, of_b, length = (part[drawn].sum(axis=1)
                          for part in (a.words.errors, b.words.errors, a.words.length))
    expected = np.quantile(of_b / length - of_a / length, [0.025, 0.975])
    value, interval, improvement = bootstrap_difference(a, b, resamples=20_000)
    assert value == pytest.approx(b.words.errors.sum() / b.words.length.sum()
                                  - a.words.errors.sum() / a.words.length.sum())
    assert interval == pytest.approx(expected, abs=0.05 * (expected[1] - expected[0]))
    assert 0.05 < improvement < 0.95
    assert improvement == pytest.approx(np.mean((of_b < of_a) + 0.5 * (of_b == of_a)), abs=0.02)


def test_errors_in_common_do_not_widen_the_interval():
    shared = [("a b c d", "x y z d", "x y z d"), ("a b c d", "a b c d", "a b c d")] * 50
    difference = bootstrap_difference(*scores_of(*shared))
    assert difference == (0, (0, 0), 0.5)
    a, _ = scores_of(*shared)
    low, high = bootstrap_interval(a.words.errors, a.words.length)
    assert high - low > 0.1


def test_bootstrap_draws_what_the_intervals_of_rates_draw():
    a, b = scores_of(*speech(3, 100, 9))
    assert bootstrap_difference(a, b).interval == bootstrap_interval(
        b.words.errors - a.words.errors, a.words.length)


def test_speakers_are_drawn_with_all_of_their_utterances():
    a, b = scores_of(*speech(4, 60, 9))
    speakers = np.arange(60) % 7
    by_hand = [np.array([part[speakers == i].sum() for i in range(7)])
               for part in (b.words.errors - a.words.errors, a.words.length)]
    found = bootstrap_difference(a, b, speakers)
    assert found.interval == bootstrap_interval(*by_hand)
    assert found.value == bootstrap_difference(a, b).value
    assert bootstrap_difference(a, b, np.zeros(60, np.int64))[1:] == (None, None)


def test_drawing_in_parts_changes_nothing(monkeypatch):
    scores = scores_of(*speech(5, 100, 9))
    whole = bootstrap_difference(*scores)
    monkeypatch.setattr("asr.score.statistics._CELLS", 500)
    assert bootstrap_difference(*scores) == whole
    assert bootstrap_difference(*scores, seed=1) != whole


def test_bootstrap_without_words_or_with_one_utterance():
    with pytest.raises(AsrError, match="no words"):
        bootstrap_difference(*scores_of(("", "a", ""), ("", "", "")))
    assert bootstrap_difference(*scores_of(("a b", "a x", "a b"))) == (-0.5, None, None)


def test_signed_rank_by_all_signs():
    """Of seven differences without ties every pattern of signs is as likely."""
    errors = [1, 2, -3, 4, 5, 6, 7]
    utterances = [("a", "a", "a"), ("b", "x", "x")]  # do not count
    for size in errors:
        text, wrong = " ".join(["a"] * abs(size)), " ".join(["x"] * abs(size))
        utterances.append((text, wrong, text) if size > 0 else (text, text, wrong))
    sums = [sum(rank for rank, sign in zip(range(1, 8), signs, strict=True) if sign)
            for signs in itertools.product([0, 1], repeat=7)]
    expected = np.mean([min(total, 28 - total) <= 3 for total in sums])
    assert signed_rank(*scores_of(*utterances)) == pytest.approx(expected)
    assert signed_rank(*scores_of(*utterances)[::-1]) == pytest.approx(expected)
    assert signed_rank(*scores_of(*utterances[:2])) == 1


def test_mcnemar_by_the_binomial_distribution():
    utterances = [("a", "a", "x")] * 9 + [("a", "x y", "a")] * 2 + [("a", "a", "a"), ("a", "", "x")]
    found = mcnemar(*scores_of(*utterances))
    assert found[:2] == (9, 2)
    assert found.p == pytest.approx(2 * sum(math.comb(11, k) for k in range(3)) / 2 ** 11)
    assert mcnemar(*scores_of(*utterances)[::-1]) == pytest.approx((2, 9, found.p))
    assert mcnemar(*scores_of(*utterances[-2:])) == (0, 0, 1)


@pytest.mark.parametrize(("difference", "p", "line"), [
    (Difference(-0.013, (-0.021, -0.005), 0.99), 0.002,
     "B is better than A by 1.30 points of WER (95 % interval 0.50 to 2.10), p = 0.002"),
    (Difference(0.013, (-0.00001, 0.021), 0.03), 0.0004,
     "A is better than B by 1.30 points of WER (95 % interval 0.00 to 2.10), p < 0.001"),
    (Difference(-0.002, (-0.007, 0.003), 0.8), 0.412,
     "no significant difference between A and B: -0.20 points of WER (95 % interval -0.70 to "
     "0.30), p = 0.41"),
    (Difference(-0.25, None, None), 0.05,
     "no significant difference between A and B: -25.00 points of WER, p = 0.050"),
])
def test_verdict(difference, p, line):
    assert verdict("A", "B", difference, p) == line


@pytest.mark.parametrize("test", [bootstrap_difference, mapsswe, signed_rank, mcnemar])
def test_only_scores_of_the_same_references_compare(test):
    score = score_utterances([("1", "a b", "a"), ("2", "c", "c")])
    for others, message in (([("1", "a b", "a")], "2 and 1 utterances"),
                            ([("2", "c", "c"), ("1", "a b", "a")], "'1' of one"),
                            ([("1", "a b", "a"), ("2", "d", "c")], "references of utterance '2'")):
        with pytest.raises(AsrError, match=message):
            test(score, score_utterances(others))


def test_scipy_is_loaded_only_when_needed():
    code = "import sys, asr.score.significance; print('scipy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"

import pytest

from asr.errors import AsrError
from asr.manifest import Hypothesis, Utterance, write_records
from asr.score.pairs import pair_up, read_texts

REFERENCES = {"a": "one", "b": "two", "c": "three"}


def test_pairs_come_in_the_order_of_the_references():
    pairs, absent = pair_up(REFERENCES, {"c": "3", "a": "1", "b": "2"}, "error")
    assert pairs == [("a", "one", "1"), ("b", "two", "2"), ("c", "three", "3")]
    assert absent == []


def test_missing_hypotheses_are_an_error_or_deletions():
    with pytest.raises(AsrError, match=r"2 of 3 references have no hypothesis: 'a', 'c'; .*"
                                       "--missing deletions"):
        pair_up(REFERENCES, {"b": "2"}, "error")
    pairs, absent = pair_up(REFERENCES, {"b": "2"}, "deletions")
    assert pairs == [("a", "one", ""), ("b", "two", "2"), ("c", "three", "")]
    assert absent == ["a", "c"]


def test_no_hypothesis_at_all_can_be_deletions():
    assert pair_up(REFERENCES, {}, "deletions")[1] == ["a", "b", "c"]


@pytest.mark.parametrize("missing", ["error", "deletions"])
def test_unknown_ids_are_always_an_error(missing):
    hypotheses = REFERENCES | {f"x{i}": "" for i in range(5)}
    with pytest.raises(AsrError, match=r"5 of 8 hypotheses have an id that is not among the "
                                       r"references: 'x0', 'x1', 'x2' and 2 more$"):
        pair_up(REFERENCES, hypotheses, missing)


def test_both_faults_are_said_in_one_line():
    with pytest.raises(AsrError) as raised:
        pair_up({"A": "x"}, {"a": "x"}, "error")
    assert "'a'" in str(raised.value)
    assert "'A'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nothing_to_score():
    with pytest.raises(AsrError, match="no reference utterances"):
        pair_up({}, {}, "error")


def test_both_kinds_of_file_give_the_same_texts(tmp_path):
    write_records(tmp_path / "r.jsonl", [
        Utterance(id="a", audio="a.wav", text="one two", speaker="s", duration=1,
                  sample_rate=16000)])
    write_records(tmp_path / "h.jsonl", [Hypothesis(id="a", text="one two")])
    (tmp_path / "x.trn").write_text("one two (a)\n")
    expected = {"a": "one two"}
    assert read_texts(tmp_path / "r.jsonl", Utterance) == expected
    assert read_texts(tmp_path / "h.jsonl", Hypothesis) == expected
    assert read_texts(tmp_path / "x.trn", Utterance) == expected


def test_another_type_of_file_is_refused(tmp_path):
    with pytest.raises(AsrError, match=r"x\.txt: expected a \.jsonl or \.trn file"):
        read_texts(tmp_path / "x.txt", Utterance)

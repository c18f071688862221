import pytest

from asr.errors import AsrError
from asr.score.pairs import pair_up
from asr.score.transcript import Transcript


def side(**texts):
    return {utterance: Transcript(text) for utterance, text in texts.items()}


REFERENCES = side(a="one", b="two", c="three")


def test_pairs_come_in_the_order_of_the_references():
    found, absent = pair_up(REFERENCES, side(c="3", a="1", b="2"), "error")
    assert [transcript.text for transcript in found] == ["1", "2", "3"]
    assert absent == []


def test_missing_hypotheses_are_an_error_or_deletions():
    with pytest.raises(AsrError, match=r"2 of 3 references have no hypothesis: 'a', 'c'; .*"
                                       "--missing deletions"):
        pair_up(REFERENCES, side(b="2"), "error")
    found, absent = pair_up(REFERENCES, side(b="2"), "deletions")
    assert [transcript.text for transcript in found] == ["", "2", ""]
    assert absent == ["a", "c"]


def test_no_hypothesis_at_all_can_be_deletions():
    assert pair_up(REFERENCES, {}, "deletions")[1] == ["a", "b", "c"]


@pytest.mark.parametrize("missing", ["error", "deletions"])
def test_unknown_ids_are_always_an_error(missing):
    hypotheses = REFERENCES | side(**{f"x{i}": "" for i in range(5)})
    with pytest.raises(AsrError, match=r"5 of 8 hypotheses have an id that is not among the "
                                       r"references: 'x0', 'x1', 'x2' and 2 more$"):
        pair_up(REFERENCES, hypotheses, missing)


def test_both_faults_are_said_in_one_line():
    with pytest.raises(AsrError) as raised:
        pair_up(side(A="x"), side(a="x"), "error")
    assert "'a'" in str(raised.value)
    assert "'A'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nothing_to_score():
    with pytest.raises(AsrError, match="no reference utterances"):
        pair_up({}, {}, "error")

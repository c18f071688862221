import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.manifest import Utterance
from asr.prepare.split import split_utterances

utterances = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["x", "y", "z y"])),
                      min_size=1, max_size=30).map(lambda pairs: [
                          Utterance(id=str(i), audio="a.wav", text=text, speaker=speaker,
                                    duration=1, sample_rate=16000)
                          for i, (speaker, text) in enumerate(pairs)])


@given(utterances, st.sampled_from(["speaker", "text"]), st.floats(0.01, 0.9))
def test_nobody_is_on_both_sides(utterances, key, share):
    names = {getattr(u, key) for u in utterances}
    try:
        rest, held_out = split_utterances(utterances, key, share)
    except AsrError:
        assert len(names) < 2 or share * len(names) > len(names) - 1
        return
    sides = [{getattr(u, key) for u in side} for side in (rest, held_out)]
    assert not sides[0] & sides[1]
    assert 0 <= len(sides[1]) - share * len(names) < 1
    assert sorted(rest + held_out, key=lambda u: int(u.id)) == utterances
    assert rest == sorted(rest, key=lambda u: int(u.id))


@given(utterances, st.floats(0.1, 0.5))
def test_who_is_held_out_stays_so_when_others_leave(utterances, share):
    names = {u.speaker for u in utterances}
    if len(names) < 3:
        return
    _, held_out = split_utterances(utterances, "speaker", share)
    gone = max(names - {u.speaker for u in held_out})
    fewer = [u for u in utterances if u.speaker != gone]
    _, again = split_utterances(fewer, "speaker", share)
    assert {u.speaker for u in again} <= {u.speaker for u in held_out}


def test_a_side_that_would_be_empty():
    alone = [Utterance(id="1", audio="a.wav", text="x", speaker="s", duration=1, sample_rate=8000)]
    with pytest.raises(AsrError, match="of 1 speakers: one side would be empty"):
        split_utterances(alone, "speaker", 0.5)

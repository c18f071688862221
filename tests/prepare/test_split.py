import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.manifest import Utterance, read_manifest, write_records
from asr.prepare.split import split_manifest, split_utterances

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


@pytest.mark.parametrize("share", [float("nan"), float("inf"), -0.5, 0, 1])
def test_no_share(manifest, share):
    with pytest.raises(AsrError, match="expected a share between 0 and 1"):
        split_utterances(read_manifest(manifest), "speaker", share)


@pytest.fixture
def manifest(tmp_path):
    """Of two speakers, with paths that count from its folder."""
    path = tmp_path / "corpus" / "all.jsonl"
    write_records(path, [Utterance(id=speaker, audio=f"wav/{speaker}.wav", text="x",
                                   speaker=speaker, duration=1, sample_rate=8000)
                         for speaker in "ab"])
    return path


def test_audio_is_where_it_was(manifest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outputs = tmp_path / "out" / "rest.jsonl", tmp_path / "dev.jsonl"
    split_manifest(manifest.relative_to(tmp_path), *outputs, "speaker", 0.5)
    found = sorted(u.audio for path in outputs for u in read_manifest(path))
    assert found == [str(tmp_path / "corpus" / "wav" / f"{name}.wav") for name in "ab"]


@pytest.mark.parametrize("names", [("corpus/all.jsonl", "dev.jsonl"),
                                   ("rest.jsonl", "out/../corpus/all.jsonl"),
                                   ("out.jsonl", "out.jsonl")])
def test_three_different_files(manifest, tmp_path, names):
    before = manifest.read_bytes()
    with pytest.raises(AsrError, match="are one file; name three different ones"):
        split_manifest(manifest, *(tmp_path / name for name in names), "speaker", 0.5)
    assert manifest.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]

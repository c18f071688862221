import dummies
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.features.store import Entry, Store, write_store
from asr.tune.folds import speaker_folds


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Seven speakers of one to seven utterances, each at two speeds."""
    path = tmp_path_factory.mktemp("folds") / "store"
    frames = dummies.speak("one", dummies.np.random.default_rng(0))
    write_store(path, dummies.FEATURES, [
        (Entry(id=f"{s}-{i}", text="one", speaker=f"s{s}", speed=speed), frames)
        for s in (5, 3, 6, 1, 0, 4, 2) for i in range(s + 1) for speed in (0.9, 1.0)])
    return Store.open(path)


def speakers(store):
    return {entry.speaker for entry in store.entries}


@given(count=st.integers(2, 7))
def test_folds_are_disjoint_by_speaker_and_cover_all(store, count):
    folds = speaker_folds(store, count)
    assert len(folds) == count
    measured = [entry.id for _, part in folds for entry in part.entries]
    assert sorted(measured) == sorted({entry.id for entry in store.entries})
    for training, development in folds:
        assert not speakers(training) & speakers(development)
        assert speakers(training) | speakers(development) == speakers(store)
        assert {entry.speed for entry in development.entries} == {1.0}
        assert {entry.speed for entry in training.entries} == {0.9, 1.0}
        left_out = [e for e in store.entries if e.speaker in speakers(development)]
        assert len(training) + len(left_out) == len(store)


def test_folds_depend_on_names_alone(store):
    backwards = store.subset(range(len(store))[::-1])
    assert [speakers(part) for _, part in speaker_folds(store, 3)] == [
        {"s0", "s3", "s6"}, {"s1", "s4"}, {"s2", "s5"}]
    assert [speakers(part) for _, part in speaker_folds(backwards, 3)] == [
        speakers(part) for _, part in speaker_folds(store, 3)]


def test_a_store_without_copies_at_its_own_speed_is_measured_as_it_is(store):
    slow = store.subset([i for i, entry in enumerate(store.entries) if entry.speed != 1])
    assert sum(len(part) for _, part in speaker_folds(slow, 2)) == len(slow)


def test_too_few_speakers(store):
    with pytest.raises(AsrError, match="7 speakers cannot make 8 folds"):
        speaker_folds(store, 8)

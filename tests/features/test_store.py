import json

import numpy as np
import pytest

from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.store import Entry, Store, write_store

CONFIG = FeatureConfig(mels=8)


def items(lengths=(5, 0, 7)):
    random = np.random.default_rng(0)
    for i, length in enumerate(lengths):
        yield (Entry(id=f"u{i}", text="a b", speaker="s", speed=1.1),
               random.standard_normal((length, 8)).astype(np.float16))


@pytest.fixture
def path(tmp_path):
    write_store(tmp_path / "store", CONFIG, items())
    return tmp_path / "store"


def test_gives_back_what_was_written(path):
    store = Store.open(path, CONFIG)
    assert len(store) == 3
    assert store.config == CONFIG
    for i, (entry, frames) in enumerate(items()):
        assert store.entries[i] == entry
        np.testing.assert_array_equal(store.frames(i), frames)
        np.testing.assert_allclose(store.moments[i][2], (frames.astype(float) ** 2).sum(0))
    assert store.lengths.tolist() == [5, 0, 7]


def test_empty_store(tmp_path):
    write_store(tmp_path / "s", CONFIG, [])
    assert len(Store.open(tmp_path / "s")) == 0


def test_a_changed_configuration_is_refused_by_field(path):
    with pytest.raises(AsrError, match="mels=8, not 40"):
        Store.open(path, FeatureConfig(mels=40))


def test_an_edited_configuration_is_refused(path):
    header = json.loads((path / "store.json").read_text())
    header["config"]["low_freq"] = 60.0
    (path / "store.json").write_text(json.dumps(header))
    with pytest.raises(AsrError, match="edited"):
        Store.open(path)


def test_a_missing_store(tmp_path):
    with pytest.raises(AsrError, match="no feature store"):
        Store.open(tmp_path / "nothing")


def test_a_half_written_folder_is_refused(path):
    (path / "store.json").unlink()
    with pytest.raises(AsrError, match="not a finished"):
        Store.open(path)


@pytest.mark.parametrize("name", ["frames.f16", "moments.npy", "offsets.npy", "utterances.jsonl"])
def test_a_cut_file_is_refused(path, name):
    data = (path / name).read_bytes()
    (path / name).write_bytes(data[:len(data) // 2])
    with pytest.raises(AsrError):
        Store.open(path)


def test_claims_of_the_header_are_checked_before_memory_is_taken(path):
    header = json.loads((path / "store.json").read_text())
    (path / "store.json").write_text(json.dumps(header | {"frames": 10**15}))
    with pytest.raises(AsrError, match="do not fit together"):
        Store.open(path)


def test_a_fault_in_the_middle_leaves_nothing(tmp_path):
    def faulty():
        yield from items()
        raise AsrError("no more")

    with pytest.raises(AsrError, match="no more"):
        write_store(tmp_path / "store", CONFIG, faulty())
    assert list(tmp_path.iterdir()) == []


def test_a_subset_is_a_store_of_those_entries(path):
    store = Store.open(path)
    some = store.subset([2, 0])
    assert some.entries == [store.entries[2], store.entries[0]]
    assert some.lengths.tolist() == [7, 5]
    for index, original in enumerate([2, 0]):
        np.testing.assert_array_equal(some.frames(index), store.frames(original))
        np.testing.assert_array_equal(some.moments[index], store.moments[original])
    assert np.shares_memory(some.frames(0), store.frames(2))
    assert some.subset([1]).entries == [store.entries[0]]


def test_texts_may_hold_any_sign_that_ends_lines_elsewhere(tmp_path):
    text = "a\x85b\u2028c\x0bd"
    write_store(tmp_path / "store", CONFIG, [
        (Entry(id="u", text=text, speaker="s"), np.zeros((3, 8), np.float16))])
    assert Store.open(tmp_path / "store").entries[0].text == text

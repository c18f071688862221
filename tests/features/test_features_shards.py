"""The stage in shards; `tests/test_pipeline.py` runs it as a whole."""

import itertools
import json
import tracemalloc

import numpy as np
import pytest
import soundfile

from asr.augment.config import AugmentConfig
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.stage import make_store
from asr.features.store import Entry, Store, write_store
from asr.shards import Shard

CONFIG = FeatureConfig(mels=12, sample_rate=8000)
SPEEDS = [0.9, 1.0]


@pytest.fixture
def manifest(tmp_path):
    """Seven recordings, one of them shorter than a window."""
    random = np.random.default_rng(0)
    lines = []
    for i, seconds in enumerate([0.3, 0.01, 0.8, 0.5, 0.4, 0.2, 0.6]):
        audio = tmp_path / f"{i}.wav"
        soundfile.write(audio, 0.1 * random.standard_normal(round(8000 * seconds)), 8000)
        lines.append({"id": f"u{i}", "audio": audio.name, "text": f"text {i}", "speaker": "s",
                      "duration": seconds, "sample_rate": 8000})
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def make(manifest, store, number=1, count=1, config=CONFIG):
    make_store(manifest, store, config, AugmentConfig(speeds=SPEEDS), 2, Shard(number, count))


def content(store):
    return {path.name: path.read_bytes() for path in store.iterdir()}


def left(folder):
    """What is in the folder beside audio, manifest and the whole store."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != "whole")


@pytest.mark.parametrize("count", [2, 3, 9])
def test_the_merged_store_has_the_bytes_of_the_whole(manifest, tmp_path, count):
    """Also where there are more shards than utterances."""
    make(manifest, tmp_path / "whole")
    for number in reversed(range(1, count + 1)):
        make(manifest, tmp_path / "store", number, count)
    assert content(tmp_path / "store") == content(tmp_path / "whole")
    assert left(tmp_path) == ["store"]


def test_a_rerun_computes_only_what_is_missing(manifest, tmp_path):
    """The audio of finished shards is no longer there."""
    make(manifest, tmp_path / "whole")
    audio = [tmp_path / f"{i}.wav" for i in range(7)]
    audio[4].rename(tmp_path / "away")
    for number in (1, 3):
        make(manifest, tmp_path / "store", number, 3)
    with pytest.raises(AsrError, match=r"utterance u4: .*4\.wav: no such file"):
        make(manifest, tmp_path / "store", 2, 3)
    (tmp_path / "away").rename(audio[4])
    for path in itertools.chain(audio[0::3], audio[2::3]):
        path.unlink()
    for number in (1, 2):
        make(manifest, tmp_path / "store", number, 3)
    assert content(tmp_path / "store") == content(tmp_path / "whole")


def test_a_store_is_replaced_and_somebodys_folder_is_not(manifest, tmp_path):
    make(manifest, tmp_path / "store", config=FeatureConfig(mels=4, sample_rate=8000))
    make(manifest, tmp_path / "whole")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").touch()
    for name in ("store", "own"):
        make(manifest, tmp_path / name, 1, 2)
    make(manifest, tmp_path / "store", 2, 2)
    assert content(tmp_path / "store") == content(tmp_path / "whole")
    with pytest.raises(AsrError, match=r"own holds other files \(thesis\.tex\)"):
        make(manifest, tmp_path / "own", 2, 2)
    (tmp_path / "own" / "thesis.tex").unlink()
    make(manifest, tmp_path / "own", 1, 2)  # nothing was lost
    assert content(tmp_path / "own") == content(tmp_path / "whole")


def test_parts_of_another_configuration_or_manifest_are_not_merged(manifest, tmp_path):
    make(manifest, tmp_path / "store", 1, 2)
    make(manifest, tmp_path / "store", 2, 2, FeatureConfig(mels=20, sample_rate=8000))
    manifest.write_text(manifest.read_text().replace("text 3", "other 3"))
    make(manifest, tmp_path / "store", 2, 2)
    assert not (tmp_path / "store").exists()
    make(manifest, tmp_path / "store", 1, 2)
    make(manifest, tmp_path / "whole")
    assert content(tmp_path / "store") == content(tmp_path / "whole")


def test_parts_with_other_noise_are_not_merged(manifest, tmp_path):
    noise = tmp_path / "noise"
    noise.mkdir()
    augment = AugmentConfig(copies=1, noise={"probability": 1, "folder": noise})
    for number in (1, 2):
        soundfile.write(noise / f"{number}.wav", 0.1 * np.ones(800 * number), 8000)
        make_store(manifest, tmp_path / "store", CONFIG, augment, 1, Shard(number, 2))
    assert not (tmp_path / "store").exists()
    make_store(manifest, tmp_path / "store", CONFIG, augment, 1, Shard(1, 2))
    assert (tmp_path / "store").exists()


def test_the_sums_of_a_large_corpus_are_not_kept_in_memory(tmp_path):
    config = FeatureConfig(mels=80)
    frames = np.zeros((1, config.dimension), np.float16)
    items = ((Entry(id=str(i), text="", speaker=""), frames) for i in range(5_000))
    sums = 5_000 * 1_920  # bytes
    tracemalloc.start()
    write_store(tmp_path / "store", config, items)
    assert tracemalloc.get_traced_memory()[1] < sums / 4
    store = Store.open(tmp_path / "store")
    store.fingerprint([""] * 5_000)
    assert tracemalloc.get_traced_memory()[1] < sums * 3 / 4  # half of them are the entries
    tracemalloc.stop()

"""asr features: the copies that a store holds, whatever the threads and the order."""

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from asr.augment import part
from asr.augment.config import AugmentConfig
from asr.cli import asr
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.extract import extract
from asr.features.stage import make_store
from asr.features.store import Store
from asr.manifest import Utterance, read_manifest, write_records

RATE = 16_000
CONFIG = FeatureConfig(mels=20)
PARTS = {name: {"probability": 0.7} for name in (
    "reverberation", "coloured_noise", "babble", "volume", "telephone")}
AUGMENT = AugmentConfig(speeds=(0.9, 1), copies=2, **PARTS)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audio")
    random = np.random.default_rng(0)
    for i in range(9):
        soundfile.write(folder / f"{i}.wav", random.uniform(-0.3, 0.3, 6000 + 300 * i), RATE)
    write_records(folder / "all.jsonl", [
        Utterance(id=f"u{i}", audio=f"{i}.wav", text="a b", speaker="s",
                  duration=(6000 + 300 * i) / RATE, sample_rate=RATE) for i in range(9)])
    return folder / "all.jsonl"


def entries(store):
    """Frames by id, speed and copy number."""
    return {(entry.id, entry.speed, entry.copy_number): store.frames(i).tobytes()
            for i, entry in enumerate(store.entries)}


def made(manifest, path, augment=AUGMENT, threads=1):
    make_store(manifest, path, CONFIG, augment, threads)
    return entries(Store.open(path, CONFIG))


def test_copies_do_not_depend_on_threads_and_order(manifest, tmp_path):
    expected = made(manifest, tmp_path / "one")
    assert len(expected) == 9 * 4 == len(set(expected.values()))
    assert {key[1:] for key in expected} >= {(0.9, 0), (1.0, 0)}
    assert {key[2] for key in expected} == {0, 1, 2}
    assert made(manifest, tmp_path / "four", threads=4) == expected
    write_records(manifest.parent / "turned.jsonl", read_manifest(manifest)[::-1])
    assert made(manifest.parent / "turned.jsonl", tmp_path / "turned", threads=2) == expected
    other = made(manifest, tmp_path / "other", AUGMENT.model_copy(update={"seed": 1}))
    assert all(other.get(key) != frames for key, frames in expected.items() if key[2])
    assert all(other[key] == frames for key, frames in expected.items() if not key[2])


def test_without_augmentation_it_is_the_audio_alone(manifest, tmp_path):
    found = made(manifest, tmp_path / "plain", AugmentConfig())
    samples, _ = soundfile.read(manifest.parent / "3.wav", dtype="float32")
    assert len(found) == 9
    assert found["u3", 1.0, 0] == extract(samples, CONFIG).tobytes()


def test_a_store_from_before_there_were_augmented_copies(manifest, tmp_path):
    expected = made(manifest, tmp_path / "store", AugmentConfig())
    path = tmp_path / "store" / "utterances.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(line.pop("copy_number") == 0 for line in lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert entries(Store.open(tmp_path / "store", CONFIG)) == expected


def run(manifest, tmp_path, *arguments):
    return CliRunner().invoke(asr, ["features", str(manifest), str(tmp_path / "store"), "mels=20",
                                    *arguments])


def test_speeds_are_short_for_a_file_of_them(manifest, tmp_path):
    expected = made(manifest, tmp_path / "expected", AugmentConfig(speeds=(0.9, 1.1)))
    assert run(manifest, tmp_path, "--speeds", "0.9,1.1").exit_code == 0
    assert entries(Store.open(tmp_path / "store")) == expected
    (tmp_path / "a.yaml").write_text(AUGMENT.model_dump_json())
    assert run(manifest, tmp_path, "--augment", str(tmp_path / "a.yaml")).exit_code == 0
    assert entries(Store.open(tmp_path / "store")) == made(manifest, tmp_path / "expected")


@pytest.mark.parametrize(("arguments", "message"), [
    (["--speeds", "9"], "`speeds.0`: input should be less than or equal to 4"),
    (["--speeds", "fast"], "`speeds.0`: input should be a valid number"),
    (["--speeds", ""], "`speeds`: tuple should have at least 1 item"),
    (["--augment", "none.yaml"], "none.yaml: no such file"),
])
def test_faults_are_one_line(manifest, tmp_path, arguments, message):
    error = run(manifest, tmp_path, *arguments).exception
    assert isinstance(error, AsrError)
    assert message in str(error) and "\n" not in str(error)
    assert not (tmp_path / "store").exists()


def test_noise_that_turns_out_unreadable_leaves_no_store(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(part, "_IN_MEMORY", 0)
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise/a.wav", np.full(9 * RATE, np.nan), RATE, subtype="FLOAT")
    augment = AugmentConfig(copies=1, noise={"probability": 1, "folder": tmp_path / "noise"})
    with pytest.raises(AsrError, match=r"noise/a\.wav: holds samples that are not finite"):
        make_store(manifest, tmp_path / "store", CONFIG, augment, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["noise"]

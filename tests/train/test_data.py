"""What training takes of a store that holds several copies of each utterance."""

import numpy as np
import pytest
from dummies import FEATURES, WORDS

from asr.features.store import Entry, Store, write_store
from asr.model.config import ModelConfig
from asr.model.network import Network
from asr.text.units import CharacterUnits
from asr.train.data import TrainingSet
from asr.train.stage import _statistics

COPIES = [(0.9, 0), (1.0, 0), (1.0, 1), (0.9, 2)]
UNITS = CharacterUnits.from_texts(WORDS)
NETWORK = Network(ModelConfig(layers=1, units=4, channels=2), FEATURES.dimension, len(UNITS))


def store(path, copies=COPIES, seed=0, offset=0.0, cmvn="utterance"):
    """Plain frames from one seed, augmented ones from another and around `offset`."""
    def items():
        plain, augmented = np.random.default_rng(0), np.random.default_rng(seed)
        for i in range(20):
            for speed, number in copies:
                random = augmented if number else plain
                frames = random.standard_normal((60, 12)) + (offset if number else 0)
                yield (Entry(id=f"u{i}", text="one two", speaker=f"s{i % 2}", speed=speed,
                             copy_number=number), frames.astype(np.float16))
    write_store(path, FEATURES.model_copy(update={"cmvn": cmvn}), items())
    return Store.open(path)


def training_set(store):
    return TrainingSet(store, _statistics(store, None), store.texts("none"), UNITS, NETWORK,
                       "refuse")


def test_an_epoch_hears_one_copy_of_each_utterance_and_in_time_all(tmp_path):
    opened = store(tmp_path / "store")
    data = training_set(opened)
    heard = set()
    for epoch in range(40):
        entries = [opened.entries[i] for batch in data.plan(0, epoch, 300) for i in batch]
        assert sorted(entry.id for entry in entries) == sorted(f"u{i}" for i in range(20))
        heard |= {(entry.id, entry.speed, entry.copy_number) for entry in entries}
    assert len(heard) == 20 * len(COPIES)


def test_the_fingerprint_tells_copies_apart(tmp_path):
    variants = {"these": {}, "fewer": {"copies": COPIES[:3]}, "plain": {"copies": COPIES[:2]},
                "other noise": {"seed": 1}, "plain instead": {"copies": [(0.9, 0), (1.0, 0)] * 2}}
    prints = {name: training_set(store(tmp_path / name, **options)).fingerprint()
              for name, options in variants.items()}
    assert len(set(prints.values())) == len(variants)
    assert training_set(store(tmp_path / "again")).fingerprint() == prints["these"]


@pytest.mark.parametrize("cmvn", ["utterance", "speaker"])
def test_plain_copies_are_normalised_as_if_there_were_no_others(tmp_path, cmvn):
    mixed = store(tmp_path / "mixed", offset=50.0, cmvn=cmvn)
    alone = store(tmp_path / "alone", copies=COPIES[:2], cmvn=cmvn)
    plain = [i for i, entry in enumerate(mixed.entries) if not entry.copy_number]
    found = _statistics(mixed, None)
    np.testing.assert_array_equal(found[plain], _statistics(alone, None))
    augmented = [i for i, entry in enumerate(mixed.entries) if entry.copy_number]
    assert found[augmented, 0].mean() == pytest.approx(50, abs=0.5)

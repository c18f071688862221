"""What training takes of a store that holds several copies of each utterance."""

import numpy as np
import pytest
import torch
from dummies import FEATURES, WORDS

from asr.augment.spec_augment_config import SpecAugmentConfig
from asr.errors import AsrError
from asr.features.store import Entry, Store, write_store
from asr.model.config import ModelConfig
from asr.model.network import Network
from asr.text.units import CharacterUnits
from asr.train.data import TrainingSet
from asr.train.objective import Objective
from asr.train.stage import _statistics
from asr.train.step import Gradients

COPIES = [(0.9, 0), (1.0, 0), (1.0, 1), (0.9, 2)]
UNITS = CharacterUnits.from_texts(WORDS)
NETWORK = Network(ModelConfig(layers=1, units=4, channels=2), FEATURES.dimension, len(UNITS))


def store(path, copies=COPIES, seed=0, speech=0, offset=0.0, cmvn="utterance"):
    """Plain frames from the seed `speech`, augmented ones from `seed` and around `offset`."""
    def items():
        plain, augmented = np.random.default_rng(speech), np.random.default_rng(seed)
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
                       "refuse", nonspeech=False)


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
                "other noise": {"seed": 1}, "other speech": {"speech": 1},
                "plain instead": {"copies": [(0.9, 0), (1.0, 0)] * 2}}
    prints = {name: training_set(store(tmp_path / name, **options)).fingerprint
              for name, options in variants.items()}
    assert len(set(prints.values())) == len(variants)
    assert training_set(store(tmp_path / "again")).fingerprint == prints["these"]


@pytest.mark.parametrize("cmvn", ["utterance", "speaker"])
def test_plain_copies_are_normalised_as_if_there_were_no_others(tmp_path, cmvn):
    mixed = store(tmp_path / "mixed", offset=50.0, cmvn=cmvn)
    alone = store(tmp_path / "alone", copies=COPIES[:2], cmvn=cmvn)
    plain = [i for i, entry in enumerate(mixed.entries) if not entry.copy_number]
    found = _statistics(mixed, None)
    np.testing.assert_array_equal(found[plain], _statistics(alone, None))
    augmented = [i for i, entry in enumerate(mixed.entries) if entry.copy_number]
    assert found[augmented, 0].mean() == pytest.approx(50, abs=0.5)


def nonspeech_store(path):
    with_text = np.random.default_rng(0).standard_normal((2, 60, 12)).astype(np.float16)
    write_store(path, FEATURES, [
        (Entry(id=f"u{i}", text=text, speaker="s", speed=1.0), frames)
        for i, (text, frames) in enumerate(zip(["one two", ""], with_text, strict=True))])
    return Store.open(path)


def test_utterances_without_text_are_unfit_unless_they_are_to_be_learned(tmp_path):
    opened = nonspeech_store(tmp_path / "store")
    arguments = opened, _statistics(opened, None), opened.texts("none"), UNITS, NETWORK
    with pytest.raises(AsrError, match=r"1 of 2 entries unfit for CTC .u1: no text\)"):
        TrainingSet(*arguments, "refuse", nonspeech=False)
    assert len(TrainingSet(*arguments, "drop", nonspeech=False).copies) == 1
    data = TrainingSet(*arguments, "refuse", nonspeech=True)
    batch = data.batch([0, 1], 0, 1, SpecAugmentConfig(), 1, 0, 1)
    assert (batch.label_lengths.tolist(), batch.total_labels) == ([7, 0], 8)


def test_silence_is_learned_as_blanks(tmp_path, monkeypatch):
    """Its loss is the negative log probability of a path of blanks, the only one."""
    opened = nonspeech_store(tmp_path / "store")
    data = TrainingSet(opened, _statistics(opened, None), opened.texts("none"), UNITS, NETWORK,
                       "refuse", nonspeech=True)
    monkeypatch.setattr(NETWORK, "config", NETWORK.config.model_copy(update={"dropout": 0.0}))
    nothing = SpecAugmentConfig(frequency_masks=0, time_masks_per_second=0)
    batch = data.batch([1], 0, 1, nothing, 1, 0, 1)
    gradients = Gradients(NETWORK, torch.device("cpu"), torch.float32,
                          torch.amp.GradScaler("cpu", enabled=False), Objective(), 0.0)
    loss = gradients.add(batch)
    NETWORK.zero_grad()
    frames = batch.frames
    with torch.inference_mode():
        posteriors = NETWORK(frames.x, frames.lengths, frames.statistics)
    torch.testing.assert_close(loss, -posteriors[:, 0, 0].sum())

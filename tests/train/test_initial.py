import json
import shutil

import pytest
import torch
from dummies import TINY, write_speech

from asr.config import load_config
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.store import Store, config_hash
from asr.model.bundle import load_bundle
from asr.train.config import TrainConfig
from asr.train.stage import prepare_training, train_model


def config(*overrides):
    return load_config(TrainConfig, None, [*TINY, *overrides])


@pytest.fixture(scope="module")
def trained(stores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "model"
    return train_model(folder, *stores, config("epochs=8", "batch_seconds=3", "model.dropout=0"),
                       resume=False)


def started(trained, stores, tmp_path, *overrides):
    return prepare_training(tmp_path / "m", *map(Store.open, stores), config(*overrides), trained)


def test_with_the_same_units_it_is_the_same_network(trained, stores, tmp_path):
    trainer, _ = started(trained, stores, tmp_path)
    bundle = load_bundle(trained)
    for name, tensor in trainer.network.state_dict().items():
        assert torch.equal(tensor, bundle.network.state_dict()[name])
    assert len(trainer.initial["sha256"]) == 64


def test_units_that_both_know_keep_their_rows(trained, stores, tmp_path, capsys):
    texts = ["zinc tin", "tin"] * 4
    new = write_speech(tmp_path / "new", 0, seed=3, texts=texts)
    trainer, _ = started(trained, (new, new), tmp_path)
    assert trainer.units.symbols == ["<blank>", "|", "c", "i", "n", "t", "z"]
    bundle, head = load_bundle(trained), trainer.network.head
    for row, symbol in enumerate(trainer.units.symbols):
        if symbol in bundle.units.symbols:
            old = bundle.units.symbols.index(symbol)
            assert torch.equal(head.weight[row], bundle.network.head.weight[old])
            assert torch.equal(head.bias[row], bundle.network.head.bias[old])
    assert "5 of 7 units" in capsys.readouterr().err  # neither c nor z is in the digits


def test_the_bundles_units_stay_where_they_spell_the_texts(trained, stores, tmp_path):
    few = write_speech(tmp_path / "few", 0, seed=4, texts=["one", "two"] * 4)
    trainer, _ = started(trained, (few, few), tmp_path)
    assert trainer.units.symbols == load_bundle(trained).units.symbols


def test_a_lexicon_that_is_named_is_taken(stores, tmp_path):
    lexicons = []
    for name, two in (("old", "T UW"), ("new", "T OO")):
        lexicons.append(tmp_path / name)
        lexicons[-1].write_text(f"one W AH N\ntwo {two}\n")
    spoken = write_speech(tmp_path / "spoken", 0, seed=4, texts=["one", "two"] * 4)
    phones = ["units.kind=phones", "epochs=1"]
    bundle = train_model(tmp_path / "trained", spoken, spoken,
                         config(*phones, f"units.lexicon={lexicons[0]}"), resume=False)
    kept, _ = started(bundle, (spoken, spoken), tmp_path, *phones)
    assert "UW" in kept.units.symbols
    other, _ = started(bundle, (spoken, spoken), tmp_path, *phones, f"units.lexicon={lexicons[1]}")
    assert "OO" in other.units.symbols and "UW" not in other.units.symbols


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    return write_speech(tmp_path_factory.mktemp("spoken") / "store", 0, seed=4,
                        texts=["one", "two", "four", "ten"] * 3)


@pytest.fixture(scope="module")
def phones(spoken, tmp_path_factory):
    """A bundle of the phones of all words that are spoken."""
    folder = tmp_path_factory.mktemp("phones")
    (folder / "lexicon").write_text("one W AH N\ntwo T UW\nfour F AO R\nten T EH N\n")
    return train_model(folder / "model", spoken, spoken, config(
        "epochs=1", "units.kind=phones", f"units.lexicon={folder / 'lexicon'}"), resume=False)


@pytest.fixture(scope="module")
def pairs(spoken, tmp_path_factory):
    """A bundle of 14 byte pairs."""
    return train_model(tmp_path_factory.mktemp("pairs") / "model", spoken, spoken,
                       config("epochs=1", "units.kind=bpe", "units.size=14"), resume=False)


@pytest.mark.parametrize("asked", [
    [], ["units.kind=bpe"], ["units.size=14", "units.kind=bpe"]])
def test_byte_pairs_stay_unless_others_are_asked_for(asked, pairs, spoken, tmp_path):
    trainer, _ = started(pairs, (spoken, spoken), tmp_path, *asked)
    assert trainer.units.symbols == load_bundle(pairs).units.symbols
    assert (trainer.config.units.kind, trainer.config.units.size) == ("bpe", 14)


def test_another_number_or_kind_is_made_anew(pairs, phones, spoken, tmp_path):
    trainer, _ = started(pairs, (spoken, spoken), tmp_path, "units.kind=bpe", "units.size=16")
    assert len(trainer.units) == trainer.config.units.size == 16
    for bundle in (pairs, phones):
        trainer, _ = started(bundle, (spoken, spoken), tmp_path, "units.kind=characters")
        assert trainer.config.units.kind == "characters" and "|" in trainer.units.symbols


@pytest.mark.parametrize("asked", [[], ["units.kind=phones"]])
def test_words_that_the_kept_lexicon_lacks_are_unfit(asked, phones, tmp_path):
    more = write_speech(tmp_path / "more", 0, seed=4, texts=["one", "two", "one six"] * 3)
    with pytest.raises(AsrError, match=r"3 of 9 entries unfit .* no units for `one six`"):
        started(phones, (more, more), tmp_path, *asked)
    trainer, _ = started(phones, (more, more), tmp_path, *asked, "unfit=drop")
    assert len(trainer.training.copies) == 6


def test_the_new_bundle_tells_the_units_that_it_has(phones, spoken, tmp_path):
    for _ in ("trained", "resumed"):
        train_model(tmp_path / "m", spoken, spoken, config("epochs=1"), resume=True,
                    initial=phones)
    bundle = load_bundle(tmp_path / "m" / "bundle")
    assert bundle.units.symbols == load_bundle(phones).units.symbols
    assert bundle.config.provenance["training"]["units"]["kind"] == "phones"


def test_its_network_is_taken_but_for_what_is_given(trained, stores, tmp_path):
    settings = load_config(TrainConfig, None, ["model.dropout=0.3", "epochs=1"])
    trainer, _ = prepare_training(tmp_path / "m", *map(Store.open, stores), settings, trained)
    expected = load_bundle(trained).config.model.model_copy(update={"dropout": 0.3})
    assert trainer.config.model == trainer.network.config == expected
    new = load_bundle(train_model(tmp_path / "m", *stores, settings, False, trained))
    assert new.config.model == expected


def test_another_shape_takes_what_fits(trained, stores, tmp_path, capsys):
    started(trained, stores, tmp_path, "model.layers=2", "seed=77")
    said = capsys.readouterr().err
    names = load_bundle(trained).network.state_dict()
    assert f"{len(names) - 2} of " in said
    with pytest.raises(AsrError, match="no part of that network has the shapes"):
        started(trained, stores, tmp_path, "model.units=9", "model.channels=3",
                "model.front_end=stack")


def test_other_features_are_refused(trained, stores, tmp_path):
    store = tmp_path / "store"
    write_speech(store, 4, seed=1)
    header = json.loads((store / "store.json").read_text())
    header["config"]["cmvn"] = "none"
    header["hash"] = config_hash(FeatureConfig(**header["config"]))
    (store / "store.json").write_text(json.dumps(header))
    with pytest.raises(AsrError, match="cmvn='none', not 'utterance'"):
        started(trained, (store, store), tmp_path)


def test_it_starts_where_the_other_has_ended_and_frozen_parts_stay(trained, stores, tmp_path):
    settings = config("epochs=2", "learning_rate=1e-4", "rates={front_end: 0}", "model.dropout=0")
    train_model(tmp_path / "m", *stores, settings, resume=False, initial=trained)
    first = json.loads((tmp_path / "m" / "metrics.jsonl").read_text().splitlines()[0])
    reached = load_bundle(trained).config.provenance["development"]
    assert first["dev_loss"] == pytest.approx(reached["loss"], rel=0.1)
    new = load_bundle(tmp_path / "m" / "bundle")
    assert new.config.provenance["initial"]["bundle"] == str(trained)
    old = load_bundle(trained).network.state_dict()
    for name, tensor in new.network.state_dict().items():
        assert torch.equal(tensor, old[name]) == name.startswith("front_end.")


def test_it_goes_on_from_the_weights_that_it_began_with_alone(trained, stores, tmp_path):
    def go_on(name, initial):
        train_model(tmp_path / name, *stores, settings, resume=True, initial=initial)
    settings, copy, other = config("epochs=1"), tmp_path / "copy", tmp_path / "other"
    for folder in (copy, other):
        shutil.copytree(trained, folder)
    weights = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    go_on("begun", trained)
    go_on("begun", copy)
    for initial in (None, other):
        with pytest.raises(AsrError, match=f"begun from --init {trained} .*resume with the same"):
            go_on("begun", initial)
    go_on("random", None)
    with pytest.raises(AsrError, match="begun without --init; resume without it"):
        go_on("random", trained)

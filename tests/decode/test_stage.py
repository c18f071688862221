"""The stage with the search among threads, with the search on the network's device, in shards."""

import numpy as np
import pytest
import torch
from dummies import FEATURES, unigrams, write_speech
from hypothesis import given
from hypothesis import strategies as st

from asr.decode import stage
from asr.decode.config import DecodeConfig
from asr.decode.device_scorer import NullDeviceScorer, device_scorer
from asr.decode.device_stage import scorer_on, search_batches
from asr.decode.hypotheses import Search, decode_labellings
from asr.decode.lexicon import Lexicon
from asr.decode.scorer import NO_SCORER
from asr.decode.settings import SearchRequest
from asr.decode.stage import decode_store
from asr.decode.word_lm import word_scorer
from asr.errors import AsrError
from asr.features import batch as feature_batch
from asr.features.batch import cut_batches
from asr.lm.binary import save_lm
from asr.manifest import Hypothesis, read_records
from asr.model.bundle import Bundle, BundleConfig, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.shards import Shard
from asr.text.units import CharacterUnits, Spellings

UNITS = CharacterUnits.from_texts(["abcdefghijklmnopqrstuvwxyz "])
CPU = torch.device("cpu")


@pytest.fixture
def bundle(tmp_path):
    """A network that has learnt nothing, with large enough weights to be sure of things."""
    config = BundleConfig(features=FEATURES, normaliser="none",
                          model=ModelConfig(layers=1, units=8, channels=2))
    torch.manual_seed(0)
    weights = arrays(Network(config.model, FEATURES.mels, len(UNITS)).state_dict())
    weights["head.weight"] *= 20
    save_bundle(tmp_path / "bundle", config, UNITS, weights, None)
    return tmp_path / "bundle"


@pytest.mark.parametrize("lm", [False, True])
def test_a_search_on_the_device_changes_nothing(bundle, stores, tmp_path, monkeypatch, lm):
    monkeypatch.setattr(feature_batch, "BATCH_FRAMES", 400)  # several batches
    if lm:
        save_lm(tmp_path / "characters.lm",
                unigrams("|", *"abcdefghij", log_prob=np.linspace(-1, -4, 14)))
    request = SearchRequest({"beam": 6, "nbest": 3}, tmp_path / "characters.lm" if lm else None)
    decode_store(bundle, stores[1], tmp_path / "threads.jsonl", request, 2)
    monkeypatch.setattr(stage, "inference_device", lambda: "cpu:0")  # not "cpu": by torch
    decode_store(bundle, stores[1], tmp_path / "device.jsonl", request, 2)
    expected, found = (read_records(tmp_path / name, Hypothesis)
                       for name in ("threads.jsonl", "device.jsonl"))
    assert len(found) == 11
    assert any(hypothesis.text for hypothesis in found)
    for there, here in zip(found, expected, strict=True):
        assert there.score == pytest.approx(here.score, abs=1e-3)  # the posteriors are torch's
        assert [a.text for a in there.nbest] == [a.text for a in here.nbest]
        assert [a.lm for a in there.nbest] == pytest.approx([a.lm for a in here.nbest])
        for word, same in zip(there.words, here.words, strict=True):
            assert word.confidence == pytest.approx(same.confidence, abs=1e-4)
            assert word == same.model_copy(update={"confidence": word.confidence})


def test_where_to_search():
    lexicon = Lexicon.build(Spellings.join([UNITS.encode("ab")], [3]))
    scorer = word_scorer(unigrams("ab"), lexicon, UNITS.parts, 1.0, 0.0, -20.0)
    wide = Search(DecodeConfig(beam=64))
    assert isinstance(scorer_on("cuda", wide), NullDeviceScorer)
    assert scorer_on("cuda", Search(DecodeConfig())) is None
    assert scorer_on("cuda", wide._replace(scorer=scorer)) is None
    assert scorer_on("cuda", Search(DecodeConfig(search="greedy"))) is None
    priors = DecodeConfig(beam=64, prior_weight=0.5, label_priors=[1 / len(UNITS)] * len(UNITS))
    assert scorer_on("cuda", Search(priors)) is None


def test_what_are_no_posteriors_is_named():
    rows = torch.full((5, len(UNITS)), -np.log(len(UNITS)))
    wrong = rows.clone()
    wrong[3, 2] = np.nan
    config = DecodeConfig()
    found = search_batches([[rows, wrong]], config, device_scorer(NO_SCORER, CPU))
    with pytest.raises(AsrError, match="utterance v: frame 3"):
        list(decode_labellings(["u", "v"], found, UNITS, 0.03, Search(config), 1))


def test_copies_are_for_training(bundle, stores, tmp_path):
    with pytest.raises(AsrError, match=r"40 of 80 entries are copies.* without --speeds"):
        decode_store(bundle, stores[0], tmp_path / "out.jsonl", SearchRequest({}), 1)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("count", [2, 3, 20])
def test_shards_give_the_bytes_of_the_whole(bundle, tmp_path, monkeypatch, count):
    """With 20 shards some have no batch."""
    seen = []
    store = write_speech(tmp_path / "store", 80, seed=1)

    def noted(bundle, frames, statistics):
        seen.append([len(f) for f in frames])
        return posteriors(bundle, frames, statistics)
    posteriors = Bundle.log_posteriors
    monkeypatch.setattr(Bundle, "log_posteriors", noted)
    monkeypatch.setattr(feature_batch, "BATCH_FRAMES", 900)
    request = SearchRequest({"beam": 4, "nbest": 2})
    decode_store(bundle, store, tmp_path / "whole.jsonl", request, 2)
    batches = sorted(seen)
    seen.clear()
    for number in reversed(range(1, count + 1)):
        assert not (tmp_path / "out.jsonl").exists()
        decode_store(bundle, store, tmp_path / "out.jsonl", request, 2, Shard(number, count))
    assert sorted(seen) == batches
    assert 3 < len(batches) < 20
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bundle", "out.jsonl", "store", "whole.jsonl"]


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 200), st.integers(1, 7))
def test_the_batches_of_a_shard_are_cut_again_as_they_were(lengths, most, count):
    lengths = np.sort(np.array(lengths, int))
    batches = list(cut_batches(range(len(lengths)), lengths, most))
    for number in range(1, count + 1):
        share = Shard(number, count).share(batches)
        assert list(cut_batches([i for batch in share for i in batch], lengths, most)) == share


def test_a_rerun_decodes_only_what_is_missing(bundle, stores, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_batch, "BATCH_FRAMES", 400)
    request = SearchRequest({"search": "greedy"})

    def decode(*shard):
        decode_store(bundle, stores[1], tmp_path / "out.jsonl", request, 1, *shard)
    decode(Shard(1, 2))
    monkeypatch.setattr(stage, "decode_posteriors", None)
    decode(Shard(1, 2))
    with pytest.raises(TypeError):
        decode(Shard(2, 2))
    monkeypatch.undo()
    monkeypatch.setattr(feature_batch, "BATCH_FRAMES", 400)
    decode(Shard(2, 2))
    found = (tmp_path / "out.jsonl").read_bytes()
    decode()
    assert found == (tmp_path / "out.jsonl").read_bytes()


def test_parts_of_other_settings_features_or_weights_are_not_merged(bundle, stores, tmp_path):
    output = tmp_path / "out.jsonl"
    greedy, one, two = (SearchRequest(changes) for changes in (
        {"search": "greedy"}, {"beam": 1}, {"beam": 2}))
    save_lm(tmp_path / "a.lm", unigrams("|", *"abcdefghij"))
    scored = SearchRequest({"beam": 2}, tmp_path / "a.lm")
    other = write_speech(tmp_path / "other", 3, seed=9)
    decode_store(bundle, stores[1], output, two, 1, Shard(1, 2))
    for request in (greedy, one, scored, two._replace(without_lm=True)):
        decode_store(bundle, stores[1], output, request, 1, Shard(2, 2))
    decode_store(bundle, other, output, two, 1, Shard(2, 2))
    save_lm(tmp_path / "a.lm", unigrams("|", *"abcdefghijk"))
    decode_store(bundle, stores[1], output, scored, 1, Shard(1, 2))
    weights = bundle / "model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-4] + b"\0\0\0\0")
    decode_store(bundle, stores[1], output, two, 1, Shard(2, 2))
    assert not output.exists()
    weights.write_bytes(before)
    decode_store(bundle, stores[1], output, two, 1, Shard(2, 2))
    assert len(read_records(output, Hypothesis)) == 11

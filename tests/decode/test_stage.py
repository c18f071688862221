"""The stage with the search among threads and with the search on the network's device."""

import numpy as np
import pytest
import torch
from dummies import FEATURES, unigrams

from asr.decode import stage
from asr.decode.config import DecodeConfig
from asr.decode.device_scorer import NullDeviceScorer, device_scorer
from asr.decode.hypotheses import Search, decode_labellings
from asr.decode.lexicon import Lexicon
from asr.decode.scorer import NO_SCORER
from asr.decode.settings import SearchRequest
from asr.decode.stage import decode_store, search_batches
from asr.decode.word_lm import word_scorer
from asr.errors import AsrError
from asr.lm.binary import save_lm
from asr.manifest import Hypothesis, read_records
from asr.model import inference
from asr.model.bundle import BundleConfig, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network
from asr.text.units import CharacterUnits

UNITS = CharacterUnits.from_texts(["abcdefghijklmnopqrstuvwxyz "])
CPU = torch.device("cpu")


@pytest.fixture
def bundle(tmp_path):
    """A network that has learnt nothing, with large enough weights to be sure of things."""
    config = BundleConfig(features=FEATURES, normaliser="none",
                          model=ModelConfig(layers=1, units=8, channels=2))
    torch.manual_seed(0)
    weights = Network(config.model, FEATURES.mels, len(UNITS)).state_dict()
    weights["head.weight"] *= 20
    save_bundle(tmp_path / "bundle", config, UNITS, weights, None)
    return tmp_path / "bundle"


@pytest.mark.parametrize("lm", [False, True])
def test_a_search_on_the_device_changes_nothing(bundle, stores, tmp_path, monkeypatch, lm):
    monkeypatch.setattr(inference, "BATCH_FRAMES", 400)  # several batches
    if lm:
        save_lm(tmp_path / "characters.lm",
                unigrams("|", *"abcdefghij", log_prob=np.linspace(-1, -4, 14)))
    request = SearchRequest({"beam": 6, "nbest": 3}, tmp_path / "characters.lm" if lm else None)
    decode_store(bundle, stores[1], tmp_path / "threads.jsonl", request, 2)
    monkeypatch.setattr(stage, "_scorer_on",
                        lambda device, search: device_scorer(search.scorer, device))
    decode_store(bundle, stores[1], tmp_path / "device.jsonl", request, 2)
    expected, found = (read_records(tmp_path / name, Hypothesis)
                       for name in ("threads.jsonl", "device.jsonl"))
    assert len(found) == 11
    assert any(hypothesis.text for hypothesis in found)
    for there, here in zip(found, expected, strict=True):
        assert there.score == pytest.approx(here.score)
        assert [a.text for a in there.nbest] == [a.text for a in here.nbest]
        assert [a.lm for a in there.nbest] == pytest.approx([a.lm for a in here.nbest])
        assert there.words == here.words


def test_where_to_search():
    scorer = word_scorer(unigrams("ab"), Lexicon.build([UNITS.encode("ab")], [3]), UNITS.parts,
                         1.0, 0.0, -20.0)
    gpu = torch.device("cuda")
    assert isinstance(stage._scorer_on(gpu, Search(DecodeConfig())), NullDeviceScorer)
    assert stage._scorer_on(gpu, Search(DecodeConfig(), scorer)) is None
    assert stage._scorer_on(gpu, Search(DecodeConfig(search="greedy"))) is None
    assert stage._scorer_on(CPU, Search(DecodeConfig())) is None
    priors = DecodeConfig(prior_weight=0.5, label_priors=[1 / len(UNITS)] * len(UNITS))
    assert stage._scorer_on(gpu, Search(priors)) is None


def test_what_are_no_posteriors_is_named():
    rows = torch.full((5, len(UNITS)), -np.log(len(UNITS)))
    wrong = rows.clone()
    wrong[3, 2] = np.nan
    config = DecodeConfig()
    found = search_batches([[rows, wrong]], config, device_scorer(NO_SCORER, CPU))
    with pytest.raises(AsrError, match="utterance v: frame 3"):
        list(decode_labellings(["u", "v"], found, UNITS, 0.03, Search(config), 1))

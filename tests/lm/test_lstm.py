"""asr.lm.lstm: an LSTM language model held against one written out gate by gate."""

import itertools
import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file

from asr.errors import AsrError
from asr.lm import lstm
from asr.lm.build import perplexity
from asr.lm.lstm import LstmModel, save_lstm
from asr.lm.lstm_network import LstmConfig, LstmNetwork
from asr.lm.vocabulary import Vocabulary, VocabularyConfig

COUNTS = {"the": 5, "cat": 3, "sat": 3, "mat": 1}
TIED = LstmConfig(embedding=6, units=6, layers=1)
DEEP = LstmConfig(embedding=5, units=7, layers=2, tied=False)
SENTENCES = ["the cat sat", "the", "", "mat mat mat cat the the sat mat", "sat on the mat"]


def vocabulary(kind="words", size=20):
    return Vocabulary.from_counts(VocabularyConfig(kind=kind, size=size), COUNTS)


def model(config=TIED, kind="words", size=20):
    units = vocabulary(kind, size)
    torch.manual_seed(1)
    network = LstmNetwork(config, len(units))
    with torch.no_grad():  # far enough from where training starts for probabilities to differ
        for parameter in network.parameters():
            parameter.mul_(9).add_(0.3 * torch.randn(parameter.shape))
    return LstmModel(units, network)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step_by_step(network, units):
    """Log probability of each unit and of the boundary after them (Hochreiter and Schmidhuber
    1997, with the forget gates of Gers et al. 2000), in float64."""
    weights = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    output = weights.get("output", weights["embedding"])
    depth = len(network.layers)
    width = network.layers[0].hidden_size
    h, c = np.zeros((depth, width)), np.zeros((depth, width))
    scores = []
    for before, unit in itertools.pairwise([0, *units, 0]):
        x = weights["embedding"][before]
        for i in range(depth):
            gates = sum(weights[f"layers.{i}.weight_{kind}_l0"] @ value
                        + weights[f"layers.{i}.bias_{kind}_l0"]
                        for kind, value in (("ih", x), ("hh", h[i])))
            let_in, keep, new, let_out = np.split(gates, 4)
            c[i] = sigmoid(keep) * c[i] + sigmoid(let_in) * np.tanh(new)
            x = h[i] = sigmoid(let_out) * np.tanh(c[i])
        logits = output @ x + weights["bias"]
        scores.append(logits[unit] - np.log(np.exp(logits).sum()))
    return np.array(scores)


def spelt(of, sentence):
    return [unit for word in sentence.split() for unit in of.vocabulary.spell(word)]


@pytest.mark.parametrize("config", [TIED, DEEP])
@pytest.mark.parametrize("kind", ["words", "bpe", "characters"])
def test_score_is_that_of_a_loop(config, kind):
    made = model(config, kind)
    expected = [step_by_step(made.network, spelt(made, sentence)).sum() for sentence in SENTENCES]
    assert len({round(score, 3) for score in expected}) == len(SENTENCES)
    assert made.score(SENTENCES) == pytest.approx(expected, abs=1e-5)


def test_word_scores_sum_the_units_of_a_word():
    made = model(kind="characters")
    sentence = "the mät <unk> sat"  # |the |mt, nothing, |sat
    found = made.word_scores([sentence.split()])[0]
    units = step_by_step(made.network, spelt(made, sentence))
    expected = [units[:4].sum(), units[4:7].sum(), 0, units[7:11].sum(), units[11]]
    assert found == pytest.approx(expected, abs=1e-5)


def test_score_does_not_depend_on_batch_mates():
    made = model(DEEP)
    alone = [made.score([sentence])[0] for sentence in SENTENCES]
    assert made.score(SENTENCES) == pytest.approx(alone, abs=1e-5)
    assert made.score(SENTENCES[::-1])[::-1] == pytest.approx(alone, abs=1e-5)
    assert made.score([]).shape == (0,)


@pytest.mark.parametrize(("name", "value"), [("_LOGITS", 13), ("_BATCH", 4)])
def test_score_does_not_depend_on_how_it_is_cut(monkeypatch, name, value):
    made = model(DEEP)
    expected = made.score(SENTENCES)
    monkeypatch.setattr(lstm, name, value)
    assert made.score(SENTENCES) == pytest.approx(expected, abs=1e-5)


def test_threads_share_a_model():
    made = model(DEEP)
    expected = made.score(SENTENCES)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(made.score, [SENTENCES] * 20):
            assert np.array_equal(found, expected)


def test_all_continuations_sum_to_one():
    """Sentences of up to two words, and what begins with three."""
    made = model(size=2)
    words = ["the", "cat", "<unk>"]
    ended = [" ".join(sentence)
             for n in range(3) for sentence in itertools.product(words, repeat=n)]
    begun = made.word_scores([*itertools.product(words, repeat=3)])
    total = np.exp(made.score(ended)).sum() + sum(np.exp(scores[:-1].sum()) for scores in begun)
    assert total == pytest.approx(1, abs=1e-6)


def test_perplexity_per_word():
    texts = ["the cat sat", "on the mät"]
    words, pairs = model(), model(kind="bpe")
    result, unknown = perplexity(words, texts)
    scores = [step_by_step(words.network, spelt(words, text)) for text in texts]
    assert (result.sentences, result.words, result.unknown) == (2, 6, 2)
    assert unknown == {"on": 1, "mät": 1}
    known = scores[0].sum() + scores[1][[1, 3]].sum()
    assert result.perplexity == pytest.approx(math.exp(-known / 6))
    assert result.perplexity_all == pytest.approx(math.exp(-sum(s.sum() for s in scores) / 8))
    # Of byte pairs there are more than words, and still it is per word and end.
    result, unknown = perplexity(pairs, ["hats mat"])
    assert len(spelt(pairs, "hats mat")) > 2 and not unknown
    total = step_by_step(pairs.network, spelt(pairs, "hats mat")).sum()
    assert result.perplexity == result.perplexity_all == pytest.approx(math.exp(-total / 3))


def test_samples_are_drawn_by_probability():
    made = model(size=3)
    first = ["", *made.vocabulary.symbols[1:]]
    expected = np.exp([step_by_step(made.network, [i])[0] for i in range(len(first))])
    drawn = [*made.sample(3000, 5, 1.0, 1)]
    frequency = np.array([drawn.count(word) for word in first]) / len(drawn)
    assert expected.min() < 0.15
    assert frequency == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(len(drawn)))


def test_a_sample_is_a_function_of_seed_and_number():
    made = model(kind="bpe")
    ten = [*made.sample(10, 3, 1.0, 30)]
    assert [*made.sample(4, 3, 1.0, 30)] == ten[:4]
    assert len(set(ten)) > 5
    assert [*made.sample(10, 4, 1.0, 30)] != ten
    assert all(len(sentence.split()) <= 2 for sentence in made.sample(10, 3, 1.0, 2))


def test_a_cold_sample_is_the_likeliest():
    made = model(DEEP)
    made.network.bias.detach()[0] = -2  # no end at once
    units: list[int] = []
    while len(units) < 6:
        scores = [step_by_step(made.network, [*units, i])[len(units)]
                  for i in range(len(made.vocabulary))]
        units.append(int(np.argmax(scores)))
    ends = units.index(0) if 0 in units else len(units)
    assert ends > 0
    assert set(made.sample(3, 0, 1e-6, 6)) == {made.vocabulary.decode(units[:ends])}


def test_tied_weights_need_equal_widths():
    with pytest.raises(ValueError, match=r"5 is not 7.*tied=false"):
        LstmConfig(embedding=5, units=7)
    assert "output" not in model(TIED).network.state_dict()


@pytest.fixture
def saved(tmp_path):
    made = model(DEEP)
    save_lstm(tmp_path / "a.safetensors", made.vocabulary, DEEP, made.network.state_dict(),
              {"why": "test"})
    return tmp_path / "a.safetensors"


@pytest.mark.parametrize("config", [TIED, DEEP])
@pytest.mark.parametrize("kind", ["words", "bpe", "characters"])
def test_a_file_makes_the_same_model(tmp_path, config, kind):
    made, path = model(config, kind), tmp_path / "new" / "a.safetensors"
    save_lstm(path, made.vocabulary, config, made.network.state_dict(), {})
    assert [p.name for p in path.parent.iterdir()] == ["a.safetensors"]
    assert np.array_equal(LstmModel.load(path).score(SENTENCES), made.score(SENTENCES))


def refused(path, message):
    with pytest.raises(AsrError, match=message) as caught:
        LstmModel.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_none(saved, tmp_path):
    refused(tmp_path / "none.safetensors", "no such file")
    refused(tmp_path, "damaged")
    content = saved.read_bytes()
    for length in (0, 4, 100, len(content) - 1):
        saved.write_bytes(content[:length])
        refused(saved, "damaged")
    saved.write_bytes(b"\xff" * len(content))
    refused(saved, "damaged")
    for metadata in (None, {"description": "3"}):
        save_file({"a": torch.zeros(3)}, saved, metadata)
        refused(saved, "not written as `asr LSTM language model 1`")


def rewrite(path, tensors=None, **description):
    """The file again, with other tensors or another description of itself."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    described = json.loads(metadata["description"]) | description
    save_file(load_file(path) | (tensors or {}), path,
              metadata | {"description": json.dumps(described)})


@pytest.mark.parametrize(("tensors", "description", "message"), [
    ({"bias": torch.zeros(5)}, {}, r"do not fit their description \(bias: .*\[5\].*\[6\]"),
    ({"bias": torch.zeros(6, dtype=torch.float16)}, {}, "bias: .*F16"),
    ({"more": torch.zeros(1)}, {}, "more: "),
    ({"bias": torch.full((6,), torch.nan)}, {}, "weights that are no numbers"),
    ({"vocabulary": torch.zeros(3)}, {}, "no vocabulary"),
    ({"vocabulary": torch.zeros(3, dtype=torch.uint8)}, {}, "no list of words"),
    ({"vocabulary": torch.tensor([*b"</s>\n<unk>\na"], dtype=torch.uint8)}, {}, "3 units, not 6"),
    ({}, {"symbols": 1 << 20}, "1048576"),
    ({}, {"symbols": -1}, "`symbols`"),
    ({}, {"model": DEEP.model_dump() | {"units": 1 << 14}}, "65536"),
    ({}, {"model": DEEP.model_dump() | {"units": 1 << 30}}, r"`model\.units`"),
    ({}, {"model": 3}, "`model`"),
    ({}, {"format": "asr LSTM language model 2"}, "not written as"),
    ({}, {"units": "bpe"}, "damaged"),
    ({}, {"code": "import os"}, "unknown key `code`"),
])
def test_files_that_do_not_fit_together(saved, tensors, description, message):
    rewrite(saved)
    LstmModel.load(saved)
    rewrite(saved, tensors, **description)
    refused(saved, message)

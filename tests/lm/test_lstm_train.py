"""asr lm train | perplexity | sample with an LSTM, and what its training promises."""

import gzip
import itertools
import math
import os
import signal

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from asr.cli import asr
from asr.config import load_config
from asr.errors import AsrError
from asr.lm import lstm_train
from asr.lm.build import perplexity, tokenise
from asr.lm.lstm import LstmModel
from asr.lm.lstm_data import Corpus, dropout_factors
from asr.lm.lstm_network import LstmNetwork
from asr.lm.lstm_train import LstmTrainConfig, LstmTrainer, checkpoint_of, train_lstm
from asr.lm.vocabulary import Vocabulary, VocabularyConfig
from asr.manifest import Utterance, write_records

SENTENCES = ["the cat sat on the mat", "a dog sat", "the dog ran to the cat", "cats and dogs"]
TINY = ["vocabulary.size=30", "model.embedding=16", "model.units=16", "batch_units=40",
        "learning_rate=0.02", "dropout=0", "early_stop=0"]


def config(*overrides):
    return load_config(LstmTrainConfig, None, [*TINY, *overrides])


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text").write_text("\n".join([*SENTENCES * 6, "", " "]))
    return tmp_path / "text"


def corpus(path, kind="words", size=30):
    tokens, words = tokenise([path])
    counts = dict(zip(words, np.bincount(tokens)[3:].tolist(), strict=True))
    vocabulary = Vocabulary.from_counts(VocabularyConfig(kind=kind, size=size), counts)
    return Corpus(tokens, words, vocabulary), vocabulary


def trainer(path, tmp_path, *overrides):
    data, vocabulary = corpus(path)
    settings = config(*overrides)
    torch.manual_seed(3)
    model = LstmModel(vocabulary, LstmNetwork(settings.model, len(vocabulary)))
    return LstmTrainer(tmp_path / "a.safetensors", settings, model, data, SENTENCES)


@pytest.mark.parametrize("kind", ["words", "bpe", "characters"])
def test_corpus(tmp_path, kind):
    (tmp_path / "text").write_text("cat <unk> cat\n\nact\n cat  ox\n")
    data, vocabulary = corpus(tmp_path / "text", kind, 10)
    assert data.words.tolist() == [3, 1, 2]
    sentences = [["cat", "<unk>", "cat"], ["act"], ["cat", "ox"]]
    spelt = [[u for word in sentence for u in vocabulary.spell(word)] for sentence in sentences]
    batch = data.batch([2, 0])
    lengths = [len(spelt[2]) + 1, len(spelt[0]) + 1]
    assert batch.valid.sum(0).tolist() == lengths == data.lengths[[2, 0]].tolist()
    assert batch.words == 5
    for column, units in enumerate((spelt[2], spelt[0])):
        assert batch.units[:len(units) + 1, column].tolist() == [0, *units]
    targets = torch.zeros_like(batch.units)
    targets[batch.valid] = batch.targets
    assert targets[:lengths[1], 1].tolist() == [*spelt[0], 0]
    assert targets[:lengths[0], 0].tolist() == [*spelt[2], 0]


def test_more_units_than_two_bytes_have(tmp_path):
    (tmp_path / "text").write_text("\n".join(map(str, range(70_000))))
    data, vocabulary = corpus(tmp_path / "text", size=70_000)
    assert len(vocabulary) > 1 << 16
    places = [0, 69_999]
    assert data.batch(places).targets[:2].tolist() == [vocabulary.spell(str(i))[0] for i in places]


def test_every_sentence_has_its_turn(tmp_path):
    (tmp_path / "text").write_text("\n".join("a " * (i % 9 + 1) for i in range(100)))
    data, _ = corpus(tmp_path / "text")
    whole = data.plan(1, 1, 0, 30)
    assert sorted(i for batch in whole for i in batch) == [*range(100)]
    assert all(len(batch) * data.lengths[batch].max() <= 30 for batch in whole)
    padding = 1 - data.lengths.sum() / sum(len(b) * data.lengths[b].max() for b in whole)
    assert padding < 0.1
    assert data.plan(1, 1, 0, 30) == whole
    assert data.plan(1, 2, 0, 30) != whole and data.plan(2, 1, 0, 30) != whole
    thirds = [[i for batch in data.plan(1, epoch, 34, 30) for i in batch] for epoch in (1, 2, 3)]
    assert sorted(itertools.chain(*thirds)) == [*range(100)]
    assert [len(third) for third in thirds] == [34, 33, 33]
    again = [i for batch in data.plan(1, 4, 34, 30) for i in batch]
    assert sorted(again) != sorted(thirds[0])
    # Of up to 5 units, with the end: 4 words.
    assert {data.words[i] for batch in data.plan(1, 1, 0, 5) for i in batch} == {1, 2, 3, 4}


def test_dropout_is_a_function_of_its_name():
    units = torch.zeros(20, 30)
    first, second = dropout_factors(0.25, [8, 9], units, 1, 2)
    assert first.shape == (20, 30, 8) and second.shape == (20, 30, 9)
    assert first.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float(first.mean()) == pytest.approx(1, abs=0.04)
    assert torch.equal(dropout_factors(0.25, [8, 9], units, 1, 2)[1], second)
    assert not torch.equal(dropout_factors(0.25, [8, 9], units, 1, 3)[1], second)
    assert torch.equal(dropout_factors(0, [8], units, 1)[0], torch.ones(20, 30, 8))


def test_the_loss_of_a_sentence_does_not_depend_on_its_batch(text, tmp_path):
    made = trainer(text, tmp_path, "precision=float32")
    losses = []
    for batches in ([[0, 1, 2, 3]], [[0], [1], [2], [3]]):
        made.running["loss"] = 0.0
        for batch in batches:
            made._step(made.corpus.batch(batch), 0.0)
        losses.append(made.running["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0] == pytest.approx(-made.model.score(SENTENCES).sum(), rel=1e-6)


def test_a_seed_that_torch_does_not_take():
    with pytest.raises(AsrError, match="`seed`"):
        config("seed=9223372036854775808")


def test_dropout_is_for_training_alone(text, tmp_path):
    made = trainer(text, tmp_path, "precision=float32", "dropout=0.5")
    made._step(made.corpus.batch([0, 1, 2, 3]), 0.0)
    assert made.running["loss"] != pytest.approx(-made.model.score(SENTENCES).sum(), rel=1e-5)


@pytest.mark.parametrize("kind", ["words", "bpe"])
def test_it_learns_a_text_by_heart(text, tmp_path, kind):
    """As far as it can be: which of four sentences it is stays open, log 4 nats each time."""
    output = tmp_path / "a.safetensors"
    settings = config("epochs=80", "learning_rate=0.05", "model.units=32", "model.embedding=32",
                      f"vocabulary.kind={kind}")
    train_lstm([text], output, SENTENCES, settings, False)
    words = sum(len(sentence.split()) for sentence in SENTENCES)
    least = math.exp(4 * math.log(4) / (words + 4))
    model = LstmModel.load(output)
    reached = perplexity(model, SENTENCES)[0]
    assert reached.unknown == 0
    assert 0.999 * least < reached.perplexity < 1.02 * least
    assert {*SENTENCES} <= {*model.sample(60, 0, 1.0, 40)}


KEPT = ["epochs=4", "dropout=0.3", "epoch_sentences=12", "checkpoint_minutes=1e-9"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "text").write_text("\n".join(SENTENCES * 6))
    train_lstm([folder / "text"], folder / "a.safetensors", SENTENCES, config(*KEPT), False)
    return (folder / "a.safetensors").read_bytes()


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGINT, None])
def test_stopped_and_resumed_gives_the_same_bits(uninterrupted, text, tmp_path, monkeypatch, capsys,
                                                 blow):
    """At step 5, in the middle of the second epoch; None is a fault, after the last checkpoint."""
    step, steps, output = LstmTrainer._step, [], tmp_path / "a.safetensors"
    before = signal.getsignal(signal.SIGINT)  # ignored, if a background job runs the tests

    def struck(self, batch, rate):
        step(self, batch, rate)
        steps.append(self.epoch)
        if len(steps) == 5:
            if blow is None:
                raise KeyError
            os.kill(os.getpid(), blow)

    monkeypatch.setattr(LstmTrainer, "_step", struck)
    with pytest.raises(KeyError if blow is None else SystemExit) as stopped:
        train_lstm([text], output, SENTENCES, config(*KEPT), False)
    if blow:
        assert stopped.value.code == 128 + blow
        assert "the same command with --resume goes on from here" in capsys.readouterr().err
    assert steps[-1] == steps[-2] == 2
    assert signal.getsignal(signal.SIGINT) is before
    assert output.read_bytes() != uninterrupted
    monkeypatch.undo()
    train_lstm([text], output, SENTENCES, config(*KEPT), True)
    assert output.read_bytes() == uninterrupted
    output.unlink()
    train_lstm([text], output, SENTENCES, config(*KEPT), True)
    assert output.read_bytes() == uninterrupted


def test_another_seed_gives_other_weights(uninterrupted, text, tmp_path):
    train_lstm([text], tmp_path / "a.safetensors", SENTENCES, config(*KEPT, "seed=1"), False)
    (tmp_path / "whole.safetensors").write_bytes(uninterrupted)
    found, other = (load_file(tmp_path / f"{name}.safetensors")["bias"] for name in ("a", "whole"))
    assert not torch.equal(found, other)


def test_a_training_is_neither_overwritten_nor_mixed(text, tmp_path):
    output = tmp_path / "a.safetensors"
    train_lstm([text], output, SENTENCES, config("epochs=1"), False)
    with pytest.raises(AsrError, match=r"a\.checkpoint\.pt: .*--resume"):
        train_lstm([text], output, SENTENCES, config("epochs=1"), False)
    with pytest.raises(AsrError, match="epochs=1, not 2"):
        train_lstm([text], output, SENTENCES, config("epochs=2"), True)
    with pytest.raises(AsrError, match="other training data"):
        train_lstm([text], output, SENTENCES[1:], config("epochs=1"), True)
    text.write_text("a cat\n")
    with pytest.raises(AsrError, match="other training data"):
        train_lstm([text], output, SENTENCES, config("epochs=1"), True)
    checkpoint_of(output).write_bytes(b"none")
    with pytest.raises(AsrError, match="damaged checkpoint"):
        train_lstm([text], output, SENTENCES, config("epochs=1"), True)


def test_the_best_weights_are_kept(text, tmp_path, monkeypatch, capsys):
    """Of 9, 5, 7, 6 on development the second; after two epochs without a better one it ends."""
    said, seen = iter([9.0, 5.0, 7.0, 6.0, 1.0]), []

    def measured(model, texts):
        seen.append(model.score(SENTENCES))
        return perplexity(model, texts)[0]._replace(
            log_prob=-math.log(next(said)), log_prob_unknown=0, words=1, sentences=0), None

    monkeypatch.setattr(lstm_train, "perplexity", measured)
    train_lstm([text], tmp_path / "a.safetensors", SENTENCES, config("epochs=9", "early_stop=2"),
               False)
    assert len(seen) == 4
    assert np.array_equal(LstmModel.load(tmp_path / "a.safetensors").score(SENTENCES), seen[1])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("24 sentences, 108 words, 180 units of 30 kinds")
    assert [line.split("perplexity ")[1].split()[0] for line in lines[1:]] \
        == ["9.00", "5.00", "7.00", "6.00"]


def test_a_loss_that_is_not_finite_ends_it(text, tmp_path):
    with pytest.raises(AsrError, match=r"epoch 1: loss .*lower learning_rate"):
        train_lstm([text], tmp_path / "a.safetensors", SENTENCES,
                   config("learning_rate=1e38", "schedule.warmup=0"), False)
    assert not (tmp_path / "a.safetensors").exists()


def test_a_scaled_loss_takes_the_same_steps_and_leaves_out_what_overflows(text, tmp_path):
    """As on a GPU, in float16."""
    weights = []
    for scale in (None, 2.0**10, torch.inf):
        training = trainer(text, tmp_path)
        before = training.network.bias.detach().clone()
        if scale:
            training.scaler = torch.amp.GradScaler("cpu", init_scale=min(scale, 2.0**15))
        if scale == torch.inf:
            training.network.bias.register_hook(lambda gradient: gradient * torch.inf)
        training._step(training.corpus.batch([0, 1]), 0.01)
        weights.append(training.network.bias.detach())
        assert torch.equal(weights[-1], before) == (scale == torch.inf)
    torch.testing.assert_close(weights[0], weights[1])
    assert training.scaler.get_scale() == 2.0**14
    training._save()
    again = trainer(text, tmp_path)
    again.scaler = torch.amp.GradScaler("cpu")
    again.resume()
    assert again.scaler.get_scale() == 2.0**14


def test_sentences_too_long_for_a_batch(text, tmp_path, capsys):
    train_lstm([text], tmp_path / "a.safetensors", SENTENCES,
               config("epochs=1", "vocabulary.kind=words", "batch_units=5"), False)
    assert "12 of 24 sentences are longer than 5 units" in capsys.readouterr().err
    with pytest.raises(AsrError, match="all sentences are longer than 1 units"):
        train_lstm([text], tmp_path / "b.safetensors", SENTENCES, config("batch_units=1"), False)


def run(*arguments):
    result = CliRunner().invoke(asr, ["lm", *map(str, arguments)])
    if isinstance(result.exception, AsrError):
        raise result.exception
    return result


def test_from_texts_to_perplexity_and_samples(text, tmp_path):
    (tmp_path / "more.gz").write_bytes(gzip.compress(b"a cat ran\n"))
    write_records(tmp_path / "dev.jsonl", [
        Utterance(id=str(i), audio="a.wav", text=sentence.upper(), speaker="s", duration=1,
                  sample_rate=16_000) for i, sentence in enumerate([*SENTENCES, "A Cow sat"])])
    (tmp_path / "settings.yaml").write_text("vocabulary: {kind: words}\nepochs: 30\n")
    model = tmp_path / "models" / "a.safetensors"
    trained = run("train", text, tmp_path / "more.gz", model, "--dev", tmp_path / "dev.jsonl",
                  "--normaliser", "librispeech", "--config", tmp_path / "settings.yaml", *TINY,
                  "epochs=20")
    assert trained.exit_code == 0
    assert "epoch  20  loss" in trained.stderr and trained.stdout == ""
    assert sorted(p.name for p in model.parent.iterdir()) == ["a.checkpoint.pt", "a.safetensors"]
    assert run("train", text, tmp_path / "more.gz", model, "--dev", tmp_path / "dev.jsonl",
               "--normaliser", "librispeech", "--config", tmp_path / "settings.yaml", *TINY,
               "epochs=20", "--resume").exit_code == 0

    (tmp_path / "test").write_text("the cat sat\na cow sat\n")
    found = run("perplexity", model, tmp_path / "test").stdout.splitlines()
    loaded = LstmModel.load(model)
    scores = loaded.word_scores([["the", "cat", "sat"], ["a", "<unk>", "sat"]])
    total = sum(s.sum() for s in scores)
    known = math.exp(-(total - scores[1][1]) / 7)
    assert found == ["2 sentences, 6 words", "unknown words  1 (16.67 %)",
                     f"perplexity     {known:.1f} without unknown words, "
                     f"{math.exp(-total / 8):.1f} with them as <unk>", "most frequent  cow 1"]

    drawn = run("sample", model, "--sentences", 5, "--seed", 2, "--longest", 9)
    assert drawn.stdout.splitlines() == [*loaded.sample(5, 2, 1.0, 9)]


@pytest.mark.parametrize(("arguments", "message"), [
    (["train", "none", "a.safetensors", "--dev", "text"], "none: no such file"),
    (["train", "text", "a.safetensors", "--dev", "none"], "none: no such file"),
    (["train", "empty", "a.safetensors", "--dev", "text"], "empty: no text"),
    (["train", "text", "a.safetensors", "--dev", "empty"], "no text to measure perplexity on"),
    (["train", "text", "a.safetensors", "--dev", "marked"], "sentence 1: <s> and </s> mark"),
    (["train", "marked", "a.safetensors", "--dev", "text"], "marked:1: <s> and </s> mark"),
    (["train", "text", "a.safetensors", "--dev", "text", "epoch=3"], "did you mean `epochs`"),
    (["train", "text", "a.safetensors", "--dev", "text", "model.units=3"], "512 is not 3"),
    (["train", "text", "a.safetensors", "--dev", "text", "vocabulary.size=9"], "9 BPE units"),
    (["train", "text", "text/a.safetensors", "--dev", "text", *TINY], "cannot write"),
    (["perplexity", "none.safetensors", "text"], "none.safetensors: no such file"),
    (["sample", "text"], "text: no LSTM language model, or a damaged one"),
])
def test_what_is_refused(text, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n \n")
    (tmp_path / "marked").write_text("<s> a cat </s>\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(AsrError, match=message) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [["text"], ["a.safetensors"], ["text", "a.lm"],
                                       ["epochs=3", "text"]])
def test_arguments_that_are_incomplete(text, monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    result = run("train", *arguments, "--dev", "text")
    assert result.exit_code == 2
    assert "give TEXTS, then OUTPUT, whose name must end in .safetensors" in result.stderr

"""asr lm train: it learns, goes on to the same bits, and says what is wrong."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from asr.cli import asr
from asr.errors import AsrError
from asr.lm.build import tokenise
from asr.lm.lstm import LstmModel
from asr.lm.lstm_data import Corpus, dropout_factors
from asr.lm.vocabulary import Vocabulary, VocabularyConfig

TINY = ["vocabulary.kind=words", "model.units=24", "model.embedding=24", "batch_units=120",
        "learning_rate=0.03", "dropout=0.1"]
SENTENCES = ["the cat sat on the mat", "a dog ran", "the dog sat", "a cat ran on the mat"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.txt").write_text("\n".join(SENTENCES * 15) + "\n")
    (tmp_path / "dev.txt").write_text("\n".join(SENTENCES) + "\n")
    return tmp_path


def run(*arguments):
    """Exit code and what is said, as `asr.cli.main` would have them."""
    result = CliRunner().invoke(asr, ["lm", *map(str, arguments)])
    if isinstance(result.exception, AsrError):
        return SimpleNamespace(exit_code=2, output="", stderr=str(result.exception))
    return result


def train(folder, name, *settings):
    return run("train", folder / "train.txt", folder / f"{name}.safetensors",
               "--dev", folder / "dev.txt", *TINY, *settings)


def test_it_learns_what_there_is_to_learn(folder):
    result = train(folder, "model", "epochs=60", "early_stop=0")
    assert result.exit_code == 0, result.output
    # Four sentences, told apart by 2 bits; all that comes later in one is certain, or nearly.
    perplexities = [np.exp(-LstmModel.load(folder / "model.safetensors").score(SENTENCES).sum()
                           / sum(len(sentence.split()) + 1 for sentence in SENTENCES))]
    entropy = np.exp(4 * np.log(4) / sum(len(sentence.split()) + 1 for sentence in SENTENCES))
    assert entropy <= perplexities[0] < 1.3 * entropy
    measured = run("perplexity", folder / "model.safetensors", folder / "dev.txt")
    assert f"{perplexities[0]:.1f} without unknown words" in measured.output
    sampled = run("sample", folder / "model.safetensors", "--sentences", 5, "--temperature", 0.1)
    assert set(sampled.output.splitlines()) <= set(SENTENCES)


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGKILL])
def test_killed_and_resumed_gives_the_same_bits(folder, blow):
    assert train(folder, "whole", "epochs=4").exit_code == 0
    command = [sys.executable, "-m", "asr", "lm", "train", folder / "train.txt",
               folder / "model.safetensors", "--dev", folder / "dev.txt", *TINY, "epochs=4",
               "checkpoint_minutes=1e-9"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ})
    checkpoint = folder / "model.checkpoint.pt"
    while process.poll() is None and not (folder / "model.safetensors").exists():
        time.sleep(0.01)
    process.send_signal(blow)
    if process.wait(60) == 0:
        pytest.skip("it was through before the signal came")
    assert checkpoint.exists()
    assert "go on with --resume" in train(folder, "model", "epochs=4").stderr
    changed = train(folder, "model", "epochs=5", "--resume", "checkpoint_minutes=1e-9")
    assert changed.exit_code == 2 and "epochs" in changed.stderr
    resumed = train(folder, "model", "epochs=4", "--resume", "checkpoint_minutes=1e-9")
    assert resumed.exit_code == 0, resumed.stderr
    models = [LstmModel.load(folder / f"{name}.safetensors") for name in ("whole", "model")]
    assert np.array_equal(*(model.score(SENTENCES) for model in models))


def test_batches_hold_every_sentence_once(folder):
    tokens, words = tokenise([folder / "train.txt"])
    counts = dict.fromkeys(words, 1)
    corpus = Corpus(tokens, words, Vocabulary.from_counts(VocabularyConfig(kind="words"), counts))
    for epoch_sentences, epochs in ((0, 1), (20, 3)):
        plans = [corpus.plan(0, epoch, epoch_sentences, 50) for epoch in range(1, epochs + 1)]
        assert sorted(i for plan in plans for batch in plan for i in batch) == [*range(60)]
        assert all(max(corpus.lengths[batch]) * len(batch) <= 50 for plan in plans
                   for batch in plan)
    batch = corpus.batch([0, 1])
    assert batch.valid.sum(0).tolist() == [7, 4]
    assert (batch.units[0] == 0).all()  # the boundary
    assert batch.words == 9
    assert len(batch.targets) == 11


def test_dropout_is_a_function_of_its_name(folder):
    tokens, words = tokenise([folder / "train.txt"])
    corpus = Corpus(tokens, words, Vocabulary.from_counts(
        VocabularyConfig(kind="words"), dict.fromkeys(words, 1)))
    units = corpus.batch([*range(60)]).units
    one, two, other = (dropout_factors(0.25, [64], units, "d", i)[0] for i in (1, 1, 2))
    assert one.equal(two) and not one.equal(other)
    assert float(one.mean()) == pytest.approx(1, abs=0.02)
    assert sorted(one.unique().tolist()) == pytest.approx([0, 4 / 3])


@pytest.mark.parametrize(("arguments", "said"), [
    (["none.txt", "a.safetensors", "--dev", "dev.txt"], "none.txt"),
    (["train.txt", "a.safetensors", "--dev", "none.txt"], "none.txt"),
    (["empty.txt", "a.safetensors", "--dev", "dev.txt"], "empty.txt"),
    (["train.txt", "a.safetensors", "--dev", "empty.txt"], "no text to measure perplexity on"),
    (["train.txt", "a.lm", "--dev", "dev.txt"], "must end in .safetensors"),
    (["a.safetensors", "--dev", "dev.txt"], "must end in .safetensors"),
    (["train.txt", "a.safetensors", "--dev", "dev.txt", "epoch=3"], "did you mean `epochs`"),
    (["train.txt", "a.safetensors", "--dev", "dev.txt", "batch_units=2"], "raise batch_units"),
    (["train.txt", "a.safetensors", "--dev", "dev.txt", "model.embedding=9"], "tied=false"),
])
def test_what_is_wrong_is_said_in_a_line(folder, arguments, said, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "empty.txt").write_text("\n")
    result = run("train", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "a.safetensors").exists()

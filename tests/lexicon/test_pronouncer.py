"""asr.lexicon: a network that reads words aloud, from training to a lexicon."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from asr.cli import asr
from asr.config import load_config
from asr.errors import AsrError
from asr.lexicon.network import G2pConfig, G2pNetwork
from asr.lexicon.pronouncer import Pronouncer, padded
from asr.lexicon.stage import make_lexicon
from asr.lexicon.train import G2pTrainConfig, train_pronouncer
from asr.manifest import Utterance, write_records

SMALL = G2pConfig(embedding=16, layers=1, units=24)


def spoken(word):
    """A language: a vowel before `e` at the end is long, `x` is two phones, `h` makes `s` hiss."""
    phones = []
    for i, letter in enumerate(word):
        rest = word[i + 1:]
        if letter == "x":
            phones += ["K", "S"]
        elif letter == "s":
            phones.append("SH" if rest.startswith("h") else "S")
        elif letter in "ao":
            phones.append(letter.upper() * (2 if len(rest) == 2 and rest[-1] == "e" else 1))
        elif letter != "h" and not (letter == "e" and not rest):
            phones.append(letter.upper())
    return tuple(phones)


LANGUAGE = {word: [spoken(word)] for word in (
    "".join(letters) for letters in itertools.product(
        ["t", "s", "sh", "x", "st"], "ao", ["t", "s", "sh", "x", "ts"], ["", "e", "a", "at"]))}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("g2p") / "g2p.safetensors"
    train_pronouncer(LANGUAGE, path, G2pTrainConfig(
        epochs=30, model=SMALL, batch_letters=64, learning_rate=0.01, dropout=0.1, held_out=0.2),
        resume=False)
    return path


def test_it_learns_a_language_from_examples(trained):
    pronouncer = Pronouncer.load(trained)
    wrong = [word for word, found in zip(LANGUAGE, pronouncer(list(LANGUAGE)), strict=True)
             if found not in LANGUAGE[word]]
    assert len(wrong) <= 0.05 * len(LANGUAGE), wrong


@pytest.mark.parametrize(("override", "message"), [
    ("seed=9223372036854775808", "`seed`"), ("schedule.kind=plateau", "take cosine or linear")])
def test_settings_that_would_do_nothing_or_end_in_torch(override, message):
    with pytest.raises(AsrError, match=message):
        load_config(G2pTrainConfig, None, [override])


def test_words_of_any_length_and_letters_do_not_disturb_each_other(trained):
    pronouncer = Pronouncer.load(trained)
    words = ["toshe", "", "xa", "naïve", "shotsat", "s"]
    together = pronouncer(words)
    assert together == [pronouncer([word])[0] for word in words]
    assert [bool(found) for found in together] == [True, False, True, False, True, True]


def test_padding_changes_nothing():
    torch.manual_seed(1)
    network = G2pNetwork(G2pConfig(embedding=8, layers=2, units=6), 5, 4)
    rows = [[1, 2, 3, 4, 0, 1], [2, 2], [4, 0, 3]]
    lengths = torch.tensor([len(row) for row in rows])
    together = network(padded(rows), lengths)
    for column, row in enumerate(rows):
        alone = network(torch.tensor([row]), lengths[column:column + 1])[:, 0]
        torch.testing.assert_close(together[:len(alone), column], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path, monkeypatch, epochs):
    config = G2pTrainConfig(epochs=3, model=SMALL, batch_letters=256, held_out=0.1)
    train_pronouncer(LANGUAGE, tmp_path / "whole.safetensors", config, resume=False)

    import asr.lexicon.train as module

    class Killed(BaseException):
        pass

    write = module.save_checkpoint

    def dying(path, state):
        write(path, state)
        if state["epoch"] == epochs:
            raise Killed

    monkeypatch.setattr(module, "save_checkpoint", dying)
    with pytest.raises(Killed):
        train_pronouncer(LANGUAGE, tmp_path / "parts.safetensors", config, resume=False)
    assert not (tmp_path / "parts.safetensors").exists()
    monkeypatch.setattr(module, "save_checkpoint", write)
    with pytest.raises(AsrError, match="go on with --resume"):
        train_pronouncer(LANGUAGE, tmp_path / "parts.safetensors", config, resume=False)
    with pytest.raises(AsrError, match="epochs=3, not 4"):
        train_pronouncer(LANGUAGE, tmp_path / "parts.safetensors",
                         config.model_copy(update={"epochs": 4}), resume=True)
    train_pronouncer(LANGUAGE, tmp_path / "parts.safetensors", config, resume=True)
    assert (tmp_path / "parts.safetensors").read_bytes() \
        == (tmp_path / "whole.safetensors").read_bytes()


def test_too_few_words(tmp_path):
    with pytest.raises(AsrError, match="1 words are too few"):
        train_pronouncer({"a": [("A",)]}, tmp_path / "g2p.safetensors", G2pTrainConfig(), False)


@pytest.mark.parametrize(("change", "said"), [
    (lambda tensors: tensors.pop("head.bias"), "head.bias: None, not"),
    (lambda tensors: tensors.update(more=torch.zeros(1)), "more: .*, not None"),
    (lambda tensors: tensors.update({"head.bias": torch.zeros(3)}), "head.bias: .*3.*, not"),
    (lambda tensors: tensors.update({"head.bias": tensors["head.bias"].half()}), "F16"),
])
def test_files_that_do_not_fit(trained, tmp_path, change, said):
    from safetensors import safe_open

    with safe_open(trained, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(trained)
    change(tensors)
    save_file(tensors, tmp_path / "bad.safetensors", metadata)
    with pytest.raises(AsrError, match=said):
        Pronouncer.load(tmp_path / "bad.safetensors")


def test_other_files(trained, tmp_path):
    path = tmp_path / "g2p.safetensors"
    with pytest.raises(AsrError, match="no such file"):
        Pronouncer.load(path)
    path.write_bytes(trained.read_bytes()[:-8])
    with pytest.raises(AsrError, match="damaged"):
        Pronouncer.load(path)
    save_file({"a": torch.zeros(1)}, path, {"description": json.dumps({"format": "else"})})
    with pytest.raises(AsrError, match="make one with asr lexicon train"):
        Pronouncer.load(path)


def test_a_lexicon_takes_the_dictionary_and_predicts_the_rest(trained, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("Toshe tos\ntos naïve\n")
    write_records(tmp_path / "b.jsonl", [Utterance(
        id="u", audio="u.wav", text="xat", speaker="s", duration=1.0, sample_rate=16000)])
    (tmp_path / "c.arpa").write_text(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-1\t</s>\n-99\t<s>\n-1\t<unk>\n-1\tshot\n\n\\end\\\n")
    sources = [tmp_path / name for name in ("a.txt", "b.jsonl", "c.arpa")]
    known = {"tos": [("T", "O", "S"), ("T", "OO", "S")]}
    make_lexicon(sources, tmp_path / "lexicon.txt", str.lower, known, Pronouncer.load(trained))
    assert (tmp_path / "lexicon.txt").read_text() == (
        "shot SH O T\ntos T O S\ntos T OO S\ntoshe T O SH\nxat K S A T\n")
    assert "5 words: 1 in the dictionary, 3 predicted, 1 without a pronunciation (naïve)" \
        in capsys.readouterr().err
    make_lexicon(sources, tmp_path / "lexicon.txt", str.lower, known, None)
    assert (tmp_path / "lexicon.txt").read_text() == "tos T O S\ntos T OO S\n"
    with pytest.raises(AsrError, match="none of the 5 words has a pronunciation"):
        make_lexicon(sources, tmp_path / "other.txt", str.lower, {}, None)
    assert not (tmp_path / "other.txt").exists()


@pytest.mark.parametrize("output", ["words.lm", "w.arpa", "w.arpa.gz", "set.jsonl", "text.xz",
                                    "text.txt", "folder/../text.txt"])
def test_a_forgotten_output_replaces_no_source(tmp_path, output):
    for name in ("text.txt", "words.lm"):
        (tmp_path / name).write_text("tos\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(AsrError, match="the output is read, too, or named like a source"):
        make_lexicon([tmp_path / "text.txt"], tmp_path / output, str.lower,
                     {"tos": [("T", "O", "S")]}, None)
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} \
        == {"text.txt": "tos\n", "words.lm": "tos\n"}


@pytest.mark.parametrize("output", ["mine.dict", "g2p.safetensors"])
def test_nor_a_dictionary_or_a_model(tmp_path, output):
    for name in ("text.txt", "mine.dict", "g2p.safetensors"):
        (tmp_path / name).write_text("tos T O S\n")
    with pytest.raises(AsrError, match="the output is read, too"):
        make_lexicon([tmp_path / "text.txt"], tmp_path / output, str.lower, {"tos": [("T",)]},
                     None, [tmp_path / "mine.dict", tmp_path / "g2p.safetensors"])


@pytest.mark.parametrize("output", ["", "mine.dict"])
def test_a_model_is_a_safetensors_file(tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AsrError, match=r"a \.safetensors file; name one"):
        train_pronouncer(LANGUAGE, Path(output), G2pTrainConfig(), resume=False)


def test_the_commands(tmp_path):
    lexicon = tmp_path / "dictionary.txt"
    lexicon.write_text("".join(f"{word} {' '.join(found[0])}\n"
                               for word, found in LANGUAGE.items()))
    run = CliRunner().invoke
    result = run(asr, ["lexicon", "train", str(tmp_path / "g2p.safetensors"), "epochs=1",
                       "model.units=8", "held_out=0.1", "--dictionary", str(lexicon)],
                 catch_exceptions=False)
    assert result.exit_code == 0 and "phone error rate" in result.stderr
    (tmp_path / "words.txt").write_text("TOSH\nTOTTOT\n")
    result = run(asr, ["lexicon", "make", str(tmp_path / "words.txt"), str(tmp_path / "out.txt"),
                       "--dictionary", str(lexicon), "--g2p", str(tmp_path / "g2p.safetensors")],
                 catch_exceptions=False)
    assert result.exit_code == 0
    assert "tosh T O SH\n" in (tmp_path / "out.txt").read_text()

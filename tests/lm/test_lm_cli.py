"""asr lm text | build | convert | perplexity, from running text to numbers."""

import gzip

import pytest
from click.testing import CliRunner

from asr.cli import asr
from asr.errors import AsrError
from asr.manifest import Utterance, write_records

SENTENCES = "a\na b\na b b\na a\nb a\n"  # worked by hand in test_kneser_ney.py


def run(*arguments):
    result = CliRunner().invoke(asr, ["lm", *map(str, arguments)])
    if isinstance(result.exception, AsrError):
        raise result.exception
    return result


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text").write_text(SENTENCES)
    return tmp_path / "text"


def test_text(tmp_path):
    (tmp_path / "a").write_text("Mr. Smith paid £5. Book IV!\n\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"The 2d day.\n"))
    assert run("text", tmp_path / "a", tmp_path / "b.gz", tmp_path / "out.gz").exit_code == 0
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()).decode().splitlines() == [
        "mister smith paid five pounds", "book iv", "the second day"]
    run("text", "--roman", "--normaliser", "none", tmp_path / "a", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mister Smith paid five pounds.\nBook four!\n"
    with pytest.raises(AsrError, match="no normaliser named"):
        run("text", "--normaliser", "any", tmp_path / "a", tmp_path / "out")


def test_build_and_convert(text, tmp_path):
    assert run("build", text, tmp_path / "a.arpa", "--order", 2, "--cutoffs", "0,1").exit_code == 0
    lines = (tmp_path / "a.arpa").read_text().splitlines()
    assert "ngram 2=4" in lines  # <s> a, a b, a </s>, b </s>
    # log10 of 1/8, 1/4, 5/16; of 29/40, 15/32, 113/384, 25/64.
    assert {line.split("\t")[1]: float(line.split("\t")[0]) for line in lines if "\t" in line} \
        == pytest.approx({"<unk>": -0.90309, "<s>": -99, "</s>": -0.60206, "a": -0.50515,
                          "b": -0.50515, "<s> a": -0.13966, "a </s>": -0.32906, "a b": -0.53125,
                          "b </s>": -0.40824}, abs=1e-5)
    assert run("convert", tmp_path / "a.arpa", tmp_path / "a.lm").exit_code == 0
    run("convert", tmp_path / "a.lm", tmp_path / "b.arpa")
    assert (tmp_path / "b.arpa").read_text() == (tmp_path / "a.arpa").read_text()
    assert run("convert", tmp_path / "a.lm", tmp_path / "q.lm", "--quantise").exit_code == 0
    run("build", text, tmp_path / "b.arpa.gz", "--order", 2, "--cutoffs", "0,1")
    assert gzip.decompress((tmp_path / "b.arpa.gz").read_bytes()) == \
        (tmp_path / "a.arpa").read_bytes()


def test_mix(text, tmp_path):
    (tmp_path / "other").write_text("c a\nc\n")
    run("build", text, tmp_path / "a.arpa", "--order", 2)
    run("build", tmp_path / "other", tmp_path / "b.lm", "--order", 3)
    (tmp_path / "dev").write_text("A B\nB A\nC\n")
    found = run("mix", tmp_path / "a.arpa", tmp_path / "b.lm", tmp_path / "m.lm", "--dev",
                tmp_path / "dev", "--normaliser", "librispeech", "--quantise").stdout
    weights, names = zip(*(line.split() for line in found.splitlines()), strict=True)
    assert names == (str(tmp_path / "a.arpa"), str(tmp_path / "b.lm"))
    assert float(weights[0]) > 0.5 and sum(map(float, weights)) == pytest.approx(1)
    run("mix", tmp_path / "a.arpa", tmp_path / "b.lm", tmp_path / "m.arpa", "--weights",
        ",".join(weights))
    assert "perplexity" in run("perplexity", tmp_path / "m.arpa", tmp_path / "dev").stdout
    grams = (tmp_path / "m.arpa").read_text()
    assert "ngram 1=6" in grams and "\tc a </s>" in grams and "\ta b" in grams


@pytest.mark.parametrize(("arguments", "message"), [
    (["a.lm", "m.lm", "--weights", "1"], "two MODELS or more"),
    (["a.lm", "a.lm", "m.lm"], "give --dev"),
    (["a.lm", "a.lm", "m.lm", "--dev", "a", "--weights", "0.5,0.5"], "give --dev"),
    (["a.lm", "a.lm", "m.lm", "--weights", "0.5,half"], "no list of numbers")])
def test_mix_of_too_little(text, tmp_path, arguments, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("build", text, "a.lm")
    result = run("mix", *arguments)
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "m.lm").exists()


def test_perplexity(text, tmp_path):
    run("build", text, tmp_path / "a.lm", "--order", 2, "--cutoffs", "0,1")
    (tmp_path / "test").write_text("a b\n\nC\n")
    write_records(tmp_path / "m.jsonl", [Utterance(id="1", audio="a.wav", text="A", speaker="s",
                                                   duration=1, sample_rate=16_000)])
    found = run("perplexity", tmp_path / "a.lm", tmp_path / "test", tmp_path / "m.jsonl",
                "--normaliser", "librispeech").stdout.splitlines()
    # a b </s> 29/40 · 113/384 · 25/64; a </s> 29/40 · 15/32; </s> after <unk> 1/4: six events,
    # (1 / 0.0070797)^(1/6) = 2.3; c is <unk>, 1/20 after <s>: (20 / 0.0070797)^(1/7) = 3.1.
    assert found == ["3 sentences, 4 words", "unknown words  1 (25.00 %)",
                     "perplexity     2.3 without unknown words, 3.1 with them as <unk>",
                     "most frequent  c 1"]


@pytest.mark.parametrize(("arguments", "message"), [
    (["build", "text", "more"], "more: .*must end in .lm, .arpa, .arpa.gz or .arpa.xz"),
    (["build", "text", "more.gz"], "must end in"),
    (["build", "none", "a.arpa.gz", "--quantise"], "only binary files"),
    (["convert", "none", "more"], "must end in"),
    (["mix", "none", "none", "more", "--weights", "0.5,0.5"], "must end in"),
    (["convert", "none", "a.arpa", "--quantise"], "only binary files"),
    (["text", "text", "more", "text"], "text: .*is one of the texts"),
    (["build", "none", "a.lm", "--words", 3, "--vocabulary", "more"], "--words or --vocabulary"),
    (["build", "none", "a.lm", "--order", 1, "--cutoffs", "0,0"], "2 cut-offs for an order of 1"),
    (["build", "text", "a.lm", "--vocabulary", "more"], "more:1: "),
])
def test_refused_before_the_work(text, tmp_path, monkeypatch, arguments, message):
    """`none` is a text that is not there, as whoever reads it would say."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more").write_text("of the text\n")
    with pytest.raises(AsrError, match=message) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "more").read_text() == "of the text\n"
    assert text.read_text() == SENTENCES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more", "text"]


def test_cutoffs_are_numbers(text, tmp_path):
    result = run("build", text, tmp_path / "a.lm", "--cutoffs", "0,x")
    assert result.exit_code == 2
    assert "'0,x' is no list of numbers" in result.stderr


@pytest.mark.parametrize("number", ["nan", "inf"])
@pytest.mark.parametrize("arguments", [["sample", "none", "--temperature"],
                                       ["build", "none", "a.lm", "--prune"]])
def test_numbers_are_finite(arguments, number):
    result = run(*arguments, number)
    assert result.exit_code == 2
    assert f"'{number}' is not a finite number" in result.stderr

"""asr prepare …: arguments in, manifests out, one line for each fault."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from asr.cli import asr, main
from asr.errors import AsrError
from asr.manifest import read_manifest


def run(*arguments):
    return CliRunner().invoke(asr, ["prepare", *map(str, arguments)])


@pytest.fixture
def audio(tmp_path):
    def write(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(8000), 16_000)
    return write


def test_librispeech(tmp_path, audio):
    for subset in ("dev-clean", "train-clean-5"):
        audio(f"{subset}/1/2/1-2-0000.flac")
        (tmp_path / subset / "1/2/1-2.trans.txt").write_text("1-2-0000 HI THERE\n")
    result = run("librispeech", tmp_path, tmp_path / "out", "--subset", "dev-clean",
                 "--subset", "train-clean-5", "--normaliser", "none", "--download")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "dev-clean.jsonl: 1 utterances, 0.00 h, 1 speakers, 2 words" in result.stderr
    for subset in ("dev-clean", "train-clean-5"):
        [utterance] = read_manifest(tmp_path / "out" / f"{subset}.jsonl")
        assert utterance.text == "HI THERE"


def test_an4(tmp_path, audio):
    (tmp_path / "etc").mkdir()
    for part, speakers in (("train", "ab"), ("test", "c")):
        for speaker in speakers:
            audio(f"wav/{part}/{speaker}/x-{speaker}.wav")
        (tmp_path / f"etc/an4_{part}.fileids").write_text(
            "".join(f"{part}/{s}/x-{s}\n" for s in speakers))
        (tmp_path / f"etc/an4_{part}.transcription").write_text(
            "".join(f"<s> YES </s> (x-{s})\n" for s in speakers))
    assert run("an4", tmp_path, tmp_path / "out").exit_code == 0
    assert {path.name: [u.speaker for u in read_manifest(path)]
            for path in (tmp_path / "out").iterdir()} == {
        "train.jsonl": ["b"], "dev.jsonl": ["a"], "test.jsonl": ["c"]}


@pytest.fixture
def small_corpora(tmp_path, audio):
    """Of one utterance, in several layouts at once."""
    for name in ("wavs/a.wav", "clips/a.wav", "a.wav"):
        audio(name)
    (tmp_path / "metadata.csv").write_text("a|Hi!\n")
    (tmp_path / "v.tsv").write_text("path\tsentence\na.mp3\tHi!\n")
    (tmp_path / "t.csv").write_text("audio,text\na.wav,Hi!\n")
    (tmp_path / "wav.scp").write_text("a a.wav\n")
    (tmp_path / "text").write_text("a Hi!\n")
    (tmp_path / "utt2spk").write_text("a s\n")
    return tmp_path


def test_single_manifest_corpora(small_corpora, tmp_path):
    for corpus, source in (("ljspeech", "."), ("commonvoice", "v.tsv"), ("table", "t.csv"),
                           ("kaldi", ".")):
        manifest = tmp_path / f"{corpus}.jsonl"
        result = run(corpus, small_corpora / source, manifest)
        assert result.exit_code == 0, result.output
        assert [(u.id, u.text) for u in read_manifest(manifest)] == [("a", "hi")]


def test_skip_unreadable(tmp_path, audio):
    audio("a.wav")
    (tmp_path / "t.csv").write_text("audio,text\na.wav,hi\nnone.wav,ho\n")
    result = run("table", tmp_path / "t.csv", tmp_path / "m.jsonl", "--skip-unreadable")
    assert result.exit_code == 0
    assert "left out: none (" in result.stderr
    assert len(read_manifest(tmp_path / "m.jsonl")) == 1


@pytest.mark.parametrize(("corpus", "source", "manifest"), [
    ("ljspeech", ".", "metadata.csv"), ("commonvoice", "v.tsv", "v.tsv"),
    ("table", "t.csv", "./t.csv"), ("kaldi", ".", "text"), ("kaldi", ".", "wav.scp")])
def test_a_corpus_is_not_replaced_by_its_manifest(small_corpora, corpus, source, manifest):
    before = (small_corpora / manifest).read_text()
    result = run(corpus, small_corpora / source, small_corpora / manifest)
    assert isinstance(result.exception, AsrError)
    assert (small_corpora / manifest).read_text() == before


@pytest.mark.parametrize("arguments", [
    ["table", "t.csv", "out/m.jsonl"],
    ["table", "none.csv", "out/m.jsonl"],
    ["table", "t.csv", "out/m.jsonl", "--normaliser", "english"],
    ["librispeech", ".", "out", "--subset", "dev-clean"],
    ["librispeech", ".", "out", "--subset", "../x"],
    ["librispeech", ".", "out"],
    ["librispeech", "t.csv", "out", "--subset", "dev-clean"],
    ["an4", ".", "out"],
    ["ljspeech", ".", "."],
], ids=" ".join)
def test_faults_are_one_line_and_leave_nothing(tmp_path, monkeypatch, capsys, arguments):
    (tmp_path / "t.csv").write_text("audio,text\nnone.wav,hi\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["asr", "prepare", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("asr: error: ")
    assert said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_help_loads_nothing_heavy():
    code = ("import sys; from asr.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "print(sorted({'torch', 'soundfile', 'librosa', 'numba'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code, "prepare", "--help"], capture_output=True,
                          text=True, check=True)
    assert "librispeech" in done.stdout
    assert done.stdout.endswith("[]\n")

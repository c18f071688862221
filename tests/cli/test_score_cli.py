import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from asr.cli.score import score
from asr.errors import AsrError
from asr.manifest import Hypothesis, Utterance, write_records


@pytest.fixture
def files(tmp_path):
    write_records(tmp_path / "ref.jsonl", [
        Utterance(id=i, audio="a.wav", text=text, speaker="s", duration=1, sample_rate=16000)
        for i, text in (("a", "The cat's mat."), ("b", "two"))])
    write_records(tmp_path / "hyp.jsonl", [Hypothesis(id="b", text="two"),
                                           Hypothesis(id="a", text="the cats mat")])
    return str(tmp_path / "ref.jsonl"), str(tmp_path / "hyp.jsonl"), tmp_path


def run(*arguments):
    return CliRunner().invoke(score, arguments, catch_exceptions=False)


def test_table_and_folder(files):
    reference, hypothesis, folder = files
    result = run(reference, hypothesis, "--output", str(folder / "out"))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "WER  75.00" in result.stdout
    assert (folder / "out" / "report.txt").read_text() == result.stdout


def test_the_page_shows_a_models_posteriors(files, babbler):
    reference, hypothesis, folder = files
    with pytest.raises(AsrError, match="give --output DIR"):
        run(reference, hypothesis, "--model", str(babbler))
    arguments = reference, hypothesis, "--model", str(babbler), "--output", str(folder / "out")
    with pytest.raises(AsrError, match="names no audio that can be read"):
        run(*arguments)
    assert not (folder / "out").exists()
    soundfile.write(folder / "a.wav", np.full(16000, 0.1), 16000)
    run(*arguments)
    assert "2 of those with most errors also show" in (folder / "out" / "report.html").read_text()


def test_normaliser_on_both_sides(files):
    reference, hypothesis, _ = files
    values = json.loads(run(reference, hypothesis, "--json", "--normaliser", "librispeech").stdout)
    assert values["wer"]["substitutions"] == 1  # cat's
    assert values["normaliser"] == "librispeech"


def test_reference_and_hypothesis_may_be_of_different_kinds(files):
    reference, _, folder = files
    (folder / "hyp.trn").write_text("two (b)\nThe cat's mat. (a)\n")
    assert json.loads(run(reference, str(folder / "hyp.trn"), "--json").stdout)["wer"]["rate"] == 0


def test_missing_hypotheses(files):
    reference, _, folder = files
    (folder / "hyp.trn").write_text("The cat's mat. (a)\n")
    with pytest.raises(AsrError, match="1 of 2 references have no hypothesis: 'b'"):
        run(reference, str(folder / "hyp.trn"))
    values = json.loads(run(reference, str(folder / "hyp.trn"), "--json",
                            "--missing", "deletions").stdout)
    assert values["wer"]["deletions"] == 1
    assert values["missing"]["ids"] == ["b"]


def test_files_whose_names_are_not_unicode(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [os.fsdecode(name) for name in (b"r\xff.trn", b"h\xff.trn")]
    for file in files:
        Path(file).write_text("a (s-0)\n")
    assert "r\ufffd.trn" in run(*files, "--output", "out").stdout
    for values in (json.loads((tmp_path / "out" / "report.json").read_text()),
                   json.loads(run(*files, "--json").stdout)):
        assert values["reference"] == "r\ufffd.trn"
        assert values["hypothesis"] == "h\ufffd.trn"
    for report in ("report.txt", "report.md", "report.html"):
        assert "h\ufffd" in (tmp_path / "out" / report).read_text()

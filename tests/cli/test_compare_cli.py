import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from asr.cli.compare import compare
from asr.errors import AsrError


@pytest.fixture
def files(tmp_path):
    """A reference, and two systems: one is wrong in the last utterance, one in all but that."""
    for name, word in (("ref", "b"), ("good", "b"), ("bad", "x")):
        (tmp_path / f"{name}.trn").write_text(
            "".join(f"a {word} c (s{i % 5}-{i})\n" for i in range(60))
            + f"odd {'two' if name == 'good' else 'one'} (s-60)\n")
    return [str(tmp_path / f"{name}.trn") for name in ("ref", "good", "bad")]


def run(*arguments):
    return CliRunner().invoke(compare, arguments, catch_exceptions=False)


def test_verdict_and_figures(files):
    result = run(*files)
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "good is better than bad by 32.42 points of WER" in text  # 59 of 182 words
    assert "p < 0.001" in text
    assert "McNemar: 60 utterances right only by good, 1 only by bad" in text
    assert "s0-0: good 0, bad 1 errors" in text
    assert "good REF a b c HYP a b c bad REF a b c HYP a x c S" in text
    assert re.search("bad minus good, interval over speakers: [23].* to 3", text)
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_json(files):
    values = json.loads(run(*files, files[1].replace("good", "bad"), "--json").stdout)
    assert (values["schema"], values["version"]) == ("asr.compare", 1)
    assert len(values["comparisons"]) == 3
    assert values["comparisons"][0]["difference"]["value"] == pytest.approx(59 / 182)
    low, high = values["comparisons"][0]["speaker_interval"]
    assert low < 59 / 182 < high
    assert values["comparisons"][2]["verdict"].startswith("no significant difference between")


def test_all_systems_stand_beside_each_other(files):
    text = " ".join(run(*files, files[1].replace("good", "ref")).stdout.split())
    assert "s0-0: good 0, bad 1, ref 0 errors good REF a b c HYP a b c bad REF a b c" in text
    assert "ref REF a b c HYP a b c" in text


def test_without_speakers_there_is_no_interval_over_them(files, tmp_path):
    lines = []
    for name in ("ref", "good", "bad"):
        path = tmp_path / f"{name}.txt"
        path.write_text((tmp_path / f"{name}.trn").read_text())
        lines.append(str(path))
    assert "over speakers" not in run(*lines).stdout
    assert json.loads(run(*lines, "--json").stdout)["comparisons"][0]["speaker_interval"] is None


def test_one_system_is_no_comparison(files):
    with pytest.raises(AsrError, match="nothing to compare"):
        run(*files[:2])


def test_columns_must_be_two(files):
    with pytest.raises(AsrError, match="two columns"):
        run(*files, "--ref-columns", "id")


def test_files_whose_names_are_not_unicode(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [os.fsdecode(name) for name in (b"\xff.trn", b"a\xff.trn", b"b.trn")]
    for file in files:
        Path(file).write_text("a (s-0)\n")
    assert "a\ufffd" in run(*files).stdout
    values = json.loads(run(*files, "--json").stdout)
    assert values["reference"] == "\ufffd.trn"
    assert [system["name"] for system in values["systems"]] == ["a\ufffd", "b"]

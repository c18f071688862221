import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.score.transcript import Transcript
from asr.score.trn import read_trn, write_trn

SCLITE = shutil.which("sclite") or shutil.which("/usr/lib/sctk/bin/sclite")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff{")
                ) | st.sampled_from([";; a", "** a", ";", "(a-1) b", "(b)", "/ }"])
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\ufeff"),
              min_size=1).filter(lambda i: "(" not in i or not any(c.isspace() for c in i))


def alignments(folder):
    """What sclite prints where a.trn of the folder is scored against itself."""
    return subprocess.run([SCLITE, "-r", "a.trn", "trn", "-h", "a.trn", "trn", "-i", "spu_id",
                           "-s", "-e", "utf-8", "-o", "pralign", "stdout"],
                          cwd=folder, capture_output=True, text=True).stdout


def texts_of(path):
    return {utterance: found.text for utterance, found in read_trn(path).items()}


@given(st.dictionaries(ids, texts, max_size=5))
def test_round_trip(tmp_path_factory, utterances):
    path = tmp_path_factory.mktemp("trn") / "a.trn"
    write_trn(path, utterances.items())
    assert texts_of(path) == {i: " ".join(text.split()) for i, text in utterances.items()}


@pytest.mark.parametrize(("line", "utterance", "text"), [
    ("hello world (a-1)", "a-1", "hello world"),
    ("(a-1)", "a-1", ""),
    ("  (a-1)  ", "a-1", ""),
    (" ;; a  b (a-1)", "a-1", ";; a  b"),
    ("yes (no) (a(1))", "a(1)", "yes (no)"),
    ("(a) (b)", "b", "(a)"),
    ("tab\t(a)", "a", "tab"),
])
def test_reading(tmp_path, line, utterance, text):
    (tmp_path / "a.trn").write_text(line + "\n\n", encoding="utf-8")
    assert texts_of(tmp_path / "a.trn") == {utterance: text}


def test_windows_line_ends(tmp_path):
    (tmp_path / "a.trn").write_bytes(b"one (a)\r\ntwo (b)\r\n")
    assert texts_of(tmp_path / "a.trn") == {"a": "one", "b": "two"}


SPEAKERS = {"spk1-001": "spk1", "spk1_002": "spk1", "a-b-c": "a", "19-198-0001": "19",
            "a_b-c": "a_b", "a-b_c": "a", "a_b_c": "a", "_a-b": "_a", "a_-b": "a_", "zz-": "zz",
            "noseparator": None, "-x": None, "_x": None}


@pytest.mark.parametrize("utterance", SPEAKERS)
def test_the_speaker_is_part_of_the_id(tmp_path, utterance):
    (tmp_path / "a.trn").write_text(f"x ({utterance})\n", encoding="utf-8")
    assert read_trn(tmp_path / "a.trn") == {utterance: Transcript("x", SPEAKERS[utterance])}


@pytest.mark.skipif(SCLITE is None, reason="needs sclite")
@pytest.mark.parametrize("utterance", SPEAKERS)
def test_sclite_takes_the_same_speaker(tmp_path, utterance):
    (tmp_path / "a.trn").write_text(f"x ({utterance})\n", encoding="utf-8")
    output = alignments(tmp_path)
    found = re.search(r"Speaker sentences +0: +(.*?) *#utts", output)
    assert (found[1] if found else "") == (SPEAKERS[utterance] or "")


def test_comments_are_skipped_and_counted_as_lines(tmp_path):
    (tmp_path / "a.trn").write_text(";; made by (me)\nx (a)\n{ (b\n", encoding="utf-8")
    with pytest.raises(AsrError, match=r"a\.trn:3: expected"):
        read_trn(tmp_path / "a.trn")
    (tmp_path / "a.trn").write_text(";; made by (me)\n{ a (a)\n", encoding="utf-8")
    assert texts_of(tmp_path / "a.trn") == {"a": "{ a"}


def test_alternations_are_refused(tmp_path):
    (tmp_path / "a.trn").write_text("x (a)\ny { uh / @ } z (b)\n", encoding="utf-8")
    with pytest.raises(AsrError, match=r"a\.trn:2: alternations .* are not supported"):
        read_trn(tmp_path / "a.trn")


@pytest.mark.skipif(SCLITE is None, reason="needs sclite")
def test_sclite_reads_every_line_that_is_written(tmp_path):
    texts = {"s-1": ";; a b", "s-2": "** a b", "s-3": "", "s-4": "a (b)", "s-5": "(s-1) ü"}
    write_trn(tmp_path / "a.trn", texts.items())
    output = alignments(tmp_path)
    correct = re.findall(r"id: \((.*)\)\n(?:.*\n)*?Scores: .*?\) (\d+) 0 0 0", output)
    assert dict(correct) == {i: str(len(text.split())) for i, text in texts.items()}


@pytest.mark.parametrize("line", ["no id", "hello ()", "hello (a", "hello(a)", "a) (", "(a) x"])
def test_a_malformed_line_is_named(tmp_path, line):
    (tmp_path / "a.trn").write_text(f"fine (x)\n\n{line}\n", encoding="utf-8")
    with pytest.raises(AsrError, match=r"a\.trn:3: expected `text \(id\)`"):
        read_trn(tmp_path / "a.trn")


def test_a_duplicate_is_named_with_both_lines(tmp_path):
    (tmp_path / "a.trn").write_text("x (a)\ny (b)\nz (a)\n", encoding="utf-8")
    with pytest.raises(AsrError, match=r"a\.trn:3: id 'a' was already on line 1"):
        read_trn(tmp_path / "a.trn")


@pytest.mark.parametrize("utterance", ["a\nb", "a\rb", "x (b"])
def test_an_id_that_could_not_be_read_back_is_refused(tmp_path, utterance):
    with pytest.raises(AsrError, match="cannot stand in a"):
        write_trn(tmp_path / "a.trn", [("fine", "x"), (utterance, "text")])
    assert list(tmp_path.iterdir()) == []

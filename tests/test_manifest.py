"""asr.manifest: records round-trip, and faults name file and line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.manifest import (
    Alternative,
    Hypothesis,
    Utterance,
    Word,
    read_manifest,
    read_records,
    write_records,
)

texts = st.text(st.characters(codec="utf-8"))
numbers = st.floats(allow_nan=False, allow_infinity=False)
utterances = st.builds(
    Utterance, id=texts.filter(bool), audio=texts, text=texts, speaker=texts,
    start=st.floats(0, 1e9), duration=st.floats(0, 1e9, exclude_min=True),
    sample_rate=st.integers(1, 2**40), extra=st.dictionaries(texts, texts))
hypotheses = st.builds(
    Hypothesis, id=texts.filter(bool), text=texts, score=st.none() | numbers,
    confidence=st.none() | numbers,
    words=st.lists(st.builds(Word, text=texts, start=numbers, end=numbers, confidence=numbers)),
    nbest=st.lists(st.builds(Alternative, text=texts, score=numbers)))


def unique(records):
    return st.lists(records, max_size=5, unique_by=lambda record: record.id)


@given(records=unique(utterances) | unique(hypotheses))
def test_round_trip(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("manifest") / "m.jsonl"
    write_records(path, records)
    kind = type(records[0]) if records else Utterance
    assert read_records(path, kind) == records


LINE = ('{"id":"%s","audio":"a.wav","text":"hello","speaker":"s","duration":1.5,'
        '"sample_rate":16000}')


def manifest(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def changed(**changes) -> str:
    record = json.loads(LINE % "b") | changes
    return json.dumps({key: value for key, value in record.items() if value is not None})


@pytest.mark.parametrize(("line", "message"), [
    ("{not json", "not a JSON object"),
    ('{"id":"b","audio":"a.w', "not a JSON object"),
    ("[1, 2]", "not a JSON object"),
    ("null", "not a JSON object"),
    (changed(text=None), "`text`: field required"),
    (changed(id=""), "`id`: "),
    (changed(id=3), "`id`: input should be a valid string"),
    (changed(duration=0), "`duration`: input should be greater than 0"),
    (changed(duration="NaN"), "`duration`: input should be a finite number"),
    (changed(start=-1), "`start`: "),
    (changed(start=1e305), "`start`: input should be less than or equal to 1000000000"),
    (changed(duration=1e305), "`duration`: input should be less than or equal to 1000000000"),
    (changed(colour="red"), "`colour`: extra inputs are not permitted"),
    (changed(extra={"age": 3}), "`extra.age`: input should be a valid string"),
])
def test_broken_line_is_named(tmp_path, line, message):
    path = manifest(tmp_path, LINE % "a", "", line, LINE % "c")
    with pytest.raises(AsrError) as caught:
        read_records(path, Utterance)
    assert f"{path}:3: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_duplicate_id_names_both_lines(tmp_path):
    path = manifest(tmp_path, LINE % "a", LINE % "b", LINE % "a")
    with pytest.raises(AsrError, match=r":3: id 'a' was already on line 1"):
        read_manifest(path)


def test_windows_file(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(("\ufeff" + LINE % "a" + "\r\n" + LINE % "b" + "\r\n").encode())
    assert [u.id for u in read_manifest(path)] == ["a", "b"]


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_empty_manifest(tmp_path, content):
    (tmp_path / "m.jsonl").write_text(content)
    with pytest.raises(AsrError, match="no utterances in it"):
        read_manifest(tmp_path / "m.jsonl")


def test_relative_paths_count_from_the_manifest(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    path = manifest(tmp_path, LINE % "a", changed(audio="/data/b.wav"))
    assert [u.audio for u in read_manifest(path)] == [str(tmp_path / "a.wav"), "/data/b.wav"]


def test_defaults_are_left_out(tmp_path):
    write_records(tmp_path / "h.jsonl", [Hypothesis(id="a", text="hi")])
    assert (tmp_path / "h.jsonl").read_text() == '{"id":"a","text":"hi"}\n'


def test_failed_write_leaves_nothing(tmp_path):
    def records():
        yield Hypothesis(id="a", text="hi")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path / "h.jsonl", records())
    assert list(tmp_path.iterdir()) == []

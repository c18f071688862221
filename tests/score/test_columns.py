import json
import math

import pytest

from asr.errors import AsrError
from asr.manifest import Alternative, Hypothesis, Utterance, Word, write_records
from asr.score.columns import read_jsonl, read_table
from asr.score.transcript import Transcript


def jsonl(folder, *lines):
    (folder / "a.jsonl").write_text("\n".join(
        line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return folder / "a.jsonl"


def table(folder, content):
    (folder / "a.csv").write_text(content, encoding="utf-8")
    return folder / "a.csv"


def test_our_manifests(tmp_path):
    fields = {"text": "one two", "speaker": "s", "duration": 1.5, "sample_rate": 16000}
    write_records(tmp_path / "r.jsonl", [
        Utterance(id="b", audio="wavs/b.wav", start=2.5, extra={"gender": "F"}, **fields),
        Utterance(id="a", audio="/data/a.wav", **fields)])
    side = read_jsonl(tmp_path / "r.jsonl")
    assert list(side.items()) == [
        ("b", Transcript("one two", "s", str(tmp_path / "wavs/b.wav"), 2.5, 1.5,
                         {"gender": "F"})),
        ("a", Transcript("one two", "s", "/data/a.wav", 0.0, 1.5))]


def test_our_hypotheses(tmp_path):
    words = [Word(text="one", start=0, end=1, confidence=0.5),
             Word(text="two", start=1, end=2, confidence=1)]
    write_records(tmp_path / "h.jsonl", [
        Hypothesis(id="a", text="one two", score=-1.5, confidence=0.75, words=words,
                   nbest=[Alternative(text="one two", score=-1.5)]),
        Hypothesis(id="b", text="")])
    assert read_jsonl(tmp_path / "h.jsonl") == {
        "a": Transcript("one two", confidences=(0.5, 1.0)), "b": Transcript("")}


def test_an_audio_file_beside_a_list_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = jsonl(tmp_path, {"id": "a", "text": "x", "audio": "wavs/a.wav"})
    assert read_jsonl(path.relative_to(tmp_path))["a"].audio == "wavs/a.wav"


def test_files_of_others(tmp_path):
    side = read_jsonl(jsonl(
        tmp_path, "",
        {"utt": 7, "words": "some text", "speaker": 3, "start": "1.5", "duration": None,
         "snr": 12.5, "noisy": True, "clean": False, "age": None, "tags": ["a"], "more": {},
         "lang": "de", "extra": {"lang": "fr", "n": 1, "none": None}}),
        ("utt", "words"))
    assert side == {"7": Transcript("some text", "3", None, 1.5, None, {
        "snr": "12.5", "noisy": "true", "clean": "false", "lang": "fr", "n": "1"})}


@pytest.mark.parametrize("words", [[], [{"w": "x"}, {"w": "y"}],
                                   [{"confidence": 0.5}, {"confidence": None}],
                                   [{"confidence": 0.5}, {}], None, ["x", "y"],
                                   [{"confidence": 0.5}, "y"], [{"confidence": "high"}],
                                   [{"confidence": 0.5}, {"confidence": -0.3}],
                                   [{"confidence": 1.5}], [{"confidence": math.nan}]])
def test_confidences_are_of_all_words_or_of_none(tmp_path, words):
    side = read_jsonl(jsonl(tmp_path, {"id": "a", "text": "x y", "words": words}))
    assert side == {"a": Transcript("x y")}


def test_known_names_of_other_things(tmp_path):
    side = read_jsonl(jsonl(
        tmp_path, {"id": "a", "text": "x", "words": 1, "audio": {"path": "a.wav"},
                   "speaker": {"name": "s"}, "start": [0], "duration": {"s": 1}, "extra": "e"},
        {"id": "b", "text": "x", "words": {"x": 1}, "extra": ["e"]},
        {"id": "c", "text": "x", "extra": {"deep": {}, "flat": 1}}))
    assert side == {"a": Transcript("x", extra={"words": "1", "extra": "e"}),
                    "b": Transcript("x"), "c": Transcript("x", extra={"flat": "1"})}


@pytest.mark.parametrize(("fields", "message"), [
    ({"id": ""}, "`id` is missing or empty"),
    ({"id": None}, "`id` is missing or empty"),
    ({"id": 1.5}, r"`id` is 1\.5, not a string"),
    ({"id": True}, "`id` is true, not a string"),
    ({"text": None}, "`text` is null, not a string"),
    ({"text": ["x"]}, r"`text` is \[\"x\"\], not a string"),
    ({"audio": 3}, "`audio` is 3, not a string"),
    ({"start": "soon"}, "`start` is \"soon\", not a number"),
    ({"start": True}, "`start` is true, not a number"),
    ({"start": -1}, "`start` is -1, not a number of seconds"),
    ({"duration": float("nan")}, "`duration` is NaN, not a number"),
    ({"id": "first"}, "id 'first' was already on line 1; ids must be unique"),
])
def test_a_wrong_value_is_named(tmp_path, fields, message):
    path = jsonl(tmp_path, {"id": "first", "text": ""}, "", {"id": "a", "text": "x"} | fields)
    with pytest.raises(AsrError, match=rf"a\.jsonl:3: {message}"):
        read_jsonl(path)


@pytest.mark.parametrize(("line", "message"), [
    ('{"id": "a"', "not JSON"),
    ("[1]", "not a JSON object"),
    ("[" * 100_000, "not JSON"),
    ('{"id": "a", "text": "\\ud800"}', "not JSON"),
    ('{"id": "a", "text": "x", "start": 1' + "0" * 400 + "}", "`start` is .*, not a number"),
])
def test_a_damaged_line_is_named(tmp_path, line, message):
    with pytest.raises(AsrError, match=rf"a\.jsonl:1: {message}") as raised:
        read_jsonl(jsonl(tmp_path, line))
    assert "\n" not in str(raised.value)


def test_escaped_characters_outside_the_basic_plane_are_read(tmp_path):
    path = jsonl(tmp_path, r'{"id": "a", "text": "\ud83d\ude00"}')
    assert read_jsonl(path)["a"].text == "😀"


def test_table(tmp_path):
    path = table(tmp_path, '\ufeffname, text,speaker,audio,start,duration,gender,,sample_rate\n'
                           'a,"one, ""two""\nthree",s,w/a.wav,0.5,2,F,0,8000\n\nb,,,,,,,1,\n')
    assert read_table(path, ",", ("name", "text")) == {
        "a": Transcript('one, "two"\nthree', "s", str(tmp_path / "w/a.wav"), 0.5, 2.0,
                        {"gender": "F"}),
        "b": Transcript("")}


def test_tabs(tmp_path):
    assert read_table(table(tmp_path, "text\tid\none, two\ta\n"), "\t") == {
        "a": Transcript("one, two")}


@pytest.mark.parametrize(("content", "message"), [
    ("id,sentence\na,x\n", "csv: no column 'text'.*'id', 'sentence'"),
    ("", r"csv: no column 'id'"),
    ("id,text,id\na,x,b\n", "csv: no column 'id', or several"),
    ("id,text\na,\"x\ny\"\nb\n", "csv:4: 1 fields, but the first line names 2"),
    ("id,text\na,x,y\n", "csv:2: 3 fields, but the first line names 2"),
    ("id,text\na,\"x\" y\n", "csv:2: .*is the quoting right"),
    ("id,text\na,\"x\n", "csv:2: .*is the quoting right"),
    ("id,text\n,x\n", "csv:2: `id` is missing or empty"),
    ("id,text,start\na,x,1s\n", "csv:2: `start` is \"1s\", not a number"),
    ("id,text,duration\na,x,inf\n", "csv:2: `duration` is \"inf\", not a number"),
    ("id,text\na,x\n\na,y\n", "csv:4: id 'a' was already on line 2"),
])
def test_a_faulty_table_is_named(tmp_path, content, message):
    with pytest.raises(AsrError, match=message):
        read_table(table(tmp_path, content), ",")

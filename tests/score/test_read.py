import json

import pytest

from asr.errors import AsrError
from asr.score.read import FORMATS, Source, read_sides
from asr.score.transcript import Transcript

CONTENTS = {
    "a.jsonl": '{"id": "a", "text": "one two"}\n{"id": "b", "text": ""}\n',
    "a.trn": "one two (a)\n(b)\n",
    "text": "a one two\n\nb\n",
    "a.text": "a  one two \nb \n",
    "a.csv": "id,text\na,one two\nb,\n",
    "a.TSV": "text\tid\none two\ta\n\tb\n",
    "a.ctm": "a 1 1 1 two\na 1 0 1 one\n",
}


def write(folder, name, content):
    (folder / name).write_text(content, encoding="utf-8")
    return Source(folder / name)


def texts(side):
    return {utterance: found.text for utterance, found in side.items()}


@pytest.mark.parametrize("name", CONTENTS)
def test_the_name_tells_the_format(tmp_path, name):
    source = write(tmp_path, name, CONTENTS[name])
    side, sides = read_sides(source, [source])
    assert sides == [side]
    assert texts(side) == {"a": "one two"} | ({} if name == "a.ctm" else {"b": ""})


def test_formats_can_be_mixed_and_named(tmp_path):
    sources = [write(tmp_path, name, content) for name, content in CONTENTS.items()]
    odd = write(tmp_path, "odd.txt", "a one two\nb\n")._replace(format="kaldi")
    side, sides = read_sides(odd, sources)
    assert texts(side) == {"a": "one two", "b": ""}
    assert [texts(other)["a"] for other in sides] == ["one two"] * len(CONTENTS)


def test_columns_can_be_named(tmp_path):
    columns = ("key", "said")
    source = Source(tmp_path / "r.jsonl", columns=columns)
    source.path.write_text(json.dumps({"key": "a", "said": "x", "text": "y"}), encoding="utf-8")
    other = write(tmp_path, "h.csv", "said,key\nx,a\n")._replace(columns=columns)
    assert read_sides(source, [other]) == (
        {"a": Transcript("x", extra={"text": "y"})}, [{"a": Transcript("x")}])


@pytest.mark.parametrize("name", ["a.trn", "text", "a.ctm"])
def test_columns_of_a_format_that_has_none(tmp_path, name):
    source = write(tmp_path, name, CONTENTS[name])._replace(columns=("key", "said"))
    with pytest.raises(AsrError, match=r"has no columns that could be named \(key,said\)"):
        read_sides(source, [])


def test_ctm_against_stm_goes_by_time_and_others_by_id(tmp_path):
    reference = write(tmp_path, "r.stm", "f A s 0 1 one\nf A s 1 2 two\n")
    timed = write(tmp_path, "h.ctm", "f A 0 1 a\nf A 1 1 b\n")
    named = write(tmp_path, "h.trn", "c (f-A-0-1)\n")
    side, sides = read_sides(reference, [timed, named])
    assert texts(side) == {"f-A-0-1": "one", "f-A-1-2": "two"}
    assert [texts(other) for other in sides] == [{"f-A-0-1": "a", "f-A-1-2": "b"},
                                                 {"f-A-0-1": "c"}]
    assert texts(read_sides(timed, [reference])[0]) == {"f": "a b"}


def test_lines_are_numbered_and_empty_ones_count(tmp_path):
    reference = write(tmp_path, "r.txt", "\none two\n\n")
    hypothesis = write(tmp_path, "h.txt", "x\r\n\r\n y")
    side, sides = read_sides(reference, [hypothesis])
    assert texts(side) == {"1": "", "2": "one two", "3": ""}
    assert [texts(other) for other in sides] == [{"1": "x", "2": "", "3": "y"}]


@pytest.mark.parametrize(("reference", "hypothesis"), [("a.txt", "a.trn"), ("a.trn", "a.txt")])
def test_lines_go_with_lines_only(tmp_path, reference, hypothesis):
    with pytest.raises(AsrError, match=r"`lines` have no ids, so both must be line by line"):
        read_sides(Source(tmp_path / reference), [Source(tmp_path / hypothesis)])


def test_different_numbers_of_lines_are_named(tmp_path):
    reference = write(tmp_path, "r.txt", "one\ntwo\n")
    with pytest.raises(AsrError, match=r"h\.txt has 3 lines and .*r\.txt 2"):
        read_sides(reference, [reference, write(tmp_path, "h.txt", "one\ntwo\n\n")])


@pytest.mark.parametrize(("name", "kind", "message"), [
    ("a.doc", None, "its name does not tell the format"),
    ("texts", None, "its name does not tell the format"),
    ("a.trn", "xml", "no format 'xml'"),
])
def test_an_unknown_format_is_refused_with_those_there_are(tmp_path, name, kind, message):
    with pytest.raises(AsrError, match=rf"{name}: {message}; name one of {', '.join(FORMATS)} "
                                       "with --ref-format or --hyp-format"):
        read_sides(Source(tmp_path / name, kind), [])


def test_an_id_that_occurs_twice_is_named_with_both_lines(tmp_path):
    with pytest.raises(AsrError, match=r"text:3: id 'a' was already on line 1"):
        read_sides(write(tmp_path, "text", "a x\n\na y\n"), [])


@pytest.mark.parametrize("name", CONTENTS)
def test_missing_and_foreign_files_are_named(tmp_path, name):
    with pytest.raises(AsrError, match=f"{name}: no such file"):
        read_sides(Source(tmp_path / name), [])
    (tmp_path / name).write_bytes("ä".encode("latin-1"))
    with pytest.raises(AsrError, match=f"{name}: not UTF-8"):
        read_sides(Source(tmp_path / name), [])

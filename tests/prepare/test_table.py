"""CSV and TSV tables of one's own recordings."""

import pytest

from asr.errors import AsrError
from asr.prepare.table import prepare_table


def table(tmp_path, content, name="t.csv"):
    (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / name


def test_all_columns(tmp_path, record):
    record(tmp_path / "a/one.wav", 3)
    path = table(tmp_path, "\ufeffid,audio,start,duration,text,speaker,room\n"
                           'u1,a/one.wav,0.5,1.5,"Hello, ""you""",ann,kitchen\n'
                           f"u2,{tmp_path}/a/one.wav,2,,bye,bob,\n")
    assert [(u.id, u.text, u.speaker, u.start, u.duration, u.extra)
            for u in prepare_table(path, normaliser="none")] == [
        ("u1", 'Hello, "you"', "ann", 0.5, 1.5, {"room": "kitchen"}),
        ("u2", "bye", "bob", 2.0, 1.0, {})]


def test_least_columns_and_tabs(tmp_path, record):
    record(tmp_path / "one.wav")
    path = table(tmp_path, "text\taudio\nHello, you\tone.wav\n", "t.tsv")
    [utterance] = prepare_table(path)
    assert (utterance.id, utterance.text, utterance.speaker, utterance.duration) == \
        ("one", "hello you", "one", 1.0)


@pytest.mark.parametrize(("content", "message"), [
    ("", "no column `audio`"),
    ("audio,words\n", "no column `text`"),
    ("audio;text\na.wav;hi\n", "no column `audio`"),
    ("audio,text\n", "no usable utterance"),
    ("audio,text\na.wav,hi\na.wav\n", "t.csv:3: not as many fields as the header"),
    ("audio,text\na.wav,hi,there\n", "t.csv:2: not as many fields as the header"),
    ('audio,text\na.wav,"hi\nb.wav,ho\n', r"t.csv:3: unexpected end of data"),
    ('audio,text\na.wav,"hi" there\n', "t.csv:2: "),
    ("audio,text\n,hi\n", "t.csv:2: `audio` is empty"),
    ("audio,text,start\na.wav,hi,soon\n", "t.csv:2: `start` is 'soon', not a number of seconds"),
    ("audio,text,start\na.wav,hi,-1\n", "not a number of seconds"),
    ("audio,text,duration\na.wav,hi,0\n", "not a number of seconds"),
    ("audio,text,duration\na.wav,hi,inf\n", "not a number of seconds"),
    ("audio,text,duration\na.wav,hi,nan\n", "not a number of seconds"),
    ("audio,text\n" + "a" * 300 + ",hi\n", "File name too long"),
    ("audio,text\na.wav," + "a" * 200_000 + "\n", "field larger than field limit"),
])
def test_faults_are_named(tmp_path, record, content, message):
    record(tmp_path / "a.wav")
    with pytest.raises(AsrError, match=message) as caught:
        prepare_table(table(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_same_name_in_two_folders_needs_ids(tmp_path, record):
    record(tmp_path / "x/a.wav")
    record(tmp_path / "y/a.wav")
    with pytest.raises(AsrError, match=r"ids must be unique, .*: a"):
        prepare_table(table(tmp_path, "audio,text\nx/a.wav,hi\ny/a.wav,hi\n"))

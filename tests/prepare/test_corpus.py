"""What importers share: audio found in any format, headers read, faults named."""

import os
from pathlib import Path

import pytest

from asr.audio import SUFFIXES
from asr.errors import AsrError
from asr.manifest import Utterance, read_manifest
from asr.prepare.corpus import Entry, complete, find_audio, write_corpus


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("listed", ["a.b", "a.b.mp3", "a.b.wav"])
def test_audio_in_any_format(tmp_path, record, suffix, listed):
    path = record(tmp_path / f"a.b{suffix}")
    assert find_audio(tmp_path / listed) == path
    [utterance] = complete([Entry("x", tmp_path / listed, "", "s")])
    assert (utterance.audio, utterance.duration, utterance.sample_rate) == (str(path), 1.0, 16_000)


def test_audio_in_capitals(tmp_path, record):
    record(tmp_path / "a.wav").rename(tmp_path / "a.WAV")
    assert find_audio(tmp_path / "a") == find_audio(tmp_path / "a.flac") == tmp_path / "a.WAV"
    record(tmp_path / "b.flac")
    assert find_audio(tmp_path / "b.WAV") == tmp_path / "b.flac"


def test_the_listed_file_comes_first(tmp_path, record):
    record(tmp_path / "a.flac")
    assert find_audio(record(tmp_path / "a.wav")) == tmp_path / "a.wav"


@pytest.mark.parametrize("name", ["a", "a.wav", "a" * 300, "x\0y"])
def test_no_audio(tmp_path, name):
    with pytest.raises(AsrError):
        find_audio(tmp_path / name)


def test_relative_paths_become_absolute(tmp_path, record, monkeypatch):
    record(tmp_path / "a.wav")
    monkeypatch.chdir(tmp_path)
    [utterance] = complete([Entry("x", Path("a.wav"), "", "s")])
    assert utterance.audio == str(tmp_path / "a.wav")


def test_lengths_and_rates_are_the_file_s(tmp_path, record):
    record(tmp_path / "a.wav", 2.5, 44_100)
    entries = [Entry("whole", tmp_path / "a.wav", "Don’t!", "s", extra={"k": "v"}),
               Entry("rest", tmp_path / "a.wav", "", "s", start=0.5),
               Entry("part", tmp_path / "a.wav", "", "s", start=0.5, duration=1.25),
               Entry("overshoot", tmp_path / "a.wav", "", "s", start=0.5, duration=2.4)]
    utterances = complete(entries)
    assert [(u.id, u.start, u.duration) for u in utterances] == [
        ("whole", 0.0, 2.5), ("rest", 0.5, 2.0), ("part", 0.5, 1.25), ("overshoot", 0.5, 2.0)]
    assert utterances[0] == Utterance(id="whole", audio=str(tmp_path / "a.wav"), text="don't",
                                      speaker="s", duration=2.5, sample_rate=44_100,
                                      extra={"k": "v"})
    assert complete(entries, normaliser="none")[0].text == "Don’t!"


@pytest.mark.parametrize(("changes", "message"), [
    ({"audio": "none"}, "none: no such file, in no format"),
    ({"audio": "text.wav"}, "not readable as audio"),
    ({"audio": "zero.wav"}, "nothing in it after 0 s"),
    ({"start": 1.0}, "nothing in it after 1 s"),
    ({"start": 0.25, "duration": 1.5}, "ends 0.75 s before the utterance does"),
])
def test_unusable_audio_is_named_or_left_out(tmp_path, record, capsys, changes, message):
    record(tmp_path / "good.wav")
    record(tmp_path / "zero.wav", 0)
    (tmp_path / "text.wav").write_text("not audio")
    changes = {"audio": "good.wav"} | changes
    bad = Entry("bad", tmp_path / changes.pop("audio"), "", "s", **changes)
    entries = [Entry("first", tmp_path / "good.wav", "", "s"), bad,
               Entry("last", tmp_path / "good.wav", "", "s")]
    with pytest.raises(AsrError, match="1 of 3 utterances have no usable audio") as caught:
        complete(entries)
    assert f"bad ({tmp_path}" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [u.id for u in complete(entries, skip_unreadable=True)] == ["first", "last"]
    assert "left out: bad (" in capsys.readouterr().err
    with pytest.raises(AsrError, match="no usable utterance"):
        complete([bad], skip_unreadable=True)


def test_many_faults_are_counted(tmp_path):
    with pytest.raises(AsrError, match=r"9 of 9 .*u0 \(.*u1 \(.*u2 \([^)]*\), …$"):
        complete([Entry(f"u{i}", Path("/none/x.wav"), "", "s") for i in range(9)])


def test_order_is_kept_over_many_files(tmp_path, record):
    entries = [Entry(f"{i}", record(tmp_path / f"{i}.wav", (1 + i * 7 % 50) / 100), "", "s")
               for i in range(50)]
    assert [(u.id, u.duration) for u in complete(entries)] == \
        [(f"{i}", (1 + i * 7 % 50) / 100) for i in range(50)]


def test_duplicate_ids(tmp_path, record):
    entry = Entry("x", record(tmp_path / "a.wav"), "", "s")
    with pytest.raises(AsrError, match="more than once: x"):
        complete([entry, entry])


def test_empty_corpus():
    with pytest.raises(AsrError, match="no usable utterance"):
        complete([])


def test_write_says_what_is_in_it(tmp_path, record, capsys):
    path = record(tmp_path / "a.wav", 36)
    utterances = complete([Entry("x", path, "one two", "s"), Entry("y", path, "three", "t")])
    write_corpus(tmp_path / "out" / "m.jsonl", utterances)
    assert read_manifest(tmp_path / "out" / "m.jsonl") == utterances
    said = capsys.readouterr()
    assert said.err == f"{tmp_path}/out/m.jsonl: 2 utterances, 0.02 h, 2 speakers, 3 words\n"
    assert said.out == ""
    assert os.listdir(tmp_path / "out") == ["m.jsonl"]  # noqa: PTH208


@pytest.mark.parametrize("content", [b"audio,text\na.wav,hi\n", b'{"id": "a", "text": "hi"}\n',
                                     b"\xff\x00" * 9])
def test_what_is_no_manifest_is_kept(tmp_path, record, content):
    utterances = complete([Entry("x", record(tmp_path / "a.wav"), "one two", "s")])
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(AsrError, match="m: a file that is no manifest is there; ") as caught:
        write_corpus(tmp_path / "m", utterances)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "m").read_bytes() == content


def test_manifests_and_empty_files_are_replaced(tmp_path, record):
    utterances = complete([Entry("x", record(tmp_path / "a.wav"), "one two", "s")])
    (tmp_path / "m").touch()
    for some in (utterances, utterances, utterances * 2):
        write_corpus(tmp_path / "m", some)
    assert len((tmp_path / "m").read_text().splitlines()) == 2


def test_a_folder_whose_name_no_manifest_can_hold(tmp_path, record):
    """It is refused, or left out with its name legible."""
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/\xff"))
    record(tmp_path / "good.wav")
    folder.mkdir()
    (folder / "a.wav").write_bytes((tmp_path / "good.wav").read_bytes())
    entries = [Entry("bad", folder / "a", "", "s"), Entry("good", tmp_path / "good", "", "s")]
    with pytest.raises(AsrError, match=r"1 of 2 utterances .*/\ufffd/a\.wav: .*is not UTF-8"):
        complete(entries)
    assert [u.id for u in complete(entries, skip_unreadable=True)] == ["good"]

"""Kaldi data directories."""

import pytest

from asr.errors import AsrError
from asr.prepare.kaldi import prepare_kaldi


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text(content)
    return folder


@pytest.fixture
def data(tmp_path, record):
    record(tmp_path / "audio/a.wav", 1)
    record(tmp_path / "audio/b.flac", 4)
    return write(tmp_path / "data", wav_scp="rec1\taudio/a.wav\nrec2 audio/b.wav\n",
                 text="rec1 HELLO THERE\nrec2\n", utt2spk="rec1 s1\nrec2 s2\n")


def test_recordings_as_utterances(data):
    write(data, spk2gender="s1 f\n", utt2lang="rec2 en\n", spk2utt="s1 rec1\ns2 rec2\n")
    utterances = prepare_kaldi(data)
    assert [(u.id, u.text, u.speaker, u.duration, u.extra) for u in utterances] == [
        ("rec1", "hello there", "s1", 1.0, {"gender": "f"}),
        ("rec2", "", "s2", 4.0, {"lang": "en"})]
    assert utterances[1].audio == str(data.parent / "audio/b.flac")


def test_segments(data):
    write(data, segments="u1 rec2 0.5 1.75\nu2 rec2 2.00 4.02\nu3 rec1 0.25 -1\n",
          text="u1 ONE\nu2 TWO\nu3 THREE\n", utt2spk="u1 s1\nu2 s2\nu3 s1\n")
    assert [(u.id, u.start, u.duration) for u in prepare_kaldi(data)] == [
        ("u1", 0.5, 1.25), ("u2", 2.0, 2.0), ("u3", 0.25, 0.75)]


@pytest.mark.parametrize("place", ["data", ".", "cwd"])
def test_where_relative_paths_count_from(tmp_path, record, monkeypatch, place):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    audio = record(tmp_path / place / "x" / "a.wav")
    data = write(tmp_path / "data", wav_scp="r x/a.wav\n", text="r A\n", utt2spk="r s\n")
    assert prepare_kaldi(data)[0].audio == str(audio)


@pytest.mark.parametrize("entry", ["touch evil |", "|touch evil", "sph2pipe -f wav a.sph|"])
def test_commands_are_never_run(data, monkeypatch, entry):
    monkeypatch.chdir(data)
    write(data, wav_scp=f"rec1 {entry}\nrec2 audio/b.wav\n")
    with pytest.raises(AsrError, match="is a command, and commands in data are never run"):
        prepare_kaldi(data)
    assert not (data / "evil").exists()


@pytest.mark.parametrize(("files", "message"), [
    ({"utt2spk": "rec1 s1\n"}, "no speaker for rec2"),
    ({"text": "rec1 A\nx A\n", "utt2spk": "rec1 s\nx s\n"}, "x has a text but no audio"),
    ({"text": "rec1 A\nrec1 B\n"}, "text:2: rec1 for the second time"),
    ({"text": "rec1 A\n\nrec2 B\n"}, "text:2: an empty line"),
    ({"segments": "rec1 rec1 0\n"}, "segments: rec1: expected `recording start end`"),
    ({"segments": "rec1 rec1 0 x\n"}, "segments: rec1: expected `recording start end`"),
    ({"segments": "rec1 rec1 1 1\n"}, "from 1 to 1 s is no stretch of time"),
    ({"segments": "rec1 rec1 -2 1\n"}, "from -2 to 1 s is no stretch of time"),
    ({"segments": "rec1 rec1 nan -1\n"}, "from nan to -1 s is no stretch of time"),
    ({"segments": "rec1 rec1 0 nan\n"}, "from 0 to nan s is no stretch of time"),
    ({"segments": "rec1 rec9 0 1\n"}, "recording rec9 is not in wav.scp"),
    ({"segments": "rec1 rec1 0 2\nrec2 rec2 0 1\n"}, "ends 1.00 s before the utterance does"),
])
def test_faults_are_named(data, files, message):
    write(data, **files)
    with pytest.raises(AsrError, match=message):
        prepare_kaldi(data)


def test_missing_file(data):
    (data / "utt2spk").unlink()
    with pytest.raises(AsrError, match="utt2spk: no such file"):
        prepare_kaldi(data)

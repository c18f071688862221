import json

import pytest
from level_bundle import silence

from asr.decode.settings import SearchRequest
from asr.errors import AsrError
from asr.shards import WHOLE, Shard
from asr.transcribe import stage

GREEDY = SearchRequest({"search": "greedy"})


@pytest.fixture
def run(bundle, monkeypatch, tmp_path):
    """Call the stage with the bundle of levels."""
    monkeypatch.setattr(stage, "load_bundle", lambda path, device: bundle)

    def call(paths, formats=("text",), output=None, shard=WHOLE):
        return stage.transcribe_files(tmp_path, paths, formats, output, GREEDY, shard)
    return call


@pytest.fixture
def spoken(bundle, record):
    return [record(f"{text}.wav", bundle.speak(text)) for text in ("one", "two")]


def test_one_file_prints_its_text_alone(run, spoken, capsys):
    assert run(spoken[:1]) == 0
    assert capsys.readouterr().out == "one\n"


def test_several_files_print_their_paths(run, spoken, record, capsys):
    quiet = record("quiet.wav", silence(1))
    assert run([*spoken, quiet]) == 0
    assert capsys.readouterr().out == f"{spoken[0]}: one\n{spoken[1]}: two\n{quiet}:\n"


def test_json_of_several_files_is_json_lines(run, spoken, capsys):
    run(spoken, ["json"])
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["one", "two"]


def test_files_in_every_format(run, spoken, tmp_path, capsys):
    run(spoken, ["text", "json", "srt", "vtt", "ctm"], tmp_path / "new" / "out")
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == [
        f"{name}.{extension}" for name in ("one", "two")
        for extension in ("ctm", "json", "srt", "txt", "vtt")]
    assert (tmp_path / "new" / "out" / "two.txt").read_text() == "two\n"
    assert capsys.readouterr().out == ""


def test_a_dot_in_the_name_stays(run, bundle, record, tmp_path):
    run([record("talk.v2.wav", bundle.speak("a"))], output=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["talk.v2.txt"]


def test_a_bad_file_among_good_ones(run, spoken, tmp_path, capsys):
    (tmp_path / "bad.wav").write_text("no audio")
    assert run([spoken[0], tmp_path / "bad.wav", spoken[1]]) == 1
    output = capsys.readouterr()
    assert output.out == f"{spoken[0]}: one\n{spoken[1]}: two\n"
    first, last = output.err.splitlines()
    assert "bad.wav: not readable as audio" in first
    assert last == "asr: 1 of 3 files could not be transcribed"


def test_a_single_bad_file_is_an_error(run, tmp_path):
    with pytest.raises(AsrError, match=r"none\.wav: no such file"):
        run([tmp_path / "none.wav"])


def test_only_bad_files_are_an_error(run, tmp_path, capsys):
    with pytest.raises(AsrError, match="none of the 2 files could be transcribed"):
        run([tmp_path / "a.wav", tmp_path / "b.wav"])
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("names", [("a/x.wav", "b/x.wav"), ("x.wav", "x.wav"),
                                   ("x.wav", "x.flac")])
def test_inputs_of_one_name_are_refused_before_any_work(run, bundle, tmp_path, names):
    with pytest.raises(AsrError, match="would both be written as"):
        run([tmp_path / name for name in names], output=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_stdout_takes_one_format(run, spoken):
    with pytest.raises(AsrError, match="stdout takes one format, not 2"):
        run(spoken, ["text", "json"])


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_subtitles_of_several_files_cannot_be_joined(run, spoken, name, capsys):
    with pytest.raises(AsrError, match=f"several files cannot make one {name}"):
        run(spoken, [name])
    run(spoken[:1], [name])
    assert "00:00:00" in capsys.readouterr().out


def test_a_file_where_the_folder_should_go(run, spoken, tmp_path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(AsrError, match="cannot write"):
        run(spoken, output=tmp_path / "out")


def test_an_interruption_keeps_what_is_finished(run, spoken, tmp_path, monkeypatch):
    done = stage.transcribe_file

    def interrupted(bundle, path, config):
        if path == spoken[1]:
            raise KeyboardInterrupt
        return done(bundle, path, config)
    monkeypatch.setattr(stage, "transcribe_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(spoken, output=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one.txt"]


def test_a_full_disk_ends_the_run(run, spoken, tmp_path, monkeypatch):
    def full(path, binary=False):
        raise AsrError(f"cannot write {path}")
    monkeypatch.setattr(stage, "atomic_write", full)
    with pytest.raises(AsrError, match=r"cannot write .*one\.txt"):
        run(spoken, output=tmp_path / "out")


def test_every_file_is_transcribed_by_one_shard(run, spoken, tmp_path):
    """The third has nothing to do, which is no fault."""
    written = []
    for number in (1, 2, 3):
        assert run(spoken, output=tmp_path / str(number), shard=Shard(number, 3)) == 0
        written.append([path.name for path in (tmp_path / str(number)).iterdir()])
    assert written == [["one.txt"], ["two.txt"], []]


def test_a_shard_needs_an_output(run, spoken):
    with pytest.raises(AsrError, match="need --output DIR"):
        run(spoken, shard=Shard(1, 2))


def test_one_name_in_different_shards_is_refused(run, tmp_path):
    with pytest.raises(AsrError, match="would both be written as"):
        run([tmp_path / "a/x.wav", tmp_path / "b/x.wav"], output=tmp_path / "out",
            shard=Shard(1, 2))

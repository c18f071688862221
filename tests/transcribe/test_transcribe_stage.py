import io
import json
import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from level_bundle import RATE, silence

from asr.decode.settings import SearchRequest
from asr.errors import AsrError
from asr.manifest import Utterance, write_records
from asr.shards import WHOLE, Shard
from asr.transcribe import outputs, stage
from asr.transcribe.outputs import STATE, WRITTEN
from asr.transcribe.writers import FORMATS

GREEDY = SearchRequest({"search": "greedy"})


@pytest.fixture
def run(bundle, monkeypatch, tmp_path):
    """Call the stage with the bundle of levels."""
    monkeypatch.setattr(stage, "load_bundle", lambda path, device: bundle)

    def call(paths, formats=("text",), output=None, shard=WHOLE, request=GREEDY):
        return stage.transcribe_files(tmp_path / "bundle", paths, formats, output, request, shard)
    return call


def names(folder):
    """Of the files in it, but for the one that says what they depend on."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                  if path.is_file() and path.name not in (STATE, WRITTEN))


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
    run(spoken, list(FORMATS), tmp_path / "new" / "out")
    assert names(tmp_path / "new" / "out") == [
        f"{name}.{extension}" for name in ("one", "two")
        for extension in ("TextGrid", "ctm", "json", "srt", "tsv", "txt", "vtt")]
    assert (tmp_path / "new" / "out" / "two.txt").read_text() == "two\n"
    assert capsys.readouterr().out == ""


def test_a_dot_in_the_name_stays(run, bundle, record, tmp_path):
    run([record("talk.v2.wav", bundle.speak("a"))], output=tmp_path / "out")
    assert names(tmp_path / "out") == ["talk.v2.txt"]


def test_a_bad_file_among_good_ones(run, spoken, tmp_path, capsys):
    (tmp_path / "bad.wav").write_text("no audio")
    assert run([spoken[0], tmp_path / "bad.wav", spoken[1]]) == 1
    output = capsys.readouterr()
    assert output.out == f"{spoken[0]}: one\n{spoken[1]}: two\n"
    first, count, rate = output.err.splitlines()
    assert "bad.wav: not readable as audio" in first
    assert count == "asr: 1 of 3 recordings could not be transcribed"
    assert re.fullmatch(r"asr: 0\.00 h of audio in 0:00:\d\d, real-time factor [\d.]+", rate)


def test_a_single_bad_file_is_an_error(run, tmp_path):
    with pytest.raises(AsrError, match=r"none\.wav: no such file"):
        run([tmp_path / "none.wav"])


def test_only_bad_files_are_an_error(run, tmp_path, capsys):
    with pytest.raises(AsrError, match="none of the 2 recordings could be transcribed"):
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


@pytest.fixture
def long_files(bundle, record):
    """So long that they are not recognised together."""
    return [record(f"{text}.wav", np.tile(bundle.speak(f"{text} "), 4 * 600))
            for text in ("one", "two")]


def test_an_interruption_keeps_what_is_finished(run, bundle, long_files, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "log_posteriors_of_audio", interrupted_after(
        bundle.log_posteriors_of_audio, 14))
    with pytest.raises(KeyboardInterrupt):
        run(long_files, output=tmp_path / "out")
    assert names(tmp_path / "out") == ["one.txt"]
    monkeypatch.undo()


def interrupted_after(function, calls):
    left = [calls]

    def call(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return function(*arguments)
    return call


def test_a_full_disk_ends_the_run(run, spoken, tmp_path, monkeypatch):
    def full(path, binary=False):
        raise AsrError(f"cannot write {path}")
    (tmp_path / "out").mkdir()
    run(spoken[:1], output=tmp_path / "out")
    monkeypatch.setattr(outputs, "atomic_write", full)
    with pytest.raises(AsrError, match=r"cannot write .*two\.txt"):
        run(spoken, output=tmp_path / "out")


def test_every_file_is_transcribed_by_one_shard(run, spoken, tmp_path):
    """The third has nothing to do, which is no fault."""
    written = []
    for number in (1, 2, 3):
        assert run(spoken, output=tmp_path / str(number), shard=Shard(number, 3)) == 0
        written.append(names(tmp_path / str(number)))
    assert written == [["one.txt"], ["two.txt"], []]


def test_bad_files_are_judged_by_all_that_were_named(run, spoken, tmp_path, capsys):
    """Whether the others are there already, or another process's."""
    sources = [*spoken, tmp_path / "bad.wav"]
    assert [run(sources, output=tmp_path / "out") for _ in range(2)] == [1, 1]
    assert "1 of 3 recordings could not be transcribed" in capsys.readouterr().err
    assert run(sources, output=tmp_path / "shards", shard=Shard(3, 3)) == 1
    assert "1 of 1 recordings could not be transcribed" in capsys.readouterr().err


def test_somebodys_text_beside_the_audio_stays(run, spoken, tmp_path):
    """The transcript for `asr align`, say; what the run was not asked for does not matter."""
    (tmp_path / "two.txt").write_text("by hand")
    with pytest.raises(AsrError, match=r"two\.txt was not written by asr transcribe"):
        run(spoken, ["srt", "text"], tmp_path)
    assert names(tmp_path) == ["one.wav", "two.txt", "two.wav"]
    run(spoken, ["srt"], tmp_path)
    run(spoken[:1], output=tmp_path)
    assert names(tmp_path) == ["one.srt", "one.txt", "one.wav", "two.srt", "two.txt", "two.wav"]
    assert (tmp_path / "two.txt").read_text() == "by hand"


def test_a_shard_needs_an_output(run, spoken):
    with pytest.raises(AsrError, match="need --output DIR"):
        run(spoken, shard=Shard(1, 2))


def test_one_name_in_different_shards_is_refused(run, tmp_path):
    with pytest.raises(AsrError, match="would both be written as"):
        run([tmp_path / "a/x.wav", tmp_path / "b/x.wav"], output=tmp_path / "out",
            shard=Shard(1, 2))


def test_folders_are_mirrored(run, bundle, record, tmp_path):
    for folder in ("talks/a", "talks/b/deep"):
        (tmp_path / folder).mkdir(parents=True)
        record(f"{folder}/x.wav", bundle.speak("one"))
    run([tmp_path / "talks"], output=tmp_path / "out")
    assert names(tmp_path / "out") == ["a/x.txt", "b/deep/x.txt"]
    run([tmp_path / "talks"], output=tmp_path / "talks")  # beside the audio
    assert names(tmp_path / "talks") == ["a/x.txt", "a/x.wav", "b/deep/x.txt", "b/deep/x.wav"]


def test_a_manifest_is_transcribed_part_by_part(run, bundle, record, tmp_path, capsys):
    samples = np.concatenate([bundle.speak("one"), silence(3), bundle.speak("two")])
    record("talk.wav", samples)
    middle = 3 + 0.3
    lines = [{"id": "talk/1", "audio": "talk.wav", "text": "", "speaker": "s", "sample_rate": RATE,
              "duration": 1.5},
             {"id": "talk/2", "audio": "talk.wav", "text": "", "speaker": "s", "sample_rate": RATE,
              "start": middle - 0.5, "duration": 0.75}]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run([tmp_path / "set.jsonl"])
    assert capsys.readouterr().out == "talk/1: one\ntalk/2: two\n"
    run([tmp_path / "set.jsonl"], ["json"], output=tmp_path / "out")
    assert names(tmp_path / "out") == ["talk/1.json", "talk/2.json"]
    found = json.loads((tmp_path / "out" / "talk" / "2.json").read_text())
    assert (found["file"], found["duration"]) == ("talk/2", 0.75)
    assert found["words"][0]["start"] == pytest.approx(0.5, abs=0.03)


def test_a_ctm_names_files_without_suffix_and_utterances_by_their_ids(run, bundle, record,
                                                                      tmp_path, capsys):
    """Also with points and slashes: scorers match ids with those of the reference."""
    (tmp_path / "talks").mkdir()
    wav = record("talks/day.v2.wav", bundle.speak("one"))
    ids = ["rec.001", "rec.002", "day/1.5"]
    write_records(tmp_path / "set.jsonl", [
        Utterance(id=id_, audio=str(wav), text="", speaker="s", duration=0.3, sample_rate=RATE)
        for id_ in ids])
    for argument, expected in ((wav, ["day.v2"]), (wav.parent, ["day.v2"]),
                               (tmp_path / "set.jsonl", ids)):
        run([argument], ["ctm"])
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == expected


def test_recordings_that_ctm_would_not_tell_apart(run, spoken, tmp_path, capsys):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        shutil.copy(spoken[0], tmp_path / folder / "a rec.wav")
    both = [tmp_path / "x" / "a rec.wav", tmp_path / "y" / "a rec.wav"]
    with pytest.raises(AsrError, match=r"would both be called a_rec in CTM; take --output"):
        run(both, ["ctm"])
    run(both, ["json"])
    assert capsys.readouterr().out.count("one") >= 2


def test_a_name_stays_in_its_line(run, spoken, tmp_path, capsys):
    odd = tmp_path / "new\nline.wav"
    shutil.copy(spoken[0], odd)
    run([odd, spoken[1]])
    assert [line.rpartition(":")[2] for line in capsys.readouterr().out.splitlines()] == [
        " one", " two"]


def test_what_only_ffmpeg_reads_is_counted_or_told(run, spoken, capsys):
    film = spoken[0].parent / "talk.m4a"
    film.write_bytes(b"\0\0\0 ftypM4A ")
    run([spoken[0].parent])
    assert "1 files that only ffmpeg reads are left out, such as" in capsys.readouterr().err
    with pytest.raises(AsrError, match=r"talk\.m4a: not readable as audio .*ffmpeg -i FILE"):
        run([film])


def test_standard_input(run, spoken, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(
        buffer=io.BytesIO(spoken[0].read_bytes())))
    run([Path("-")])
    assert capsys.readouterr().out == "one\n"
    with pytest.raises(AsrError, match="stdin: nothing came"):
        run([Path("-")])


class TestSecondRun:
    """Into the same folder."""

    @pytest.fixture(autouse=True)
    def first(self, run, bundle, spoken, tmp_path):
        self.out = tmp_path / "out"
        run(spoken, output=self.out)
        self.again = lambda **options: self._batches(run, bundle, spoken, **options)

    def _batches(self, run, bundle, spoken, **options):
        """How many recordings go through the network."""
        bundle.batches.clear()
        run(spoken, output=self.out, **options)
        return sum(map(len, bundle.batches))

    def test_does_nothing(self, capsys):
        assert self.again() == 0
        assert "2 of 2 were there already" in capsys.readouterr().err

    def test_makes_what_is_missing(self):
        (self.out / "one.txt").unlink()
        assert self.again() == 1
        assert names(self.out) == ["one.txt", "two.txt"]

    def test_makes_another_format(self):
        assert self.again(formats=["text", "srt"]) == 2
        assert self.again(formats=["srt"]) == 0

    def test_does_changed_audio_again(self, spoken):
        later = (self.out / "two.txt").stat().st_mtime + 10
        os.utime(spoken[1], (later, later))
        assert self.again() == 1

    def test_does_all_again_with_other_settings_or_another_model(self, tmp_path):
        other = SearchRequest({"search": "beam"})
        assert self.again(request=other) == 2
        assert self.again(request=other) == 0
        (tmp_path / "bundle").mkdir()
        (tmp_path / "bundle" / "bundle.json").write_text("{}")
        assert self.again(request=other) == 2

    def test_replaces_nothing_of_which_it_does_not_know_how_it_came_about(self):
        (self.out / WRITTEN).unlink()
        before = (self.out / "one.txt").stat()
        with pytest.raises(AsrError, match=r"one\.txt was not written by asr transcribe"):
            self.again()
        assert (self.out / "one.txt").stat() == before
        assert not (self.out / WRITTEN).exists()

    def test_nor_what_was_there_in_another_format(self, spoken):
        (self.out / "one.srt").write_text("by hand")
        with pytest.raises(AsrError, match=r"one\.srt was not written by asr transcribe"):
            self.again(formats=["srt"])
        assert self.again() == 0
        assert (self.out / "one.srt").read_text() == "by hand"

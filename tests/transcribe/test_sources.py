import json
from pathlib import Path

import pytest

from asr.errors import AsrError
from asr.transcribe.sources import find_sources


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_audio_at_any_depth_in_order(tmp_path):
    touch(tmp_path, "b/2.FLAC", "b/1.mp3", "a.v2.opus", "b/c/3.wav", "b/notes.txt", "b/._1.mp3")
    found = find_sources([tmp_path])
    assert [str(source.target) for source in found] == ["a.v2", "b/1", "b/2", "b/c/3"]
    assert [source.name for source in found] == [
        str(tmp_path / name) for name in ("a.v2.opus", "b/1.mp3", "b/2.FLAC", "b/c/3.wav")]


def test_everything_together(tmp_path):
    touch(tmp_path, "talks/1.wav")
    line = {"id": "u", "audio": "x/y.wav", "text": "a", "speaker": "s", "start": 1.5,
            "duration": 2.5, "sample_rate": 8000}
    (tmp_path / "set.jsonl").write_text(json.dumps(line) + "\n")
    found = find_sources([tmp_path / "none.wav", Path("-"), tmp_path / "talks",
                          tmp_path / "set.jsonl"])
    assert [str(source.target) for source in found] == ["none", "stdin", "1", "u"]
    last = found[-1]
    assert (last.audio, last.start, last.duration) == (tmp_path / "x/y.wav", 1.5, 2.5)
    assert last.seconds() == 2.5
    assert [source.seconds() for source in found[:2]] == [0, 0]


def test_a_folder_without_audio(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(AsrError, match="no audio in this folder"):
        find_sources([tmp_path])


def test_a_name_that_no_file_can_have():
    """An error of that recording, not of all."""
    [source] = find_sources([Path("a" * 300)])
    with pytest.raises(AsrError, match="File name too long"):
        list(source.blocks(8000))


def test_standard_input_twice():
    with pytest.raises(AsrError, match="only once"):
        find_sources([Path("-"), Path("-")])


@pytest.mark.parametrize("utterance", ["/etc/x", "../x", "a/../../x", "a\0b", ".", ""])
def test_ids_that_would_leave_the_folder(tmp_path, utterance):
    line = {"id": utterance, "audio": "x.wav", "text": "", "speaker": "s", "duration": 1,
            "sample_rate": 8000}
    (tmp_path / "set.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(AsrError, match=r"set\.jsonl"):
        find_sources([tmp_path / "set.jsonl"])

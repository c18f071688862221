import json

import pytest
import soundfile
from spiky_bundle import RATE, samples_of

from asr.align import stage
from asr.errors import AsrError
from asr.manifest import Utterance, write_records


@pytest.fixture
def run(bundle, monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "load_bundle", lambda path, device: bundle)

    def call(source, transcript=None, text=None, formats=("ctm",), output=None):
        return stage.align_files(tmp_path, stage.spoken_in(source, transcript, text), formats,
                                 output, False)
    return call


@pytest.fixture
def audio(tmp_path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, samples_of("-a-b-|-c-" + 20 * "-" + "-d-e-|-f-"), RATE, subtype="FLOAT")
    return path


@pytest.fixture
def manifest(tmp_path, audio):
    """Three utterances of one file, the second of which has too many letters."""
    path = tmp_path / "set.jsonl"
    write_records(path, [
        Utterance(id=name, audio="talk.wav", text=text, speaker="s", start=start, duration=0.18,
                  sample_rate=RATE)
        for name, text, start in (("u.1", "Ab c", 0.0), ("u.2", "abcdefghijklm", 0.0),
                                  ("u.3", "De f", 0.58))])
    return path


def test_one_file_and_its_text(run, audio, tmp_path, capsys):
    (tmp_path / "talk.txt").write_text("Ab, c\nde f.\n")
    assert run(audio, tmp_path / "talk.txt") == 0
    from_file = capsys.readouterr().out
    assert [line.split()[4] for line in from_file.splitlines()] == ["Ab,", "c", "de", "f."]
    assert run(audio, text="Ab, c de f.") == 0
    assert capsys.readouterr().out == from_file


def test_a_manifest(run, manifest, capsys):
    """Times count from the start of the utterance; one that cannot be aligned is told."""
    assert run(manifest, formats=["json"]) == 1
    output = capsys.readouterr()
    first, third = map(json.loads, output.out.splitlines())
    assert (first["name"], third["name"]) == ("u.1", "u.3")
    assert [w["start"] for w in first["words"]] == [w["start"] for w in third["words"]]
    assert output.err.splitlines()[0].startswith("asr: u.2: 0.18 s of audio, 9 frames")
    assert output.err.splitlines()[1] == "asr: 1 of 3 utterances could not be aligned"


def test_files_in_every_format(run, manifest, tmp_path, capsys):
    assert run(manifest, formats=["ctm", "textgrid", "json"], output=tmp_path / "out") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.{extension}" for name in ("u.1", "u.3")
        for extension in ("TextGrid", "ctm", "json")]
    assert capsys.readouterr().out == ""


def test_where_text_and_audio_do_not_fit_is_told(run, audio, capsys):
    run(audio, text="zxzxz xzz")
    assert "asr: talk: from " in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    ({}, "give its transcript"),
    ({"text": "a", "transcript": "t.txt"}, "give its transcript"),
    ({"text": "a", "formats": ["ctm", "json"]}, "stdout takes one format, not 2"),
])
def test_refused_before_any_work(run, audio, arguments, message):
    with pytest.raises(AsrError, match=message):
        run(audio, **arguments)


def test_refused_with_a_manifest(run, manifest):
    with pytest.raises(AsrError, match="has its own texts"):
        run(manifest, text="a")
    with pytest.raises(AsrError, match="several utterances cannot make one textgrid"):
        run(manifest, formats=["textgrid"])


@pytest.mark.parametrize("name", ["../x", "x\0"])
def test_an_id_that_cannot_name_a_file(run, manifest, tmp_path, name):
    write_records(manifest, [Utterance(id=name, audio="talk.wav", text="a", speaker="s",
                                       duration=0.1, sample_rate=RATE)])
    with pytest.raises(AsrError, match="cannot name a file"):
        run(manifest, output=tmp_path / "out")


def test_a_single_failure_is_the_error(run, audio):
    with pytest.raises(AsrError, match="cannot spell `1`"):
        run(audio, text="a 1")

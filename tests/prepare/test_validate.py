"""Every fault of a manifest is found and named, to the last line."""

import itertools
import json
import math

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.manifest import Utterance, write_records
from asr.prepare.validate import Fault, validate_manifest
from asr.text.units import CharacterUnits


@pytest.fixture
def utterance(tmp_path, record):
    """A builder of good utterances over one-second files, with changes."""
    def build(id_: str, **changes) -> Utterance:
        path = record(tmp_path / "audio" / f"{id_}.flac")
        return Utterance(**{"id": id_, "audio": str(path), "text": "it's fine", "speaker": "s",
                            "duration": 1.0, "sample_rate": 16_000} | changes)
    return build


def faults(tmp_path, *utterances, **options) -> list[Fault]:
    write_records(tmp_path / "m.jsonl", utterances)
    return validate_manifest(tmp_path / "m.jsonl", **options)


def test_clean(tmp_path, utterance):
    relative = utterance("b", audio="audio/b.flac")
    assert faults(tmp_path, utterance("a"), relative) == []
    assert faults(tmp_path, utterance("a"), relative, decode=False) == []


@pytest.mark.parametrize(("changes", "kind", "reason"), [
    ({"audio": "none.wav"}, "audio", "none.wav: no such file"),
    ({"audio": "."}, "audio", "a directory"),
    ({"audio": "m.jsonl"}, "audio", "not readable as audio"),
    ({"audio": "cut.flac"}, "audio", "cut off"),
    ({"audio": "nan.wav"}, "audio", "not finite"),
    ({"duration": 1.001}, "duration", "ends at 1.001 s here, but "),
    ({"duration": 0.7, "start": 0.4}, "duration", "ends at 1.100 s here, but "),
    ({"duration": 0.9}, "duration", "lasts 0.900 s here, but "),
    ({"sample_rate": 8000}, "sample-rate", "8000 Hz here, but 16000 Hz in "),
    ({"text": ""}, "text", "the text is empty"),
    ({"text": " "}, "text", "the text is empty"),
    ({"text": "page 9?"}, "text", "the text holds '9', '?'"),
    ({"text": "Upper"}, "text", "the text is not normalised: it should be 'upper'"),
    ({"text": "two  spaces"}, "text", "the text is not normalised"),
    ({"text": "café"}, "text", "the text is not normalised: it should be 'cafe'"),
    ({"text": "a" * 18}, "too-long", "the text needs 35 frames, the audio gives 33"),
], ids=str)
def test_each_fault(tmp_path, utterance, changes, kind, reason):
    good = utterance("good")
    data = (tmp_path / "audio/good.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[:len(data) // 2])
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    [fault] = faults(tmp_path, good, utterance("bad", **changes), utterance("last"))
    assert (fault.line, fault.id, fault.kind) == (2, "bad", kind)
    assert reason in fault.reason


def test_without_text_where_nothing_is_said(tmp_path, utterance):
    silent = utterance("a", text="")
    assert faults(tmp_path, silent, nonspeech=True) == []
    spaces, odd = utterance("b", text=" "), utterance("c", text="9")
    assert [f.id for f in faults(tmp_path, silent, spaces, odd, nonspeech=True)] == ["b", "c"]


def test_headers_alone_do_not_show_a_cut(tmp_path, utterance):
    whole = utterance("a")
    data = (tmp_path / "audio/a.flac").read_bytes()
    (tmp_path / "audio/a.flac").write_bytes(data[:len(data) // 2])
    assert faults(tmp_path, whole, decode=False) == []
    assert [f.kind for f in faults(tmp_path, whole)] == ["audio"]


def test_one_utterance_may_have_many_faults(tmp_path, utterance):
    bad = utterance("bad", text="X", duration=2.0, sample_rate=8000)
    assert {f.kind for f in faults(tmp_path, bad)} == {"text", "duration", "sample-rate"}


def test_segments_of_a_shared_file_are_no_wrong_durations(tmp_path, utterance):
    audio = utterance("a").audio
    assert faults(tmp_path, utterance("a", duration=0.5, text="a"),
                  utterance("b", audio=audio, start=0.5, duration=0.25, text="b")) == []
    assert faults(tmp_path, utterance("b", start=0.5, duration=0.25, text="b")) == []


def test_an_end_between_two_samples_is_that_of_the_file(tmp_path, record, utterance):
    path = record(tmp_path / "odd.wav", 16_001 / 16_000)
    start = 1.5 / 16_000
    assert faults(tmp_path, utterance("a", audio=str(path), start=start,
                                      duration=16_001 / 16_000 - start)) == []


def test_broken_lines_and_duplicates_do_not_stop_it(tmp_path, utterance):
    good = utterance("a").model_dump_json()
    (tmp_path / "m.jsonl").write_text("\n".join([
        "{broken", good, "", good, '{"id": "x"}', utterance("b", text="9").model_dump_json(),
        good]) + "\n")
    found = validate_manifest(tmp_path / "m.jsonl")
    assert [(f.line, f.id, f.kind) for f in found] == [
        (1, "", "record"), (4, "a", "duplicate"), (5, "", "record"), (6, "b", "text"),
        (7, "a", "duplicate")]
    assert found[1].reason == "the id was already on line 2"


def test_a_duplicate_does_not_hide_a_wrong_duration(tmp_path, utterance):
    wrong = utterance("a", duration=0.5)
    assert [f.kind for f in faults(tmp_path, wrong, wrong)] == ["duration", "duplicate", "duration"]


def test_units_say_what_texts_may_hold(tmp_path, utterance):
    units = CharacterUnits.from_texts(["A1?"])
    assert faults(tmp_path, utterance("a", text="A 1?"), units=units, normaliser="none") == []
    [fault] = faults(tmp_path, utterance("a", text="A b|"), units=units, normaliser="none")
    assert fault.reason == "the text holds 'b', '|'"


@pytest.mark.parametrize("content", ["", "\n", "no json\nat all\n"])
def test_unusable_input(tmp_path, content):
    (tmp_path / "m.jsonl").write_text(content)
    with pytest.raises(AsrError, match="no utterances in it"):
        validate_manifest(tmp_path / "m.jsonl")


def test_no_such_manifest_and_binary(tmp_path, record):
    with pytest.raises(AsrError, match="no such file"):
        validate_manifest(tmp_path / "m.jsonl")
    with pytest.raises(AsrError, match="not UTF-8"):
        validate_manifest(record(tmp_path / "a.wav"))


@pytest.mark.parametrize("shift", [float("nan"), float("inf")])
def test_no_frame_shift(tmp_path, utterance, shift):
    with pytest.raises(AsrError, match=r"frame shift of (nan|inf) s"):
        faults(tmp_path, utterance("a"), frame_shift=shift)


def test_seconds_without_end(tmp_path, utterance):
    line = utterance("b").model_dump_json()
    huge = json.dumps(json.loads(line) | {"start": 1e305})
    (tmp_path / "m.jsonl").write_text(f"{line}\n{huge}\n")
    [fault] = validate_manifest(tmp_path / "m.jsonl")
    assert (fault.line, fault.kind) == (2, "record")


@given(text=st.text(st.sampled_from("ab"), min_size=1, max_size=30),
       milliseconds=st.integers(10, 900), subsampling=st.integers(1, 8))
def test_too_long_for_ctc_against_counting(tmp_path_factory, text, milliseconds, subsampling):
    """Windows of 25 ms every 10 ms that fit whole; every n-th of them is an output frame."""
    path = tmp_path_factory.mktemp("ctc") / "m.jsonl"
    write_records(path, [Utterance(id="u", audio="none.wav", text=text, speaker="s",
                                   duration=milliseconds / 1000, sample_rate=16_000)])
    windows = sum(1 for start in range(0, 1000, 10) if start + 25 <= milliseconds)
    outputs = math.ceil(windows / subsampling)
    needed = sum(1 + (a == b) for a, b in itertools.pairwise(text)) + 1
    found = validate_manifest(path, frame_shift=0.01 * subsampling, decode=False)
    assert ("too-long" in {fault.kind for fault in found}) == (needed > outputs)


def test_faults_are_plain_data(tmp_path, utterance):
    [fault] = faults(tmp_path, utterance("bad", text=""))
    assert json.loads(json.dumps(vars(fault)))["id"] == "bad"

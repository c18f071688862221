"""AN4's lists and transcripts, and the development speakers held out of its training part."""

import pytest

from asr.errors import AsrError
from asr.prepare.an4 import prepare_an4

SPEAKERS = [f"{sex}{letter}" for sex in "fm" for letter in "abcdefghi"]  # 18, sorted


@pytest.fixture
def corpus(tmp_path, record):
    (tmp_path / "etc").mkdir()
    ids = [f"an4_clstk/{speaker}/an{i}-{speaker}-b" for speaker in reversed(SPEAKERS)
           for i in range(2)]
    for number, id_ in enumerate(ids):
        record(tmp_path / "wav" / f"{id_}.{('sph', 'raw', 'wav', 'opus')[number % 4]}", 0.1)
    write(tmp_path, "train", ids, [f"<s> RUBOUT {i % 2} X </s> ({id_.rpartition('/')[2]})"
                                   for i, id_ in enumerate(ids)])
    return tmp_path


def write(corpus, part, ids, transcripts):
    (corpus / f"etc/an4_{part}.fileids").write_text("\n".join(ids) + "\n")
    (corpus / f"etc/an4_{part}.transcription").write_text("\n".join(transcripts) + "\n")


def test_every_eighth_speaker_is_held_out(corpus):
    parts = prepare_an4(corpus)
    assert list(parts) == ["train", "dev"]
    assert {u.speaker for u in parts["dev"]} == {"fa", "fi", "mh"}
    assert len(parts["dev"]) == 6
    assert {u.speaker for u in parts["train"]} == set(SPEAKERS) - {"fa", "fi", "mh"}
    assert len(parts["train"]) == 30
    first = parts["train"][0]
    assert (first.id, first.text, first.extra) == ("an0-mi-b", "rubout 0 x", {"gender": "M"})


@pytest.mark.parametrize(("transcript", "text"), [
    ("<s> P I T </s> (x)", "p i t"),
    ("P I T (x)", "p i t"),
    ("<s> <sil> P ++noise++ I <sil> T </s> (x) ", "p i t"),
    ("<s>  </s> (x)", ""),
    ("(x)", ""),
])
def test_test_part_and_transcript_variants(corpus, record, transcript, text):
    record(corpus / "wav/an4test_clstk/mz/x.flac")
    write(corpus, "test", ["an4test_clstk/mz/x"], [transcript])
    [utterance] = prepare_an4(corpus)["test"]
    assert (utterance.id, utterance.text, utterance.speaker) == ("x", text, "mz")


def test_faults_are_named(corpus):
    with pytest.raises(AsrError, match=r"an4_train.transcription: no such file"):
        prepare_an4(corpus / "wav")
    write(corpus, "test", ["an4test_clstk/mz/x"], ["YES (y)"])
    with pytest.raises(AsrError, match=r"an4_test.transcription: no text for x"):
        prepare_an4(corpus)
    write(corpus, "test", ["an4test_clstk/mz/x"], ["NO (x)", "YES"])
    with pytest.raises(AsrError, match=r"an4_test.transcription:2: expected `<s> TEXT </s> \(id"):
        prepare_an4(corpus)

"""Common Voice lists."""

import pytest

from asr.errors import AsrError
from asr.prepare.commonvoice import prepare_commonvoice

TSV = '''client_id\tpath\tsentence\tup_votes\tage\tgender\taccents
c0ffee\tclip1.mp3\tThis is it!\t2\ttwenties\tfemale\tus
\tclip2\t"""A,"" he said."\t1\t\t\t
c0ffee\tclip3.mp3\t"Stray quote, no end\t1\t\t\t
c0ffee\tclip4.mp3\t""Doubled"" only\t1\t\t\t
'''


def test_utterances(tmp_path, record):
    for name in ("clip1.mp3", "clip2.opus", "clip3.wav", "clip4.mp3"):
        record(tmp_path / "clips" / name)
    (tmp_path / "validated.tsv").write_text(TSV)
    utterances = prepare_commonvoice(tmp_path / "validated.tsv", normaliser="none")
    assert [(u.id, u.text, u.speaker, u.extra) for u in utterances] == [
        ("clip1", "This is it!", "c0ffee", {"age": "twenties", "gender": "female",
                                            "accents": "us"}),
        ("clip2", '"A," he said.', "clip2", {}),
        ("clip3", '"Stray quote, no end', "c0ffee", {}),
        ("clip4", '"Doubled" only', "c0ffee", {})]
    assert utterances[1].audio == str(tmp_path / "clips/clip2.opus")


@pytest.mark.parametrize(("content", "message"), [
    ("", "no column `path`"),
    ("path\ttext\n", "no column `sentence`"),
    ("path\tsentence\na.mp3\thi\nb.mp3\n", ":3: 1 columns, the header has 2"),
    ("path\tsentence\n", "no usable utterance"),
])
def test_faults_are_named(tmp_path, content, message):
    (tmp_path / "x.tsv").write_text(content)
    with pytest.raises(AsrError, match=message):
        prepare_commonvoice(tmp_path / "x.tsv")

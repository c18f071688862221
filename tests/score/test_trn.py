import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.score.trn import read_trn, write_trn

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"))
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\ufeff"),
              min_size=1).filter(lambda i: "(" not in i or not any(c.isspace() for c in i))


@given(st.dictionaries(ids, texts, max_size=5))
def test_round_trip(tmp_path_factory, utterances):
    path = tmp_path_factory.mktemp("trn") / "a.trn"
    write_trn(path, utterances.items())
    assert read_trn(path) == {i: " ".join(text.split()) for i, text in utterances.items()}


@pytest.mark.parametrize(("line", "utterance", "text"), [
    ("hello world (a-1)", "a-1", "hello world"),
    ("(a-1)", "a-1", ""),
    ("  (a-1)  ", "a-1", " "),
    ("yes (no) (a(1))", "a(1)", "yes (no)"),
    ("(a) (b)", "b", "(a)"),
    ("tab\t(a)", "a", "tab"),
])
def test_reading(tmp_path, line, utterance, text):
    (tmp_path / "a.trn").write_text(line + "\n\n", encoding="utf-8")
    assert read_trn(tmp_path / "a.trn") == {utterance: text}


def test_windows_line_ends(tmp_path):
    (tmp_path / "a.trn").write_bytes(b"one (a)\r\ntwo (b)\r\n")
    assert read_trn(tmp_path / "a.trn") == {"a": "one", "b": "two"}


@pytest.mark.parametrize("line", ["no id", "hello ()", "hello (a", "hello(a)", "a) (", "(a) x"])
def test_a_malformed_line_is_named(tmp_path, line):
    (tmp_path / "a.trn").write_text(f"fine (x)\n\n{line}\n", encoding="utf-8")
    with pytest.raises(AsrError, match=r"a\.trn:3: expected `text \(id\)`"):
        read_trn(tmp_path / "a.trn")


def test_a_duplicate_is_named_with_both_lines(tmp_path):
    (tmp_path / "a.trn").write_text("x (a)\ny (b)\nz (a)\n", encoding="utf-8")
    with pytest.raises(AsrError, match=r"a\.trn:3: id 'a' was already on line 1"):
        read_trn(tmp_path / "a.trn")


@pytest.mark.parametrize("utterance", ["a\nb", "a\rb", "x (b"])
def test_an_id_that_could_not_be_read_back_is_refused(tmp_path, utterance):
    with pytest.raises(AsrError, match="cannot stand in a"):
        write_trn(tmp_path / "a.trn", [("fine", "x"), (utterance, "text")])
    assert list(tmp_path.iterdir()) == []

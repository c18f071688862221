"""asr.text.normalise: the named normalisers."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.text.normalise import NORMALISERS, _whisper, librispeech, none, normaliser


@pytest.mark.parametrize(("text", "expected"), [
    ("HE HOPED THERE WOULD BE STEW", "he hoped there would be stew"),
    ("“Don’t,” she said – softly…", "don't she said softly"),
    ("Don`t don´t donʼt", "don't don't don't"),
    ("'Tis the debtors' side ' of it", "'tis the debtors' side of it"),
    ("Café naïve Ångström", "cafe naive angstrom"),
    ("well-known snake_case a/b e.g.", "well known snake case a b e g"),
    ("ﬁne ½ № 7", "fine 1 2 no 7"),
    ("  tabs\tand\n\u00a0spaces\u2028 ", "tabs and spaces"),
    ("?!", ""),
    ("''", ""),
    ("", ""),
    ("Straße ΣΑΣ", "straße σας"),
    ("ŉ", "'n"),
])
def test_librispeech(text, expected):
    assert librispeech(text) == expected


def test_none_only_folds_white_space():
    assert none(" A,\t b\n") == "A, b"


@given(st.text(), st.sampled_from(sorted(NORMALISERS)))
def test_single_spaces_part_words(text, name):
    pytest.importorskip("whisper_normalizer")
    once = normaliser(name)(text)
    assert once == " ".join(once.split())


@pytest.mark.parametrize(("name", "text", "expected"), [  # openai/whisper's own test cases
    ("english", "Let's", "let us"),
    ("english", "he's like", "he is like"),
    ("english", "Mr. Park visited Assoc. Prof. Kim Jr.",
     "mister park visited associate professor kim junior"),
    ("english", "the colour of twenty two [noise] dogs", "the color of 22 dogs"),
    ("basic", "Don't (laughs) stop: ÉTÉ!", "don t stop été"),
])
def test_whisper(name, text, expected):
    pytest.importorskip("whisper_normalizer")
    assert normaliser(name)(text) == expected


def test_a_normaliser_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "whisper_normalizer", None)
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    _whisper.cache_clear()
    with pytest.raises(AsrError, match=r"needs the package whisper-normalizer: pip install"):
        normaliser("english")("a")


@given(st.text(), st.sampled_from([none, librispeech]))
def test_normalising_twice_changes_nothing(text, normalise):
    once = normalise(text)
    assert normalise(once) == once


def test_every_character_normalises_once_and_for_all():
    for code in (c for c in range(0x20000) if not 0xD800 <= c < 0xE000):
        once = librispeech("a" + chr(code) + "b")
        assert librispeech(once) == once, hex(code)


@given(st.text())
def test_only_letters_digits_and_apostrophes_are_left(text):
    assert all(c.isalnum() or c in "' " for c in librispeech(text))
    assert "'" not in librispeech(text).split()


@given(st.lists(st.text(st.sampled_from("abcxyz'"), min_size=1).filter(lambda w: w.strip("'"))))
def test_librispeech_text_stays_as_it_is(words):
    assert librispeech(" ".join(words).upper()) == " ".join(words)


def test_unknown_name_lists_the_known():
    with pytest.raises(AsrError, match="no normaliser named 'German'; known: none, librispeech"):
        normaliser("German")

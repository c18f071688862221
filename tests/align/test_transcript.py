import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.align.transcript import Written, spell, written_words
from asr.errors import AsrError
from asr.text.bpe import BpeUnits
from asr.text.normalise import NORMALISERS, librispeech
from asr.text.phones import PhoneUnits
from asr.text.units import CharacterUnits

UNITS = CharacterUnits.from_texts(["abc"])
PAIRS = BpeUnits.from_texts(["a ab bab cab aab ab ab cab"], 8)


@pytest.mark.parametrize(("text", "expected"), [
    ("Café, here!", [("Café,", "cafe"), ("here!", "here")]),
    ("twenty-one — no", [("twenty-one", "twenty one"), ("no", "no")]),
    ("", []),
    ("--- '", []),
])
def test_one_by_one(text, expected):
    assert written_words(text, librispeech) == expected


def remarks_out(text):
    """As whisper's normalisers do; a remark may be several words."""
    return " ".join(text.lower().replace("[he laughs] ", "").replace("two hundred", "200").split())


def test_what_is_not_normalised_word_by_word_stands_as_normalised():
    words = written_words("Well [he laughs] I Have two hundred Books", remarks_out)
    assert words == [("Well", "well"), ("I", "i"), ("Have", "have"), ("200", "200"),
                     ("Books", "books")]


@given(st.text("aB -'[]é1,", max_size=40), st.sampled_from(["none", "librispeech"]))
def test_nothing_is_lost(text, name):
    """All words of the normalised text, in order, whoever they stand for."""
    normalise = NORMALISERS[name]
    words = written_words(text, normalise)
    assert " ".join(word.normalised for word in words) == normalise(text)


@given(st.lists(st.sampled_from(["[he", "laughs]", "two", "hundred", "A", "b"]), max_size=8))
def test_nothing_is_lost_of_remarks(words):
    text = " ".join(words)
    assert " ".join(w.normalised for w in written_words(text, remarks_out)) == remarks_out(text)


def test_labels_are_the_units_own():
    words = [Written("Ab", "ab"), Written("a-c", "a c")]
    spelling = spell(words, UNITS, False)
    assert spelling.labels.tolist() == UNITS.encode("ab a c")
    assert [spelling.labels[a:b].tolist() for a, b in spelling.edges] == [
        UNITS.encode("ab"), UNITS.encode("a c")]


def test_phones_have_no_boundary():
    phones = PhoneUnits([("a", "AH"), ("bee", "B IY"), ("bee", "B AY")])
    spelling = spell([Written("Bee", "bee"), Written("a", "a")], phones, False)
    assert spelling.labels.tolist() == phones.encode("bee a")
    assert spelling.edges == [(0, 2), (2, 3)]


@given(st.lists(st.sampled_from(["a", "ab", "bab", "cab", "aab"]), min_size=1, max_size=6))
def test_byte_pairs_of_a_text_are_those_of_its_words(words):
    spelling = spell([Written(word, word) for word in words], PAIRS, False)
    assert spelling.labels.tolist() == PAIRS.encode(" ".join(words))


def test_unknown_words():
    words = [Written("ab", "ab"), Written("7-c", "7 c")]
    with pytest.raises(AsrError, match="cannot spell `7`"):
        spell(words, UNITS, False)
    spelling = spell(words, UNITS, True)
    assert spelling.labels.tolist() == [*UNITS.encode("ab "), len(UNITS), *UNITS.encode(" c")]

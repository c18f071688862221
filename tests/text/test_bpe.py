"""asr.text.bpe: texts ↔ pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.text.bpe import BpeUnits
from asr.text.units import BEGINNING, BLANK, INSIDE

TEXTS = ["the cat sat on the mat", "the other cat's mat", "mother and the cats"]
UNITS = BpeUnits.from_texts(TEXTS, 40)


@given(st.lists(st.text(st.sampled_from("thecatsmonrd'"), min_size=1), max_size=5).map(" ".join))
def test_round_trip(text):
    ids = UNITS.encode(text)
    assert BLANK not in ids
    assert UNITS.decode(ids) == text
    words = [UNITS.spellings(word)[0] for word in text.split()]
    assert ids == [*itertools.chain(*words)]  # so a word is spelt alike wherever it stands
    assert [UNITS.parts[i] == BEGINNING for word in words for i in word] \
        == [i == 0 for word in words for i in range(len(word))]


def test_frequent_words_are_one_piece():
    assert [UNITS.symbols[i] for i in UNITS.encode("the cat")] == ["▁the", "▁cat"]
    assert UNITS.symbols[BLANK] == "<blank>"
    assert UNITS.parts[BLANK] == INSIDE
    assert len(UNITS) <= 40


def test_what_has_no_units():
    with pytest.raises(AsrError, match="'z' in 'the zoo' is not among the units"):
        UNITS.encode("the zoo")
    assert UNITS.spellings("zoo") == []
    assert UNITS.spellable("the zoo") == "the oo"


def test_the_same_texts_make_the_same_units(tmp_path):
    UNITS.save(tmp_path / "units.model")
    loaded = BpeUnits.load(tmp_path / "units.model")
    assert loaded.symbols == UNITS.symbols == BpeUnits.from_texts(TEXTS, 40).symbols
    assert loaded.encode("the mat") == UNITS.encode("the mat")


def test_what_cannot_be_made_or_read(tmp_path):
    with pytest.raises(AsrError, match="10 BPE units are fewer than the 14"):
        BpeUnits.from_texts(TEXTS, 10)
    with pytest.raises(AsrError, match=r"cannot read .*no\.model"):
        BpeUnits.load(tmp_path / "no.model")
    (tmp_path / "bad.model").write_bytes(b"\x00hello")
    with pytest.raises(AsrError, match=r"bad\.model: not a sentencepiece model"):
        BpeUnits.load(tmp_path / "bad.model")


def test_without_words_there_is_nothing_to_learn():
    with pytest.raises(AsrError, match="no words"):
        BpeUnits.from_texts(["", " "], 30)

"""asr.text.phones: words ↔ phones by a lexicon."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.text.normalise import librispeech
from asr.text.phones import PhoneUnits
from asr.text.units import BEGINNING, INSIDE

LEXICON = """\
;;; a comment of cmudict's
TO  T UW
TOO  T UW
TWO  T UW
A  AH
A(2)  EY # as a letter
CAT'S  K AE T S
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text(LEXICON)
    return path


def test_units_are_the_phones_in_order(path):
    units = PhoneUnits.load(path)
    assert units.symbols == ["<blank>", "AE", "S", "T", "UW", "▁AH", "▁EY", "▁K", "▁T"]
    assert units.parts.tolist() == [*[INSIDE] * 5, *[BEGINNING] * 4]


def test_words_to_phones_and_back(path):
    units = PhoneUnits.load(path, librispeech)
    ids = units.encode("a cat's two")
    assert [units.symbols[i] for i in ids] == ["▁AH", "▁K", "AE", "T", "S", "▁T", "UW"]
    assert units.decode(ids) == "a cat's to"
    assert units.decode([0, *ids[:1], 0]) == "a"
    assert units.decode(map(units.symbols.index, ["▁K", "AE", "S", "▁T", "S"])) == "cat's to"
    assert units.decode(map(units.symbols.index, ["AE", "T", "S", "▁EY", "UW"])) == "cat's to"
    assert [len(spelling) for spelling in units.spellings("a")] == [1, 1]
    assert units.spellings("dog") == []


def test_a_network_keeps_its_phones_whatever_the_lexicon(path):
    symbols = PhoneUnits.load(path).symbols
    path.write_text("TWO T UW\nTACK T AE K\nACT(2) AH K T\n".replace(" K", " S"))
    units = PhoneUnits.load(path, symbols=symbols)
    assert units.symbols == symbols
    assert [symbols[i] for i in units.encode("TACK TWO ACT")] == \
        ["▁T", "AE", "S", "▁T", "UW", "▁AH", "S", "T"]


@pytest.mark.parametrize(("line", "wrong"), [
    ("TACK T AE K", r"`TACK T AE K`: the model knows no phone K that is within a word"),
    ("AT AE T", r"`AT AE T`: the model knows no phone AE that begins a word"),
    ("TOY T OY", r"`TOY T OY`: the model knows no phone OY that is within a word")])
def test_other_phones_are_refused_by_name(path, line, wrong):
    symbols = PhoneUnits.load(path).symbols
    path.write_text(f"{LEXICON}{line}\nTOE T UW\n")
    with pytest.raises(AsrError, match=rf"lexicon.txt: {wrong}; it was trained with AE S T UW"):
        PhoneUnits.load(path, symbols=symbols)


PHONE = st.sampled_from(["T", "UW", "K", "AE"])


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.lists(PHONE, min_size=1, max_size=4)),
                min_size=1))
def test_all_words_at_once_are_spelt_as_each_alone(lexicon):
    """By the rule, worked here phone by phone."""
    units = PhoneUnits((word, " ".join(phones)) for word, phones in lexicon)
    words = "dbxca"
    spelt = units.spell(words)
    ends = itertools.accumulate(spelt.lengths, initial=0)
    got = [(words[number], spelt.units[start:end].tolist())
           for number, (start, end) in zip(spelt.words, itertools.pairwise(ends), strict=True)]
    expected = []
    for word, (first, *later) in lexicon:
        ids = [*map(units.symbols.index, ["▁" + first, *later])]
        if (word, ids) not in expected:
            expected.append((word, ids))
    assert got == expected
    for word in "abcdx":
        assert [list(ids) for ids in units.spellings(word)] == \
            [ids for each, ids in expected if each == word]


def test_frequent_words_are_read_first(path, tmp_path):
    units = PhoneUnits.load(path).learnt_from(["TWO TWO TOO", "A TWO"])
    assert units.decode(units.encode("TO")) == "TWO"
    units.save(tmp_path / "saved.txt")
    loaded = PhoneUnits.load(tmp_path / "saved.txt")
    assert (loaded.symbols, loaded.lexicon) == (units.symbols, units.lexicon)


def test_words_without_a_pronunciation(path):
    units = PhoneUnits.load(path)
    with pytest.raises(AsrError, match="`DOG` in 'A DOG' is not in the lexicon"):
        units.encode("A DOG")
    assert units.spellable("A DOG TO") == "A TO"


@pytest.mark.parametrize(("lines", "said"), [
    ("A AH\nB\n", "line 2: `B` has no phones"),
    ("A ▁A\n", "line 1: <blank>, or a phone that begins with ▁"),
    ("", "no pronunciations in it")])
def test_faults(tmp_path, lines, said):
    (tmp_path / "lexicon.txt").write_text(lines)
    with pytest.raises(AsrError, match=said):
        PhoneUnits.load(tmp_path / "lexicon.txt")


@pytest.mark.parametrize(("times", "kept"), [(49, 2), (50, 1)])
def test_words_that_a_network_has_often_learnt_have_one_pronunciation(path, times, kept):
    learnt = PhoneUnits.load(path).learnt_from(["A TWO"] * times)
    spellings = [[learnt.symbols[i] for i in ids] for ids in learnt.spellings("A")]
    assert spellings == [["▁AH"], ["▁EY"]][:kept]


def test_what_kaldi_has_for_no_word_is_left_out(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text("!SIL SIL\n<UNK> SPN\n<SPOKEN_NOISE> SPN\n[LAUGHTER] LAU\nHELLO HH AH L OW\n")
    units = PhoneUnits.load(path, librispeech)
    assert list(units.vocabulary) == ["hello"]
    assert len(units) == 1 + 4

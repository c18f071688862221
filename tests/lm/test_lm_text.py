import pytest

from asr.lm.text import sentences, spell_numbers
from asr.text.normalise import librispeech


@pytest.mark.parametrize(("written", "spoken"), [
    ("7", "seven"), ("21", "twenty one"), ("100", "one hundred"),
    ("1,234", "one thousand two hundred and thirty four"),
    ("1856", "eighteen fifty six"), ("1805", "eighteen oh five"), ("1900", "nineteen hundred"),
    ("1000", "one thousand"), ("2001", "two thousand and one"),
    ("1,856", "one thousand eight hundred and fifty six"),
    ("3.14", "three point one four"), ("1st", "first"), ("22nd", "twenty second"),
    ("2d", "second"), ("33d", "thirty third"), ("1,102d", "one thousand one hundred and second"),
    ("6d. and 12d, 13d or 112d", "6d. and 12d, 13d or 112d"),  # pence
    ("£50", "fifty pounds"), ("$1,000", "one thousand dollars"),
    ("$1, £1 or $11", "one dollar, one pound or eleven dollars"),
    ("A1", "A1"), ("in 1850, 3 men", "in eighteen fifty, three men"),
    ("1" * 40, " ".join(["one"] * 40)),
])
def test_numbers(written, spoken):
    assert spell_numbers(written) == spoken


@pytest.mark.parametrize(("written", "spoken"), [
    ("Chapter XIV", "Chapter fourteen"), ("MDCCCLVI", "eighteen fifty six"), ("II", "two"),
    ("I am", "I am"), ("MIX", "one thousand and nine"), ("DID", "DID"), ("IIII", "IIII")])
def test_roman_numerals(written, spoken):
    assert spell_numbers(written, roman=True) == spoken
    assert spell_numbers(written) == written


def spoken(paragraph, **options):
    return list(sentences(paragraph, librispeech, **options))


def test_sentences_end_where_people_stop():
    assert spoken('Mr. Smith came. "Where?" said Dr. J. P. Jones! It was 3.15 p.m.--no, 4.') == [
        "mister smith came", "where said doctor j p jones",
        "it was three point one five p m no four"]
    assert spoken("'Go!' he cried. 'Tis late; call ‘em. The dogs' house.") == [
        "go he cried", "'tis late call 'em", "the dogs' house"]
    assert spoken("Stop! Go? (Yes.) \"No.\" 'So.'") == ["stop", "go", "yes", "no", "so"]
    assert spoken("He lived at St. Ives, etc. and so on") == [
        "he lived at saint ives et cetera and so on"]
    assert spoken("  \n") == []
    assert spoken("***") == []
    assert spoken("wait ... what") == ["wait what"]


def test_roman_numerals_only_when_asked_for():
    assert spoken("Book IV.") == ["book iv"]
    assert spoken("Book IV.", roman=True) == ["book four"]

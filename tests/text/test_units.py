"""asr.text.units: characters ↔ indices, and the frames that CTC needs."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.text.units import BETWEEN, BLANK, INSIDE, CharacterUnits, frames_needed

words = st.lists(st.text(st.sampled_from("abcé'"), min_size=1), max_size=5).map(" ".join)


def test_order_is_blank_boundary_then_code_points():
    units = CharacterUnits.from_texts(["b a", "c'"])
    assert units.symbols == ["<blank>", "|", "'", "a", "b", "c"]
    assert len(units) == 6
    assert units.parts.tolist() == [INSIDE, BETWEEN, *[INSIDE] * 4]
    assert units.encode("a b") == [3, 1, 4]


@given(st.lists(words, min_size=1))
def test_round_trip(texts):
    units = CharacterUnits.from_texts(texts)
    for text in texts:
        ids = units.encode(text)
        assert BLANK not in ids
        assert units.decode(ids) == text
        assert units.decode([BLANK, *itertools.chain(*((i, BLANK) for i in ids))]) == text


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))))
def test_save_and_load(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("units") / "units.txt"
    units = CharacterUnits.from_texts(texts)
    units.save(path)
    assert CharacterUnits.load(path).symbols == units.symbols


def test_order_of_texts_does_not_matter():
    assert CharacterUnits.from_texts(["ab", "c"]).symbols == \
        CharacterUnits.from_texts(["c", "b", "a"]).symbols


def test_foreign_character_is_named():
    with pytest.raises(AsrError, match=r"'9' in 'a9' is not among the units"):
        CharacterUnits.from_texts(["a"]).encode("a9")


def test_spaces_are_folded_in_decoding():
    units = CharacterUnits.from_texts(["ab"])
    assert units.decode([1, 2, 1, 1, 3, 1]) == "a b"


@pytest.mark.parametrize("content", ["", "a\nb\n", "|\n<blank>\n", "<blank>\n", "<blank>\na\n",
                                     "<blank>\n|\na\na\n"])
def test_bad_unit_files(tmp_path, content):
    (tmp_path / "units.txt").write_text(content)
    with pytest.raises(AsrError, match="not a list of units"):
        CharacterUnits.load(tmp_path / "units.txt")


def collapse(path: tuple[int, ...]) -> list[int]:
    return [unit for unit, _ in itertools.groupby(path) if unit != BLANK]


@given(st.lists(st.integers(1, 2), max_size=4))
def test_frames_needed_against_all_paths(ids):
    """The shortest path over {blank, 1, 2} that collapses to the labels, by trying all."""
    shortest = next(length for length in itertools.count()
                    if any(collapse(path) == ids
                           for path in itertools.product(range(3), repeat=length)))
    assert frames_needed(ids) == shortest

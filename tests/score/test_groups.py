import numpy as np
import pytest

from asr.errors import AsrError
from asr.score.align import score_utterances
from asr.score.groups import group_utterances
from asr.score.transcript import Transcript


def groups(key, transcripts):
    words = score_utterances((str(i), transcript.text, "a")
                             for i, transcript in enumerate(transcripts)).words
    return group_utterances(key, transcripts, words)


def members(key, transcripts):
    return {group.name: group.utterances.tolist() for group in groups(key, transcripts)}


def test_speakers_in_order_of_their_names_and_numbers():
    transcripts = [Transcript("a", speaker=speaker) for speaker in ("10", "9", "10", "x")]
    assert members("speaker", transcripts) == {"9": [1], "10": [0, 2], "x": [3]}
    assert list(members("speaker", transcripts)) == ["9", "10", "x"]


def test_a_group_counts_its_utterances_alone():
    group = groups("g", [Transcript("a b", extra={"g": "1"}), Transcript("c", extra={"g": "2"}),
                         Transcript("a", extra={"g": "1"})])[0]
    assert (group.rate.errors, group.rate.length) == (1, 3)
    assert group.counts.deletions.tolist() == [1, 0]


def test_many_numbers_are_parted_at_the_quartiles():
    values = np.random.default_rng(0).permutation(100)
    transcripts = [Transcript("a", extra={"snr": str(value / 2)}) for value in values]
    parts = members("snr", transcripts)
    assert list(parts) == ["0 – <12.38", "12.38 – <24.75", "24.75 – <37.12", "37.12 – 49.5"]
    assert [len(part) for part in parts.values()] == [25] * 4
    assert {values[i] for i in parts["0 – <12.38"]} == set(range(25))


@pytest.mark.parametrize("count", [3, 40])
def test_numbers_that_look_alike_in_few_digits_stay_apart(count):
    """Categories, and quartiles of equal sizes."""
    parts = members("duration", [Transcript("a", duration=100 + i / 1000) for i in range(count)])
    assert [len(part) for part in parts.values()] == [count // min(count, 4)] * min(count, 4)
    assert sorted(i for part in parts.values() for i in part) == list(range(count))


def test_every_utterance_is_in_one_group_even_if_most_are_equal():
    transcripts = [Transcript("a", duration=max(1.0, i - 80)) for i in range(100)]
    parts = members("duration", transcripts)
    assert sorted(i for part in parts.values() for i in part) == list(range(100))


def test_rate_is_words_a_second_and_what_is_not_known_comes_last():
    transcripts = [Transcript("a b", duration=1.0), Transcript("a"), Transcript("a", duration=0.5)]
    assert members("rate", transcripts) == {"2": [0, 2], "(none)": [1]}


def test_length_is_words_of_the_reference():
    assert members("length", [Transcript("a b"), Transcript(""), Transcript("c d")]) == {
        "0": [1], "2": [0, 2]}


def test_speakers_and_other_ids_that_are_whole_numbers_stay_names():
    transcripts = [Transcript("a", speaker=str(i % 20), extra={"chapter": str(i % 20)})
                   for i in range(60)]
    assert list(members("speaker", transcripts)) == [str(i) for i in range(20)]
    assert list(members("chapter", transcripts)) == [str(i) for i in range(20)]


def test_text_that_looks_like_a_number_stays_a_name():
    assert members("age", [Transcript("a", extra={"age": age}) for age in ("08", "nan", "8")]) == {
        "08": [0], "8": [2], "nan": [1]}


def test_a_key_that_nobody_has():
    with pytest.raises(AsrError, match="'accent'; known: speaker, length, duration, rate, gender"):
        groups("accent", [Transcript("a", extra={"gender": "F"})])

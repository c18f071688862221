import itertools

import numpy as np
import pytest
from spiky_bundle import RATE, SHIFT, samples_of

from asr.align.align import align_posteriors, align_samples, pronounced
from asr.align.transcript import Written, spell
from asr.decode.alignment import AFTER, BEFORE, PAUSE
from asr.errors import AsrError
from asr.text.phones import PhoneUnits


def times(words):
    return [(word.text, pytest.approx(word.start), pytest.approx(word.end)) for word in words]


def test_units_of_a_word_share_what_lies_between_them(bundle):
    words = align_samples(bundle, samples_of("-----c--aa---t------------"), "cat").words
    assert times(words) == [("cat", 5 * SHIFT - BEFORE, 14 * SHIFT + AFTER)]
    assert times(words[0].units) == [("c", 5 * SHIFT - BEFORE, 7 * SHIFT),
                                     ("a", 7 * SHIFT, 11.5 * SHIFT),
                                     ("t", 11.5 * SHIFT, 14 * SHIFT + AFTER)]


@pytest.mark.parametrize("blanks", range(1, 30))
def test_words_share_a_gap_and_leave_a_pause(bundle, blanks):
    samples = samples_of("--a" + blanks * "-" + "|b--")
    first, second = align_samples(bundle, samples, "a b").words
    gap = (blanks + 1) * SHIFT
    if gap <= PAUSE + 1e-6:
        assert first.end == second.start == pytest.approx(3 * SHIFT + gap / 2)
    else:
        assert first.end == pytest.approx(3 * SHIFT + AFTER)
        assert second.start == pytest.approx(3 * SHIFT + gap - BEFORE)
        assert first.end < second.start


def test_words_stay_within_the_audio(bundle):
    samples = samples_of("a-|-b")
    words = align_samples(bundle, samples, "a b").words
    assert words[0].start == 0
    assert words[1].end == len(samples) / RATE


def test_confidence_is_the_mean_posterior_of_the_frames(bundle):
    """Where the text has `x` for what is heard as `y`, its posterior is a 27th of a tenth."""
    samples = samples_of("--a--yy--c--")
    word, = align_samples(bundle, samples, "axc").words
    other = 0.1 / 27
    assert [unit.confidence for unit in word.units] == pytest.approx([0.9, other, 0.9], rel=1e-5)
    assert word.confidence == pytest.approx((1.8 + other) / 3, rel=1e-5)


def test_words_keep_their_spelling(bundle):
    words = align_samples(bundle, samples_of("--a-b-|-c-|-d--"), '"Ab", c-D!').words
    assert [(word.text, word.normalised) for word in words] == [('"Ab",', "ab"), ("c-D!", "c d")]
    assert [unit.text for unit in words[1].units] == ["c", "d"]


def test_an_unknown_word_stands_for_any_sounds(bundle):
    """Between its neighbours, and neither they nor the silence around it are part of it."""
    samples = samples_of("--ab-|-" + 20 * "-" + "x-yyz-" + 20 * "-" + "-|-cd--")
    with pytest.raises(AsrError, match=r"cannot spell `42`; .*--allow-unknown"):
        align_samples(bundle, samples, "ab 42 cd")
    ab, unknown, cd = align_samples(bundle, samples, "ab 42 cd", allow_unknown=True).words
    assert unknown.start == pytest.approx(27 * SHIFT - BEFORE)
    assert unknown.end == pytest.approx(32 * SHIFT + AFTER)
    assert unknown.confidence == 0
    assert [unit.text for unit in unknown.units] == ["*"]
    assert min(ab.confidence, cd.confidence) == pytest.approx(0.9)


def test_an_error_names_a_few_unknown_words(bundle):
    with pytest.raises(AsrError, match="`1`, `2`, `3`, `4`, `5` and 2 more; "):
        align_samples(bundle, samples_of("-"), "1 2 3 4 5 6 7 1")


def test_too_short_audio(bundle):
    """Repeated characters need a blank between them."""
    assert len(align_samples(bundle, samples_of("a-ab"), "aab").words) == 1
    with pytest.raises(AsrError, match=r"0.06 s of audio, 3 frames .* which needs 4"):
        align_samples(bundle, samples_of("a-a"), "aab")


@pytest.mark.parametrize("text", ["", " — "])
def test_nothing_said(bundle, text):
    alignment = align_samples(bundle, samples_of("-----"), text)
    assert alignment.words == alignment.misfits == []
    assert alignment.duration == pytest.approx(0.1)


def test_long_audio_is_as_if_heard_as_a_whole(bundle):
    """Three minutes; words at random places, also at the windows' edges."""
    random = np.random.default_rng(0)
    frames, said = [], []
    while len(frames) < 9_000:
        word = "".join(random.choice(list("abcdefgh"), 3, replace=False))
        frames += "-" * random.integers(1, 40) + f"|-{word[0]}-{word[1]}{word[2]}-"
        said.append((word, len(frames) - 5, len(frames) - 1))
    alignment = align_samples(bundle, samples_of(frames), " ".join(word for word, _, _ in said))
    assert [word.text for word in alignment.words] == [word for word, _, _ in said]
    for word, (_, first, end) in zip(alignment.words, said, strict=True):
        assert first * SHIFT - PAUSE / 2 - 1e-6 <= word.start <= first * SHIFT + 1e-6
        assert end * SHIFT - 1e-6 <= word.end <= end * SHIFT + PAUSE / 2 + 1e-6
    assert all(a.end <= b.start for a, b in itertools.pairwise(alignment.words))
    assert alignment.misfits == []
    assert max(map(max, bundle.batches)) <= 31 * RATE
    assert max(map(len, bundle.batches)) <= 8


def test_each_word_has_the_pronunciation_that_is_heard():
    units = PhoneUnits([("the", "DH AH"), ("the", "DH IY"), ("the", "DH"), ("end", "EH N D"),
                        ("end", "EH N")])
    said = ["-", "▁DH", "▁DH", "IY", "-", "▁EH", "N", "-", "▁DH", "-", "-", "▁EH", "N", "D", "D",
            "▁DH", "AH"]
    log_posteriors = np.full((len(said), len(units)), np.log(0.1 / (len(units) - 1)), np.float32)
    for row, unit in zip(log_posteriors, said, strict=True):
        row[0 if unit == "-" else units.symbols.index(unit)] = np.log(0.9)
    words = [Written(word, word) for word in ("the", "end", "the", "end", "the")]
    spelling = spell(words, units, False)
    heard = pronounced(log_posteriors, spelling, units)
    aligned = align_posteriors(log_posteriors, heard, units, 0.02, 0.3)
    assert [[unit.text for unit in word.units] for word in aligned] == [
        ["▁DH", "IY"], ["▁EH", "N"], ["▁DH"], ["▁EH", "N", "D"], ["▁DH", "AH"]]
    assert min(word.confidence for word in aligned) == pytest.approx(0.9)


def test_pronunciations_that_fit_singly_but_not_together_are_not_taken():
    """Both words would have the frame between them."""
    units = PhoneUnits([("a", "AH"), ("a", "AH EY"), ("be", "B"), ("be", "EY B")])
    log_posteriors = np.full((3, len(units)), -9, np.float32)
    for row, unit in zip(log_posteriors, ["▁AH", "EY", "B"], strict=True):
        row[units.symbols.index(unit)] = row[units.symbols.index(unit.replace("E", "▁E"))] = -0.1
    log_posteriors[2, units.symbols.index("▁B")] = -0.2
    log_posteriors[1, 0] = -5
    spelling = spell([Written("a", "a"), Written("be", "be")], units, False)
    assert pronounced(log_posteriors, spelling, units).labels.tolist() == units.encode("a be")

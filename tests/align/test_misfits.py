import numpy as np
import pytest
from spiky_bundle import SHIFT, samples_of

from asr.align.align import align_samples

WORDS = ["".join(np.random.default_rng(i).choice(list("abcdefgh"), 3, replace=False))
         for i in range(40)]


def frames_of(words):
    return "-|-".join(f"{a}--{b}--{c}" for a, b, c in words)


def test_text_that_fits(bundle):
    assert align_samples(bundle, samples_of(frames_of(WORDS)), " ".join(WORDS)).misfits == []


def test_words_that_are_not_said(bundle):
    text = [*WORDS[:20], *(10 * ["xyz"]), *WORDS[20:]]
    frames = frames_of(WORDS[:20]) + 60 * "-" + frames_of(WORDS[20:])
    misfit, *others = align_samples(bundle, samples_of(frames), " ".join(text)).misfits
    assert others == []
    assert "xyz" in misfit.what
    assert "is hardly heard" in misfit.what
    place = len(frames_of(WORDS[:20])) * SHIFT
    assert place - 0.1 < misfit.start < misfit.end < place + 60 * SHIFT + 0.1


@pytest.mark.parametrize("place", [0, 10, 40])
def test_speech_that_the_text_lacks(bundle, place):
    before, lacking, after = map(frames_of, (WORDS[:place], 5 * ["xyz"], WORDS[place:]))
    misfit, = align_samples(bundle, samples_of(f"{before}-|-{lacking}-|-{after}"),
                            " ".join(WORDS)).misfits
    assert "units are heard that the text does not have" in misfit.what
    assert misfit.start == pytest.approx(len(before) * SHIFT, abs=0.1)
    assert misfit.end == pytest.approx((len(before) + len(lacking) + 6) * SHIFT, abs=0.1)


def test_an_unknown_word_may_be_anything(bundle):
    alignment = align_samples(bundle, samples_of(frames_of(WORDS)),
                              " ".join([*WORDS[:10], "1999", *WORDS[15:]]), allow_unknown=True)
    assert alignment.misfits == []
    place = len(frames_of(WORDS[:10])) * SHIFT
    assert alignment.words[10].start == pytest.approx(place, abs=0.1)
    assert alignment.words[10].end == pytest.approx(len(frames_of(WORDS[:15])) * SHIFT, abs=0.1)

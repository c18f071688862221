import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr.manifest import Word
from asr.transcribe.stitch import seam


def timed(*items, confidence=0.5):
    return [Word(text=text, start=start, end=end, confidence=confidence)
            for text, start, end in items]


def joined(before, behind, start, end):
    keep, skip = seam(before, behind, start, end)
    return [word.text for word in [*before[:keep], *behind[skip:]]]


def overheard(seed):
    """What was said, and what two stretches heard of it, with cut words wrong at their ends."""
    random = np.random.default_rng(seed)
    words, now = [], 0.0
    while now < 60:
        now += random.uniform(0, 0.3)
        end = now + random.uniform(0.25, 0.6)
        words += timed((random.choice(["a", "the", "one", "two", "and"]), now, end))
        now = end
    start = random.uniform(20, 25)
    end = start + 4

    def jittered(word):
        return word.model_copy(update={"start": word.start + random.uniform(-0.03, 0.03),
                                       "end": word.end + random.uniform(-0.03, 0.03)})

    before = [jittered(w) for w in words if w.end <= end]
    behind = [jittered(w) for w in words if w.start >= start]
    if random.random() < 0.5:
        before += timed(("cut", before[-1].end, end))
    if random.random() < 0.5:
        behind = [*timed(("off", start, behind[0].start)), *behind]
    return [w.text for w in words], before, behind, start, end


SEEDS = st.integers(0, 2 ** 32)


@given(SEEDS)
def test_no_word_is_lost_or_doubled(seed):
    words, *heard = overheard(seed)
    assert joined(*heard) == words


@given(SEEDS, st.integers(0, 3))
def test_one_word_misheard_costs_one_word(seed, place):
    """In the second stretch, of the words near the middle."""
    words, before, behind, start, end = overheard(seed)
    middle = min(range(len(behind)), key=lambda i: abs(behind[i].start - (start + end) / 2))
    wrong = min(middle - 1 + place, len(behind) - 1)
    behind[wrong] = behind[wrong].model_copy(update={"text": "misheard"})
    found = joined(before, behind, start, end)
    assert len(found) == len(words)
    assert sum(a != b for a, b in zip(found, words, strict=True)) <= 1


def test_the_agreement_nearest_to_the_middle_counts():
    """Both ends are cut: of the first a word that goes on, of the second one that had begun."""
    before = timed(("we", 10.2, 10.5), ("went", 11, 11.5), ("home", 12, 12.5), ("yes", 13.6, 14))
    behind = timed(("ee", 10, 10.5), ("went", 11, 11.5), ("home", 12, 12.5), ("yeast", 13.6, 15))
    assert joined(before, behind, 10, 14) == ["we", "went", "home", "yeast"]


def test_the_same_word_said_twice_is_told_apart_by_time():
    before = timed(("very", 10.8, 11.1), ("very", 11.5, 11.8), ("big", 12.3, 12.6))
    behind = timed(("very", 11.5, 11.8), ("big", 12.3, 12.6), ("cat", 13, 13.4))
    assert joined(before, behind, 11.2, 13) == ["very", "very", "big", "cat"]


def test_of_two_readings_across_the_middle_the_surer_one_stays():
    before = timed(("on", 10, 10.5), ("hour", 11.4, 11.95))
    behind = timed(("power", 11.5, 12.8), ("off", 13, 13.5), confidence=0.9)
    assert joined(before, behind, 10, 14) == ["on", "power", "off"]
    sure = [word.model_copy(update={"confidence": 1.0}) for word in before]
    assert joined(sure, behind, 10, 14) == ["on", "hour", "off"]


def test_nothing_in_common_is_parted_in_the_middle():
    before = timed(("a", 10, 10.4), ("b", 11, 11.4), ("c", 12.6, 13))
    behind = timed(("d", 10.5, 10.9), ("e", 11.5, 11.9), ("f", 13.2, 13.6))
    assert joined(before, behind, 10, 14) == ["a", "b", "f"]


def test_one_side_without_words():
    words = timed(("a", 10, 10.4), ("b", 13, 13.4))
    assert joined(words, [], 10, 14) == ["a"]
    assert joined([], words, 10, 14) == ["b"]
    assert joined([], [], 10, 14) == []

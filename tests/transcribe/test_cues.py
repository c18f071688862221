import itertools

from hypothesis import given
from hypothesis import strategies as st

from asr.manifest import Word
from asr.transcribe.cues import cues


def timed(*items):
    return [Word(text=text, start=start, end=end, confidence=1) for text, start, end in items]


def steady(text, seconds=0.3, gap=0.1):
    """Words one after the other, with equal lengths and gaps."""
    return timed(*((word, i * (seconds + gap), i * (seconds + gap) + seconds)
                   for i, word in enumerate(text.split())))


@st.composite
def speech(draw):
    words, now = [], 0.0
    for _ in range(draw(st.integers(0, 40))):
        now += draw(st.floats(0, 2))
        end = now + draw(st.floats(0.02, 3))
        words.append(Word(text=draw(st.text("abcdefgh", min_size=1, max_size=30)), start=now,
                          end=end, confidence=1))
        now = end
    return words


@given(speech())
def test_every_word_is_shown_once_in_cues_that_can_be_read(words):
    found = cues(words)
    assert " ".join(line for cue in found for line in cue.lines).split() == [w.text for w in words]
    for cue in found:
        assert 1 <= len(cue.lines) <= 2
        assert max(map(len, cue.lines)) <= 42
        assert 0 < cue.end - cue.start <= 7001
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


@given(speech())
def test_a_cue_stays_until_it_is_read(words):
    """At 17 characters a second, unless the next one comes or 7 s are over."""
    found = cues(words)
    for cue, following in itertools.zip_longest(found, found[1:]):
        shown = (cue.end - cue.start) / 1000
        assert (sum(map(len, cue.lines)) / shown < 17.1 or shown > 6.99
                or (following and cue.end == following.start))


def test_a_pause_ends_a_cue():
    found = cues(timed(("a", 0, 0.5), ("b", 1.4, 2), ("c", 3.0, 4.5)))
    assert [cue.lines for cue in found] == [["a b"], ["c"]]
    assert [(cue.start, cue.end) for cue in found] == [(0, 2000), (3000, 4500)]


def test_a_full_cue_breaks_at_its_longest_pause():
    words = steady("word " * 40)
    late = [w if i < 14 else w.model_copy(update={"start": w.start + 0.3, "end": w.end + 0.3})
            for i, w in enumerate(words)]
    assert len(cues(words)[0].lines[0].split()) + len(cues(words)[0].lines[1].split()) > 14
    assert sum(len(line.split()) for line in cues(late)[0].lines) == 14


def test_a_long_text_fills_two_lines():
    found = cues(steady("a word and another one " * 10, seconds=0.1, gap=0.05))
    assert all(len(cue.lines) == 2 for cue in found[:-1])


def test_a_short_cue_is_shown_for_a_second_unless_the_next_comes():
    assert [(c.start, c.end) for c in cues(timed(("a", 1, 1.1), ("b", 5, 5.1)))] == \
        [(1000, 2000), (5000, 6000)]
    assert cues(timed(("a", 1, 1.1), ("b", 2.15, 4)))[0].end == 2000
    assert cues(timed(("a", 1, 1.0), ("b", 2.0, 4)))[0].end == 2000


def test_a_word_that_fits_nowhere_stands_alone():
    found = cues(timed(("a", 0, 1), ("x" * 100, 1, 20), ("b", 20, 21)))
    assert [cue.lines for cue in found] == [["a"], ["x" * 42, "x" * 42, "x" * 16], ["b"]]
    assert found[1].end - found[1].start == 7000


def test_no_words_no_cues():
    assert cues([]) == []

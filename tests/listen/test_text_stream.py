import numpy as np
import pytest
from dummies import unigrams
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decode.alignment import AFTER, BEFORE
from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import Search, decode_posteriors
from asr.decode.word_lm import spell, word_scorer
from asr.listen.text_stream import Final, Partial, TextStream
from asr.text.units import CharacterUnits

UNITS = CharacterUnits(["<blank>", "|", "a", "b"])
GREEDY, BEAM = Search(DecodeConfig(search="greedy")), Search(DecodeConfig())
SHIFT = 0.5  # seconds


def rows(text, sure=0.97):
    """A frame for each character: `_` is the blank."""
    posteriors = np.full((len(text), 4), (1 - sure) / 3)
    posteriors[np.arange(len(text)), ["_|ab".index(c) for c in text]] = sure
    return np.log(posteriors).astype(np.float32)


def random_rows(seed, frames, spread):
    """Of which every second is a blank."""
    logits = np.random.default_rng(seed).normal(0, spread, (frames, 4))
    logits[:, 0] += spread
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def closed_vocabulary(*words):
    model = unigrams(*words, log_prob=-1.0)
    return Search(DecodeConfig(), word_scorer(model, spell(model.words, UNITS), UNITS.parts,
                                              1.0, 0.5, -np.inf))


def streamed(log_posteriors, edges, search, silence=1.5):
    stream = TextStream(UNITS, SHIFT, search, silence)
    blocks = np.split(log_posteriors, sorted(e for e in edges if e <= len(log_posteriors)))
    return [*(event for block in blocks for event in stream.push(block)), *stream.finish()]


def finals(events):
    return [[(word.text, word.start, word.end) for word in event.words]
            for event in events if isinstance(event, Final)]


@pytest.mark.parametrize("search", [GREEDY, BEAM])
def test_a_silence_ends_an_utterance(search):
    events = streamed(rows("_ab___|b_a____a"), range(15), search)
    assert finals(events) == [
        [("ab", 0.5 - BEFORE, 1.5 + AFTER)], [("ba", 3.5 - BEFORE, 5.0 + AFTER)],
        [("a", 7.0 - BEFORE, 7.5)]]
    assert [e.text for e in events if isinstance(e, Final)] == ["ab", "ba", "a"]
    assert events[2] == Final(events[2].words)  # with the third blank, before anything else is said
    assert finals(streamed(rows("ab_|b||_"), range(8), search)) == [
        [("ab", 0.0, 1.0 + AFTER), ("b", 2.0 - BEFORE, 2.5 + AFTER)]]
    assert len(finals(streamed(rows("ab_||b"), range(6), search))) == 2


def test_what_is_said_appears_at_once_and_words_that_something_follows_are_stable():
    events = streamed(rows("a|ba"), range(4), GREEDY)
    assert events[:-1] == [Partial(["a"], 0), Partial(["a"], 1), Partial(["a", "b"], 1),
                           Partial(["a", "ba"], 1)]


def test_silence_says_nothing_and_holds_nothing():
    stream = TextStream(UNITS, SHIFT, BEAM, 1.5)
    for _ in range(100):
        assert stream.push(rows("__")) == []
        assert sum(len(block) for block in stream._rows) < 3
    assert stream.finish() == []


@pytest.mark.parametrize("search", [GREEDY, BEAM])
def test_talk_without_end_is_cut(search):
    events = streamed(rows("ab|" * 50), [], search)
    assert [words[-1][2] for words in finals(events)][:2] == [29.5 + AFTER, 59.5 + AFTER]
    assert sum(len(words) for words in finals(events)) == 50


def test_a_text_that_comes_to_nothing_is_taken_back():
    """In a closed vocabulary the beginning of a word is none."""
    events = streamed(rows("a___", sure=0.9999), range(4), closed_vocabulary("ab"))
    assert events == [Partial(["a"], 0), Partial([], 0)]


@given(st.integers(0, 10**6), st.integers(0, 60), st.lists(st.integers(0, 60), max_size=8),
       st.sampled_from([GREEDY, BEAM, closed_vocabulary("ab", "ba", "b")]))
@settings(max_examples=60)
def test_it_is_what_is_found_in_the_frames_of_each_utterance(seed, frames, edges, search):
    log_posteriors = random_rows(seed, frames, 2.0)
    quiet_frames = log_posteriors.argmax(axis=1) <= 1  # blanks and boundaries
    cuts, quiet = [0], 0
    for t in range(frames):
        quiet = quiet + 1 if quiet_frames[t] else 0
        if quiet == 3 or t + 1 - cuts[-1] == 60:
            cuts.append(t + 1)
            quiet = 0
    expected = []
    for first, end in zip(cuts, [*cuts[1:], frames], strict=True):
        [found] = decode_posteriors(["u"], [log_posteriors[first:end]], UNITS, SHIFT, search, 1)
        if found.words:
            expected.append([(word.text, first * SHIFT + word.start, first * SHIFT + word.end)
                             for word in found.words])
    assert finals(streamed(log_posteriors, edges, search)) == expected


@given(st.integers(0, 10**6), st.sampled_from([GREEDY, BEAM]))
@settings(max_examples=30)
def test_stable_words_stay(seed, search):
    stable = []
    for event in streamed(random_rows(seed, 40, 4.0), range(40), search):
        words = [w.text for w in event.words] if isinstance(event, Final) else event.words
        assert words[:len(stable)] == stable
        stable = [] if isinstance(event, Final) else words[:event.stable]

import pytest

from asr.listen.latency import Latency
from asr.listen.text_stream import Final, Partial
from asr.manifest import Word


def word(text, start, end):
    return Word(text=text, start=start, end=end, confidence=1.0)


def test_a_word_appears_when_texts_have_it_for_good():
    latency = Latency(0.065)
    latency.block(0.5, 0.01, [Partial(["ten"], 0)])
    latency.block(0.5, 0.02, [Partial(["tent"], 0)])  # which takes it back
    latency.block(0.5, 0.03, [Partial(["ten", "o"], 0)])
    latency.block(0.5, 0.04, [])
    latency.block(0.5, 0.05, [Partial(["ten", "one"], 1)])
    latency.texts(0.1, [Final([word("ten", 0.1, 0.4), word("one", 0.8, 2.3), word("a", 2.3, 2.4)])])
    assert latency.delays == pytest.approx([1.53 - 0.4, 2.55 - 2.3, 2.6 - 2.4])
    latency.block(0.5, 0.05, [Partial(["ten"], 0), Final([word("ten", 2.9, 3.0)])])
    assert latency.delays[3:] == pytest.approx([0.05])


def test_report():
    latency = Latency(0.065)
    assert latency.report() == "look-ahead 65 ms"
    for took in [0.01] * 19 + [0.03]:
        latency.block(0.1, took, [])
    latency.block(0.1, 0.01, [Final([word("a", 1.0, 1.91)])])
    assert latency.report() == (
        "look-ahead 65 ms\n"
        "21 blocks, 2.1 s: took 10.0 ms (median), 10.0 ms (95 %); real-time factor 0.110\n"
        "1 words, seen after their end: 200 ms (median), 200 ms (95 %)")

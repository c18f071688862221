"""The search of the package's model, which its development set tuned."""

from pathlib import Path

import pytest
from jiwer import wer

import asr

SPEECH = Path(__file__).parents[1] / "speech"
TEXTS = dict(line.split(maxsplit=1) for line in
             (SPEECH / "transcripts.txt").read_text(encoding="utf-8").lower().splitlines())


def error_rate(model):
    return wer(list(TEXTS.values()), [model.transcribe(SPEECH / f"{name}.opus").text
                                      for name in TEXTS])


@pytest.fixture(scope="module")
def found():
    return error_rate(asr.load_model())


def test_is_never_worse_than_greedy(found):
    assert found <= error_rate(asr.load_model(search="greedy"))


def test_the_language_model_helps(found):
    assert found < error_rate(asr.load_model(lm_weight=0, word_bonus=0))

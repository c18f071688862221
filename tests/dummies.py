"""Small stores that every stage after `features` can run on."""

import numpy as np

from asr.features.config import FeatureConfig
from asr.features.store import Entry, write_store
from asr.lm.ngram import SPECIAL, Level, NgramModel

WORDS = ["one", "two", "three", "four", "five", "six", "ten"]
FEATURES = FeatureConfig(mels=12)
_PATTERNS = {c: np.random.default_rng(ord(c)).normal(0, 2, 12)
             for c in "abcdefghijklmnopqrstuvwxyz "}


def speak(text, random):
    """Frames in which every character has a colour of its own."""
    rows = [_PATTERNS[c] for c in f" {text} " for _ in range(random.integers(6, 9))]
    return (np.array(rows) + random.normal(0, 0.5, (len(rows), 12))).astype(np.float16)


def write_speech(path, count, seed, texts=None, speeds=(1.0,)):
    """A store of `count` utterances of one to four words."""
    random = np.random.default_rng(seed)
    texts = texts or [" ".join(random.choice(WORDS, random.integers(1, 5))) for _ in range(count)]
    write_store(path, FEATURES, [
        (Entry(id=f"{seed}-{i}", text=text, speaker=f"s{i % 3}", speed=speed), speak(text, random))
        for i, text in enumerate(texts) for speed in speeds])
    return path


def unigrams(*words, log_prob=-2.0):
    """A model in which every word, <unk> and the end have the same log probability, or those given.
    """
    names = [*SPECIAL, *words]
    return NgramModel(names, [Level(
        np.zeros(len(names), np.int32), np.arange(len(names), dtype=np.int32),
        np.broadcast_to(np.float32(log_prob), len(names)), np.zeros(len(names), np.float32))])


TINY = ["seed=5", "model.layers=1", "model.units=24", "model.channels=4", "batch_seconds=6",
        "learning_rate=0.01", "spec_augment.time_width=0.1", "average.epochs=2"]
"""Overrides for `asr train` with which an epoch takes a fraction of a second."""

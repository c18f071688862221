import importlib.util
import random
import re
from pathlib import Path

import numpy as np
import pytest

from asr.audio import audio_info, read_audio
from asr.errors import AsrError
from asr.manifest import read_manifest
from asr.prepare import synthetic
from asr.prepare.synthetic import ACCENTS, GRAMMAR, SAMPLE_RATE, VARIANTS, Espeak, Voice
from asr.text.normalise import librispeech

PARTS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def espeak():
    return Espeak()


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(synthetic, "SENTENCES", {"train": 7, "dev": 2, "test": 3})
    monkeypatch.setattr(synthetic, "_SHARD", 5)


def corpus(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_grammar_is_closed_and_large_enough():
    alternatives = [text for texts in GRAMMAR.values() for text in texts]
    used = {symbol for text in alternatives for symbol in re.findall(r"{(.+?)}", text)}
    assert used | {"sentence"} == set(GRAMMAR)
    words = {word for text in alternatives for word in re.sub(r"{.+?}", " ", text).split()}
    assert len(words) >= 80
    assert all(librispeech(word) == word for word in words)


def test_sentences_differ_and_training_holds_every_word_of_the_rest():
    sentences = synthetic.draw_sentences(random.Random(3), sum(synthetic.SENTENCES.values()))
    assert len(set(sentences)) == len(sentences) == sum(synthetic.SENTENCES.values())
    assert not any("{" in sentence or "}" in sentence for sentence in sentences)
    train = {word for s in sentences[:synthetic.SENTENCES["train"]] for word in s.split()}
    assert {word for s in sentences for word in s.split()} <= train


@pytest.mark.parametrize("seed", range(5))
def test_no_vocal_tract_is_in_two_sets(seed):
    voices = synthetic.draw_voices(random.Random(seed))
    assert set(voices) == set(PARTS)
    variants = [{voice.variant for voice in voices[part]} for part in PARTS]
    assert sum(map(len, variants)) == len(set().union(*variants)) == len(VARIANTS)
    names = {voice.name for part in PARTS for voice in voices[part]}
    assert len(names) == sum(map(len, voices.values())) >= 60


def test_voices_are_in_the_wheel():
    # espeak-ng falls back to its default voice where a variant does not exist, without an error.
    data = Path(importlib.util.find_spec("espeakng_loader").origin).parent / "espeak-ng-data"
    assert set(VARIANTS) <= {path.name for path in (data / "voices" / "!v").iterdir()}
    assert set(ACCENTS) <= {path.name for path in (data / "lang" / "gmw").iterdir()}


def test_accent_variant_rate_and_pitch_are_heard(espeak):
    text = "turn off the lamp in the garden"
    plain = Voice("en", "m3", rate=150, pitch=50, range=50)
    samples = espeak(text, plain)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert 0.05 < np.abs(samples).max() <= 1.05  # resampling overshoots a little
    assert 1.0 < len(samples) / SAMPLE_RATE < 4.0
    for accent, variant, pitch in (("en-US-nyc", "m3", 50), ("en", "f2", 50), ("en", "m3", 80)):
        other = espeak(text, Voice(accent, variant, rate=150, pitch=pitch, range=50))
        assert _spectral_distance(samples, other) > 2 * _spectral_distance(
            samples, espeak(text, plain))
    fast = espeak(text, Voice("en", "m3", rate=200, pitch=50, range=50))
    assert len(fast) < 0.85 * len(samples)


def _spectral_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of the long-term spectra, in dB."""
    def spectrum(samples: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160] * np.hanning(400)
        return 10 * np.log10(1e-6 + (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0))
    return float(np.abs(spectrum(a) - spectrum(b)).mean())


@pytest.mark.slow
def test_corpus_is_whole_and_a_function_of_the_seed(tmp_path, small):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        synthetic.make_corpus(tmp_path / name, seed)
    assert corpus(tmp_path / "a") == corpus(tmp_path / "b")
    manifests = {part: read_manifest(tmp_path / "a" / f"{part}.jsonl") for part in PARTS}
    assert {part: len(m) for part, m in manifests.items()} == synthetic.SENTENCES
    utterances = [u for manifest in manifests.values() for u in manifest]
    assert len({u.text for u in utterances}) == len({u.id for u in utterances}) == len(utterances)
    for utterance in utterances:
        info = audio_info(Path(utterance.audio))
        assert (info.sample_rate, info.channels) == (SAMPLE_RATE, 1) == (utterance.sample_rate, 1)
        assert info.duration == utterance.duration
        assert np.abs(read_audio(Path(utterance.audio), SAMPLE_RATE)).max() > 0.02
    other = {u.text for u in read_manifest(tmp_path / "c" / "train.jsonl")}
    assert other != {u.text for u in manifests["train"]}


def test_missing_wheel_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AsrError, match=r"pip install 'asr\[synthetic\]'"):
        synthetic.make_corpus(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_unwritable_place_is_an_error(tmp_path, small):
    (tmp_path / "file").touch()
    with pytest.raises(AsrError, match="cannot write"):
        synthetic.make_corpus(tmp_path / "file")

"""Copies are functions of their names, keep length and scale, and their settings are checked."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.augment.config import AugmentConfig
from asr.augment.copies import Copier
from asr.augment.speed import change_speed
from asr.config import load_config
from asr.errors import AsrError
from asr.manifest import Utterance

RATE = 16_000
ROOM = {"reverberation": {"probability": 0.7}}
LOUDER = {"volume": {"probability": 1, "gain": (20, 20)}}


def noise(length, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    for i in range(8):
        soundfile.write(folder / f"{i}.wav", noise(8000, i), RATE)
    return [Utterance(id=f"u{i}", audio=str(folder / f"{i}.wav"), text="", speaker="s",
                      duration=0.5, sample_rate=RATE) for i in range(8)]


@pytest.fixture(scope="module")
def everything(people, tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    for i in range(3):
        soundfile.write(folder / f"{i}.wav", noise(20_000, 10 + i), RATE)
    parts = {name: {"probability": 0.8} for name in (
        "reverberation", "coloured_noise", "babble", "volume", "telephone")}
    return AugmentConfig(speeds=(0.9, 1, 1.1), copies=3, **parts,
                         noise={"probability": 0.8, "folder": folder})


def copies(config, id="u1", samples=None, people=()):
    samples = noise(4000) if samples is None else samples
    return list(Copier(config, people, RATE).copies(id, samples))


def same(a, b):
    return (a.speed, a.number) == (b.speed, b.number) and np.array_equal(a.samples, b.samples)


def test_plain_copies_come_first_and_are_left_alone(everything, people):
    samples = noise(4000)
    found = copies(everything, samples=samples, people=people)
    assert [copy.number for copy in found] == [0, 0, 0, 1, 2, 3]
    assert [copy.speed for copy in found[:3]] == [0.9, 1, 1.1]
    for copy in found[:3]:
        np.testing.assert_array_equal(copy.samples, change_speed(samples, copy.speed))
    for copy in found[3:]:
        assert copy.samples.shape == change_speed(samples, copy.speed).shape
        assert not np.array_equal(copy.samples, change_speed(samples, copy.speed))


def test_a_copy_is_a_function_of_seed_id_and_number(everything, people):
    first = copies(everything, people=people)
    copier = Copier(everything, people[::-1], RATE)
    list(copier.copies("u7", noise(500)))  # what came before does not matter
    assert all(map(same, first, copier.copies("u1", noise(4000))))
    more = copies(everything.model_copy(update={"copies": 5}), people=people)
    assert all(map(same, first, more[:len(first)]))
    for other in (copies(everything, id="u2", people=people),
                  copies(everything.model_copy(update={"seed": 1}), people=people)):
        assert not any(np.array_equal(a.samples, b.samples)
                       for a in first[3:] for b in (*other[3:], *first[3:]) if a is not b)


def test_a_part_more_changes_nothing_about_the_others():
    both = copies(AugmentConfig(copies=3, **ROOM, volume={"probability": 1, "gain": (-6, -6)}))
    for room, quiet in zip(copies(AugmentConfig(copies=3, **ROOM)), both, strict=True):
        gain = 1 if room.number == 0 else 10 ** (-6 / 20)
        np.testing.assert_allclose(quiet.samples, gain * room.samples, rtol=1e-6)


def test_each_speed_is_drawn_and_each_part_by_its_probability():
    config = AugmentConfig(speeds=(0.9, 1.0), copies=400, volume={"probability": 0.25})
    found = copies(config, samples=noise(64))
    plain = {copy.speed: copy.samples for copy in found[:2]}
    changed = [not np.array_equal(c.samples, plain[c.speed]) for c in found[2:]]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.07)
    assert np.mean([c.speed == 1 for c in found[2:]]) == pytest.approx(0.5, abs=0.08)


@pytest.fixture(scope="module")
def copier(everything, people):
    return Copier(everything, people, RATE)


@given(length=st.integers(1, 3000), level=st.sampled_from([0, 1e-3, 1]), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_any_utterance_stays_finite_and_within_full_scale(copier, length, level, seed):
    for copy in copier.copies(f"u{seed % 8}", np.float32(level) * noise(length, seed)):
        assert copy.samples.dtype == np.float32
        assert np.isfinite(copy.samples).all()
        if copy.number:
            assert np.abs(copy.samples).max(initial=0) <= 1
            assert level or np.array_equal(copy.samples, np.zeros(len(copy.samples)))


def test_what_would_clip_is_scaled_down():
    samples = 0.5 * noise(1000)
    _, loud = copies(AugmentConfig(copies=1, **LOUDER), samples=samples)
    np.testing.assert_allclose(loud.samples, samples / np.abs(samples).max(), rtol=1e-5)
    _, whisper = copies(AugmentConfig(copies=1, **LOUDER), samples=samples / 100)
    np.testing.assert_allclose(whisper.samples, samples / 10, rtol=1e-5)


@pytest.mark.parametrize(("text", "message"), [
    ("copies: 1\nbabble: {probability: 1, snr: [9, 3]}", "`babble.snr`: a range is [low"),
    ("copies: 1\nvolume: {probability: 1, gain: 3}", "`volume.gain`: input should be a val"),
    ("copies: 1\nreverberation: {probability: 1, rt60: [0, 1]}", "`reverberation.rt60.0`: input"),
    ("copies: 1\nreverberation: {probability: 1, rt60: [2, 1]}", "`reverberation.rt60`: a range"),
    ("copies: 1\ntelephone: {}", "`telephone.probability`: field required"),
    ("copies: 1\ntelephone: {probability: 1.5}", "`telephone.probability`: input should be less"),
    ("copies: 1\ncoloured_noise: {probability: 1, colours: [blue]}", "'white', 'pink' or 'brown'"),
    ("copies: 1\nnoise: {probability: 1}", "`noise.folder`: field required"),
    ("copies: 1\nvolumes: {probability: 1}", "did you mean `volume`?"),
    ("copies: 2", "copies=2, but parts that change them: none"),
    ("telephone: {probability: 1}", "copies=0, but parts that change them: telephone"),
    ("speeds: [9]", "`speeds.0`: input should be less than or equal to 4"),
    ("speeds: []", "`speeds`: tuple should have at least 1 item"),
])
def test_faults_in_the_settings_name_the_key(tmp_path, text, message):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(AsrError) as caught:
        load_config(AugmentConfig, tmp_path / "a.yaml")
    assert message in str(caught.value) and "a.yaml: " in str(caught.value)
    assert "\n" not in str(caught.value)

"""asr.prepare.nonspeech: sound in which nothing is said."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from asr.audio import read_audio
from asr.cli import asr
from asr.errors import AsrError
from asr.manifest import read_manifest
from asr.prepare.nonspeech import cut_recordings, prepare_nonspeech, synthetic_sounds


def test_stretches_cover_a_recording_and_overlap(tmp_path):
    (tmp_path / "inside").mkdir()
    for name, seconds in (("a", 30.0), ("inside/b", 3.0), ("short", 1.0)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(int(8000 * seconds)), 8000)
    (tmp_path / "README.txt").write_text("not audio")
    stretches = cut_recordings(tmp_path)
    assert {u.speaker for u in stretches} == {"a", "inside-b"}
    assert all(u.text == "" and u.sample_rate == 8000 for u in stretches)
    own = [u for u in stretches if u.speaker == "a"]
    assert len(own) > 5
    assert own[0].start == 0 and own[-1].start + own[-1].duration == pytest.approx(30, abs=2)
    for before, after in itertools.pairwise(own):
        assert before.start < after.start <= before.start + before.duration
    assert all(0 < u.duration <= 10 and u.start + u.duration <= 30 for u in own)
    assert cut_recordings(tmp_path) == stretches


def test_nothing_to_cut(tmp_path):
    with pytest.raises(AsrError, match="no audio in this folder"):
        cut_recordings(tmp_path)


def test_only_short_recordings(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    with pytest.raises(AsrError, match="no recording in it lasts 2 s"):
        cut_recordings(tmp_path)


@pytest.mark.parametrize("names", [("a-b.wav", "a/b.wav"), ("a.wav", "a.flac")])
def test_recordings_whose_ids_would_be_the_same(tmp_path, names):
    (tmp_path / "a").mkdir()
    for name in names:
        soundfile.write(tmp_path / name, np.zeros(24_000), 8000)
    with pytest.raises(AsrError, match="would both be called a"):
        cut_recordings(tmp_path)


def test_what_only_looks_like_a_recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(24_000), 8000)
    (tmp_path / "._a.wav").write_bytes(b"\0\5\x16\7")
    (tmp_path / "b.wav").mkdir()
    assert {u.speaker for u in cut_recordings(tmp_path)} == {"a"}


def test_a_name_that_no_manifest_can_hold(tmp_path):
    soundfile.write(bytes(tmp_path / "a") + b"\xff.wav", np.zeros(24_000), 8000)
    with pytest.raises(AsrError, match="is not UTF-8"):
        cut_recordings(tmp_path)


@pytest.mark.parametrize("manifest", ["noise.jsonl", "noise/a.jsonl", "inside.jsonl",
                                      "noise/../link.jsonl"])
def test_recordings_are_never_replaced(tmp_path, manifest):
    noise = tmp_path / ("inside/noise" if manifest == "inside.jsonl" else "noise")
    noise.mkdir(parents=True)
    (tmp_path / "link").symlink_to(noise)
    soundfile.write(noise / "a.flac", np.zeros(24_000), 8000)
    with pytest.raises(AsrError, match="in each other's way"):
        prepare_nonspeech(noise, tmp_path / manifest)
    assert [path.name for path in noise.iterdir()] == ["a.flac"]


def test_a_manifest_is_not_named_like_its_folder_of_sounds(tmp_path):
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "a.wav", np.zeros(80_000), 16_000)
    with pytest.raises(AsrError, match=r"name a manifest that ends in \.jsonl"):
        prepare_nonspeech(tmp_path / "noise", tmp_path / "nonspeech")
    assert [path.name for path in tmp_path.iterdir()] == ["noise"]


def test_the_command_writes_sounds_that_can_be_read(tmp_path):
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "a.wav", np.zeros(80000), 16000)
    manifest = tmp_path / "out" / "nonspeech.jsonl"
    result = CliRunner().invoke(asr, ["prepare", "nonspeech", str(tmp_path / "noise"),
                                      str(manifest)],
                                catch_exceptions=False)
    assert result.exit_code == 0
    utterances = read_manifest(manifest)
    assert len({u.id for u in utterances}) == len(utterances)
    kinds = {u.speaker for u in utterances}
    assert {"a", "synthetic-silence", "synthetic-tone", "synthetic-pink"} <= kinds
    levels = {}
    for u in utterances:
        samples = read_audio(Path(u.audio), 16000, u.start, u.duration)
        assert len(samples) / 16000 == pytest.approx(u.duration, abs=1e-3)
        levels.setdefault(u.speaker, []).append(np.abs(samples).max())
    assert max(levels["synthetic-silence"]) == 0
    for kind in kinds - {"a", "synthetic-silence"}:
        assert min(levels[kind]) > 0 and max(levels[kind]) <= 0.6 and len(set(levels[kind])) > 3


def test_tones_are_tones(tmp_path):
    """Nearly all power is at few frequencies; that of white noise is at half of them or more."""
    sounds = synthetic_sounds(tmp_path / "sounds")
    assert sounds == synthetic_sounds(tmp_path / "sounds")

    def share(kind):
        """Of the frequencies that have 95 % of the power."""
        shares = []
        for u in sounds:
            if u.speaker == f"synthetic-{kind}":
                power = np.abs(np.fft.rfft(soundfile.read(u.audio)[0])) ** 2
                cumulated = np.cumsum(np.sort(power)[::-1])
                shares.append(np.searchsorted(cumulated, 0.95 * cumulated[-1]) / len(power))
        return shares

    assert max(share("tone")) < 0.01
    assert min(share("white")) > 0.4

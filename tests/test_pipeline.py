"""All stages one after the other through the command line, on tones that stand for letters."""

import csv
import json
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from dummies import WORDS

RATE = 16_000
SETTINGS = ["epochs=30", "batch_seconds=8", "learning_rate=0.01", "model.layers=1",
            "model.units=48", "model.channels=8", "model.dropout=0", "seed=1",
            "spec_augment.time_masks_per_second=0", "spec_augment.frequency_masks=0"]


def asr(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "asr", *map(str, arguments)], text=True,
                          capture_output=True, timeout=300, **options)


def done(*arguments):
    result = asr(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(*arguments, **options):
    """Standard error of a command that must leave with one line and code 2."""
    result = asr(*arguments, **options)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def sing(text, random):
    """Every letter a tone of its own, 70 to 90 ms long, in a little noise."""
    parts = []
    for letter in f" {text} ":
        length = int(random.uniform(0.07, 0.09) * RATE)
        frequency = 300 + 220 * (ord(letter) - ord("a")) if letter != " " else 0
        parts.append(0.3 * np.sin(2 * np.pi * frequency * np.arange(length) / RATE))
    samples = np.concatenate(parts)
    return samples + 0.01 * random.standard_normal(len(samples))


def write_corpus(folder, name, count, seed):
    random = np.random.default_rng(seed)
    with (folder / f"{name}.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "audio", "text", "speaker"])
        for i in range(count):
            text = " ".join(random.choice(WORDS, random.integers(1, 5)))
            soundfile.write(folder / f"{name}{i}.flac", sing(text, random), RATE)
            rows.writerow([f"{name}{i}", f"{name}{i}.flac", text.upper(), f"s{i % 2}"])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder in which all stages have run."""
    folder = tmp_path_factory.mktemp("world")
    for name, count in (("train", 60), ("dev", 12)):
        write_corpus(folder, name, count, seed=count)
        done("prepare", "table", folder / f"{name}.csv", folder / f"{name}.jsonl")
        done("validate", folder / f"{name}.jsonl")
        done("features", folder / f"{name}.jsonl", folder / "features" / name, "mels=40")
    done("train", folder / "model", "--train", folder / "features/train",
         "--dev", folder / "features/dev", *SETTINGS)
    for search in ("greedy", "beam"):
        done("decode", folder / "model/bundle", folder / "features/dev",
             folder / f"{search}.jsonl", "--search", search)
    return folder


@pytest.mark.slow
def test_a_language_model_is_built_tuned_and_used(world, tmp_path):
    shutil.copytree(world / "model/bundle", tmp_path / "bundle")
    with (world / "train.csv").open() as file:
        lines = [row["text"] + "\n" for row in csv.DictReader(file)]
    (tmp_path / "text").write_text("".join(lines))
    done("lm", "text", tmp_path / "text", tmp_path / "sentences")
    done("lm", "build", tmp_path / "sentences", tmp_path / "words.lm", "--order", 2)
    done("decode", tmp_path / "bundle", world / "features/dev", tmp_path / "default.jsonl", "--lm",
         tmp_path / "words.lm")
    assert wer(world, tmp_path / "default") <= wer(world, "greedy")
    done("tune", "decode", tmp_path / "bundle", world / "features/dev", "--lm",
         tmp_path / "words.lm", "--trials", 2)
    assert (tmp_path / "tune" / "surface.png").exists()
    done("decode", tmp_path / "bundle", world / "features/dev", tmp_path / "dev.jsonl", "--nbest",
         2, "--set", "beam=20")
    assert wer(world, tmp_path / "dev") < 0.1
    said = refused("decode", tmp_path / "bundle", world / "features/dev", tmp_path / "x.jsonl",
                   "--search", "greedy", "--lm", tmp_path / "words.lm")
    assert "greedy search cannot use a language model" in said


def wer(world, search):
    return json.loads(done("score", world / "dev.jsonl", world / f"{search}.jsonl",
                           "--json"))["wer"]["rate"]


def test_it_recognises_what_was_sung(world):
    assert wer(world, "greedy") < 0.1
    assert wer(world, "beam") < 0.1


def test_transcribe_says_what_decode_said(world):
    """From the audio file and from the store: the same features, posteriors, and text."""
    hypotheses = [json.loads(line) for line in (world / "beam.jsonl").read_text().splitlines()]
    said = done("transcribe", "--model", world / "model/bundle",
                *(world / f"dev{i}.flac" for i in range(12))).splitlines()
    assert said == [f"{world}/dev{i}.flac: {h['text']}" for i, h in enumerate(hypotheses)]


def test_a_bundle_decodes_alike_wherever_it_lies(world, tmp_path):
    (world / "model/bundle").rename(tmp_path / "moved")
    try:
        done("decode", tmp_path / "moved", world / "features/dev", tmp_path / "out.jsonl")
    finally:
        (tmp_path / "moved").rename(world / "model/bundle")
    assert (tmp_path / "out.jsonl").read_text() == (world / "beam.jsonl").read_text()


def test_other_rates_and_channels_are_taken(world, tmp_path):
    samples, _ = soundfile.read(world / "dev0.flac")
    wide = np.repeat(samples, 6)  # 96 kHz, by repetition
    soundfile.write(tmp_path / "wide.wav", np.stack([wide] * 3, axis=1), 96_000)
    expected = done("transcribe", "--model", world / "model/bundle", world / "dev0.flac")
    assert done("transcribe", "--model", world / "model/bundle", tmp_path / "wide.wav") == expected


@pytest.mark.parametrize("level", [0, 1e-6, 2e-5])
def test_nothing_said_nothing_written(world, tmp_path, level):
    noise = level * np.random.default_rng(0).standard_normal(3 * RATE)
    soundfile.write(tmp_path / "silence.wav", noise, RATE)
    assert done("transcribe", "--model", world / "model/bundle", tmp_path / "silence.wav") == ""


def test_a_store_of_other_features_is_refused(world, tmp_path):
    done("features", world / "dev.jsonl", tmp_path / "other", "mels=20")
    said = refused("decode", world / "model/bundle", tmp_path / "other", tmp_path / "out.jsonl")
    assert "mels=20, not 40" in said
    assert not (tmp_path / "out.jsonl").exists()


def test_a_bundle_of_another_version_is_refused(world, tmp_path):
    (tmp_path / "bundle.json").write_text('{"format": 2, "asr_version": "9.9"}')
    assert "format 2, written by asr 9.9" in refused("decode", tmp_path, world / "features/dev",
                                                     tmp_path / "out.jsonl")


def test_broken_manifest_names_its_line(world, tmp_path):
    lines = (world / "dev.jsonl").read_text().splitlines()
    (tmp_path / "bad.jsonl").write_text("\n".join([*lines[:3], lines[3][:-4]]))
    said = refused("features", tmp_path / "bad.jsonl", tmp_path / "store")
    assert "bad.jsonl:4:" in said and said.count("\n") == 1
    assert not (tmp_path / "store").exists()


def test_unreadable_audio_names_the_utterance_and_leaves_nothing(world, tmp_path):
    (tmp_path / "x.jsonl").write_text((world / "dev.jsonl").read_text().replace(
        "dev5.flac", "gone.flac"))
    said = refused("features", tmp_path / "x.jsonl", tmp_path / "store")
    assert "utterance dev5" in said and "no such file" in said
    assert [p.name for p in tmp_path.iterdir()] == ["x.jsonl"]


def test_a_full_disk_is_one_line_and_leaves_nothing(world, tmp_path):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    said = refused("features", world / "dev.jsonl", tmp_path / "store", preexec_fn=small_disk)
    assert "cannot write" in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [
    ["decode", "model/bundle", "features/dev", "dev.csv/out.jsonl"],
    ["features", "dev.jsonl", "dev.csv/store"],
    ["score", "dev.jsonl", "beam.jsonl", "--output", "dev.csv/report"]])
def test_an_output_that_cannot_be_written(world, command):
    assert "cannot write" in refused(*command, cwd=world)


def test_help_needs_no_torch():
    code = ("import sys; from asr.cli import asr\n"
            "try: asr(['--help'])\n"
            "except SystemExit: pass\n"
            "assert not {'torch', 'librosa', 'numba', 'matplotlib'} & sys.modules.keys()")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

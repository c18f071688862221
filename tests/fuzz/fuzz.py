"""Damaged files of every kind through the code that reads them.

    python tests/fuzz/fuzz.py [KIND ...] [--first N] [--cases N] [--keep DIR]

Each case is a function of its kind and number: a good file, small and made here, is damaged and
read. Reading may succeed or end in an AsrError. Anything else is a find: another exception, a crash
of the process, more than 10 s, more than 1 GB of memory. Finds are listed, their files are kept in
DIR, and the exit code is 1.
"""

import argparse
import gzip
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

SECONDS = 10
MEMORY = 1 << 30  # bytes beyond what the process has when it starts

WORDS = ["one", "two", "three", "'tis"]


# Good files, by kind: a name for each and its content.

def audio(folder: Path) -> None:
    """Noise that swells, in the formats that people have."""
    import soundfile

    random = np.random.default_rng(0)
    sound = random.uniform(-1, 1, (4000, 2)) * np.linspace(0, 0.9, 4000)[:, None]
    for name, rate, subtype in [
            ("a.wav", 8000, "PCM_16"), ("b.wav", 44100, "PCM_24"), ("c.wav", 16000, "FLOAT"),
            ("d.wav", 8000, "ULAW"), ("e.flac", 16000, "PCM_16"), ("f.flac", 48000, "PCM_24"),
            ("g.ogg", 16000, "VORBIS"), ("i.mp3", 16000, "MPEG_LAYER_III")]:
        soundfile.write(folder / name, sound[:, :1 + ord(name[0]) % 2], rate, subtype)
    soundfile.write(folder / "h.opus", sound[:, 0], 16000, format="OGG", subtype="OPUS")
    soundfile.write(folder / "j.raw", sound[:, 0], 16000, format="RAW", subtype="PCM_16")


def configuration(folder: Path) -> None:
    """YAML files of settings."""
    (folder / "train.yaml").write_text(
        "epochs: 3\nmodel: {layers: 2, dropout: 0.1}\nrates: {head: 0.5}\nunits:\n  kind: bpe\n"
        "spec_augment:\n  frequency_width: 0.25\n# the end\n")
    (folder / "features.yaml").write_text("kind: mfcc\nmels: 40\ndeltas: 2\nhigh_freq: 7600\n")
    (folder / "augment.yaml").write_text(
        "copies: 1\nspeeds: [0.9, 1.1]\nvolume: {probability: 0.5, gain: [-6, 6]}\n")


def manifest(folder: Path) -> None:
    """Utterances and hypotheses, a JSON object a line."""
    from asr.manifest import Hypothesis, Utterance, Word, write_records

    write_records(folder / "utterances.jsonl", [Utterance(
        id=f"u{i}", audio="a.wav", text=" ".join(WORDS[:i]), speaker="s", start=0.5 * i,
        duration=1.5, sample_rate=16000, extra={"gender": "F"}) for i in range(4)])
    write_records(folder / "hypotheses.jsonl", [Hypothesis(
        id=f"u{i}", text="one", score=-1.5, words=[Word(
            text="one", start=0.0, end=0.5, confidence=0.9)]) for i in range(4)])


def bundle(folder: Path) -> None:
    """Models of both kinds of units."""
    import torch

    from asr.features.config import FeatureConfig
    from asr.model.bundle import BundleConfig, save_bundle
    from asr.model.config import ModelConfig
    from asr.model.network import Network, arrays
    from asr.text.phones import PhoneUnits
    from asr.text.units import CharacterUnits

    torch.manual_seed(0)
    for name, kind, units in [
            ("characters", "characters", CharacterUnits.from_texts(WORDS)),
            ("phones", "phones", PhoneUnits([("one", "W AH N"), ("two", "T UW")]))]:
        config = BundleConfig(
            features=FeatureConfig(mels=8), units=kind, normaliser="librispeech",
            model=ModelConfig(front_end="stack", layers=1, units=4), provenance={"seed": 1},
            weights="int8" if kind == "phones" else "float32")
        network = Network(config.model, 8, len(units))
        save_bundle(folder / name, config, units, arrays(network.state_dict()), None)


def language_model(folder: Path) -> None:
    """n-grams as ARPA, packed, and binary; an LSTM; a grapheme-to-phoneme model."""
    import torch

    from asr.lexicon.network import G2pConfig, G2pNetwork
    from asr.lexicon.pronouncer import Pronouncer
    from asr.lm.binary import save_lm
    from asr.lm.build import build
    from asr.lm.lstm import save_lstm
    from asr.lm.lstm_network import LstmConfig, LstmNetwork
    from asr.lm.vocabulary import Vocabulary, VocabularyConfig

    text = folder / "text.txt"
    text.write_text("one two three\ntwo three one\n'tis one\none two\n" * 3)
    model = build([text], 3, None, None, [0], 0.0)
    text.unlink()
    for name in ("a.arpa", "b.arpa.gz", "c.lm", "d.lm"):
        save_lm(folder / name, model, quantise=name == "d.lm")
    vocabulary = Vocabulary.from_counts(VocabularyConfig(kind="words", size=6),
                                        dict.fromkeys(WORDS, 3))
    small = LstmConfig(embedding=4, units=4)
    torch.manual_seed(0)
    network = LstmNetwork(small, len(vocabulary))
    save_lstm(folder / "e.safetensors", vocabulary, small, network.state_dict(), {})
    config = G2pConfig(embedding=2, layers=1, units=3)
    Pronouncer(["a", "b"], ["A", "B"], G2pNetwork(config, 2, 2)).save(folder / "f.g2p", {})


def store(folder: Path) -> None:
    """Features of a few utterances."""
    from asr.features.config import FeatureConfig
    from asr.features.store import Entry, write_store

    write_store(folder / "store", FeatureConfig(mels=4), [
        (Entry(id=f"u{i}", text="one two", speaker="s", speed=1.0),
         np.ones((5 + i, 4), np.float16)) for i in range(3)])


def checkpoint(folder: Path) -> None:
    """A training's state."""
    import torch

    from asr.train.checkpoint import save_checkpoint

    save_checkpoint(folder / "checkpoint.pt", {
        "config": {"seed": 0}, "network": {"w": torch.ones(4, 3)}, "epoch": 1,
        "optimisers": [{"state": {0: {"step": torch.tensor(1.0)}}}], "history": [{"loss": 0.5}]})


def transcripts(folder: Path) -> None:
    """What `asr score` reads."""
    (folder / "a.trn").write_text("one two (s-u1)\nthree (s-u2)\n(s-u3)\n")
    (folder / "b.ctm").write_text(";; comment\nrec 1 0.0 0.5 one 0.9\nrec 1 0.6 0.4 two\n")
    (folder / "c.stm").write_text(
        "rec 1 spk 0.0 2.0 <o,f0,male> one two\nrec 1 spk 2.0 3.5 three\n")
    (folder / "d.csv").write_text('id,text\nu1,"one, two"\nu2,three\n')
    (folder / "e.tsv").write_text("id\ttext\nu1\tone two\nu2\tthree\n")
    (folder / "f.txt").write_text("one two\nthree\n")
    (folder / "lexicon.dict").write_text("ONE W AH1 N\nTWO(2) T UW # a number\n")


# How each is read. The path is a file, or a folder of which one file is damaged.

def read_sound(path: Path) -> None:
    from asr.audio import audio_info, read_audio

    audio_info(path)
    read_audio(path, 16000)


def read_configuration(path: Path) -> None:
    from asr.augment.config import AugmentConfig
    from asr.config import load_config
    from asr.features.config import FeatureConfig
    from asr.train.config import TrainConfig

    load_config({"train": TrainConfig, "features": FeatureConfig, "augment": AugmentConfig}
                [path.stem], path)


def read_jsonl(path: Path) -> None:
    from asr.manifest import Hypothesis, read_manifest, read_records

    if path.stem == "utterances":
        read_manifest(path)
    else:
        read_records(path, Hypothesis)


def read_model(path: Path) -> None:
    from asr.model.bundle import load_bundle

    loaded = load_bundle(path)
    loaded.log_posteriors_of_audio([np.zeros(4000, np.float32)])
    loaded.units.decode(range(len(loaded.units)))


def read_language_model(path: Path) -> None:
    from asr.lexicon.pronouncer import Pronouncer
    from asr.lm.binary import load_lm
    from asr.lm.lstm import LstmModel

    if path.suffix == ".safetensors":
        LstmModel.load(path).score(["one two", ""])
    elif path.suffix == ".g2p":
        Pronouncer.load(path)(["abba"])
    else:
        load_lm(path).score(["one", "two", "four"])


def read_store(path: Path) -> None:
    from asr.features.store import Store

    opened = Store.open(path)
    for i in range(len(opened)):
        opened.frames(i).sum()


def read_checkpoint(path: Path) -> None:
    from asr.train.checkpoint import load_checkpoint

    load_checkpoint(path)


def read_transcripts(path: Path) -> None:
    from asr.lexicon.dictionary import read_dictionary
    from asr.score.read import Source, read_sides

    if path.suffix == ".dict":
        read_dictionary(path, str)
    else:
        source = Source(path, None, ("id", "text"))
        read_sides(source, [source])


KINDS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "audio": (audio, read_sound), "configuration": (configuration, read_configuration),
    "manifest": (manifest, read_jsonl), "bundle": (bundle, read_model),
    "language-model": (language_model, read_language_model), "store": (store, read_store),
    "checkpoint": (checkpoint, read_checkpoint),
    "transcripts": (transcripts, read_transcripts)}


# Damage.

_NUMBERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
_PHRASES = [b"nan", b"-1", b"1e999", b"inf", b"null", b"[]", b"{}", b"\\u0000", b"\x00",
            b"\xff\xfe", b"99999999999999999999", b"../../x", b"!!python/object:os.system",
            b"&a [*a]", b"\n\n", b"\t", b"\r", "é".encode(), b'"', b"'", b"}"]


def damage(data: bytes, random: np.random.Generator) -> bytes:
    """One to four changes, half of them near the beginning, where headers are."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 5)):
        reach = min(len(changed), 64) if random.random() < 0.5 else len(changed)
        place = int(random.integers(reach + 1))
        length = int(random.integers(1, 1 + 2 ** random.integers(0, 8)))
        match random.integers(8):
            case 0 if place < len(changed):
                changed[place] ^= 1 << random.integers(8)
            case 1:
                changed[place:place + length] = random.bytes(length)
            case 2:
                del changed[place:place + length]
            case 3:
                changed[place:place] = changed[place:place + length]
            case 4:
                del changed[place:]
            case 5:
                number = int(random.choice(_NUMBERS))
                order = "<>"[random.integers(2)]
                changed[place:place + 4] = struct.pack(order + "I", number)
            case 6:
                changed[place:place] = _PHRASES[random.integers(len(_PHRASES))]
            case _:
                other = int(random.integers(len(changed) + 1))
                changed[place:place + length] = changed[other:other + length]
    return bytes(changed)


def make_case(kind: str, number: int, good: Path, folder: Path) -> Path:
    """Write what case `number` reads; `good` holds the good files."""
    from asr.randomness import generator

    random = generator("fuzz", kind, number)
    originals = sorted(good.iterdir())
    original = originals[random.integers(len(originals))]
    target = folder / original.name
    if original.is_dir():
        shutil.copytree(original, target, dirs_exist_ok=True)
        files = sorted(target.iterdir())
        damaged = files[random.integers(len(files))]
    else:
        damaged = target
        shutil.copyfile(original, target)
    data = damaged.read_bytes()
    if damaged.suffix == ".gz" and random.random() < 0.5:  # behind the checksum
        damaged.write_bytes(gzip.compress(damage(gzip.decompress(data), random)))
    else:
        damaged.write_bytes(damage(data, random))
    return target


# Workers: a process that reads, and one that looks after it.

def work(kinds: list[str], first: int, cases: int, good: Path, folder: Path) -> None:
    """Say on stdout which case comes, and what was found in it."""
    from asr.errors import AsrError

    for kind in kinds:
        for path in good.joinpath(kind).iterdir():  # loads what has to be loaded before the limits
            KINDS[kind][1](path)
    used = int(next(line for line in Path("/proc/self/status").read_text().splitlines()
                    if line.startswith("VmData")).split()[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, used + MEMORY))
    for number in range(first, first + cases):
        kind = kinds[number % len(kinds)]
        print("case", number, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = make_case(kind, number, good / kind, folder)
        signal.alarm(SECONDS)  # ends the process
        try:
            KINDS[kind][1](path)
        except AsrError as error:
            if "\n" in str(error):
                print("find", f"more than one line: {error!r}", flush=True)
        except Exception as error:
            print("find", repr(error).replace("\n", " "), flush=True)
        signal.alarm(0)


def fuzz(kinds: list[str], first: int, cases: int, keep: Path) -> list[str]:
    """Run cases in processes of their own; returns the finds, whose files are in `keep`."""
    finds: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        good = Path(temporary) / "good"
        for kind in kinds:
            (good / kind).mkdir(parents=True)
            KINDS[kind][0](good / kind)
        number, end = first, first + cases
        while number < end:
            worker = subprocess.Popen(
                [sys.executable, __file__, *kinds, "--first", str(number), "--cases",
                 str(end - number), "--work", temporary], stdout=subprocess.PIPE, text=True,
                stderr=subprocess.DEVNULL)
            assert worker.stdout is not None
            started = False
            for line in worker.stdout:
                started = True
                word, rest = line.rstrip("\n").split(" ", 1)
                if word == "find":
                    finds[number] = rest
                else:
                    number = int(rest)
            if worker.wait():
                if not started:
                    raise SystemExit("the good files cannot be read")
                finds[number] = f"the process ended with {worker.returncode}"
            number += 1
        for number in finds:
            (keep / str(number)).mkdir(parents=True, exist_ok=True)
            kind = kinds[number % len(kinds)]
            make_case(kind, number, good / kind, keep / str(number))
    return [f"{kinds[number % len(kinds)]} {number}: {find}" for number, find in finds.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"), metavar="DIR")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    kinds = options.kinds or list(KINDS)
    if options.work:
        work(kinds, options.first, options.cases, options.work / "good", options.work / "case")
        return
    finds = fuzz(kinds, options.first, options.cases, options.keep)
    print("\n".join([*finds, f"{len(finds)} finds in {options.cases} cases"]))
    sys.exit(bool(finds))


if __name__ == "__main__":
    main()

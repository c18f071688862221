"""A spoken corpus out of nothing: sentences of a small grammar in the voices of espeak-ng.

It is there to see the whole pipeline work within minutes and without a download. Synthetic speech
is far easier than people: a word error rate on it says nothing about real recordings.

espeak-ng (GPL-3.0) comes as a library with its voices in the wheel `espeakng-loader`, an optional
extra that is only called at run time.
"""

import ctypes
import importlib.util
import io
import itertools
import multiprocessing
import random
import re
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from asr.errors import AsrError
from asr.files import atomic_folder
from asr.manifest import Utterance, write_records

SAMPLE_RATE = 16_000
SENTENCES = {"train": 3000, "dev": 150, "test": 400}
HELD_OUT_VARIANTS = {"dev": 8, "test": 12}  # the rest is for training
ACCENTS_PER_VARIANT = 4
_SHARD = 640  # utterances that one process speaks

ACCENTS = ("en", "en-029", "en-GB-scotland", "en-GB-x-gbclan", "en-GB-x-gbcwmd", "en-GB-x-rp",
           "en-US", "en-US-nyc")
# Vocal tracts. Of variants with the same formants only one is here, so that none is heard in
# training under another name; whispers, robots, effects and drawls are left out.
VARIANTS = (
    "Alex", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Jacky", "Lee", "Mario",
    "Michael", "Mike", "Nguyen", "Reed", "adam", "anika", "announcer", "antonio", "aunty",
    "belinda", "benjamin", "boris", "david", "ed", "edward", "f1", "f2", "f3", "f4", "grandma",
    "gustave", "ian", "iven", "john", "kaukovalta", "klatt", "linda", "m1", "m2", "m3", "m4", "m5",
    "marcelo", "max", "mike2", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert",
    "sandro", "shelby", "steph", "travis", "victor", "zac",
)

# Every {symbol} stands for one of its alternatives, each equally likely.
GRAMMAR: dict[str, Sequence[str]] = {
    "sentence": ["{command}", "{question}", "{statement}"],
    "command": [
        "turn {switch} the {device} in the {room}",
        "set the {device} in the {room} to {below hundred} {unit}",
        "{play} the {which} {record}",
        "please {open} the {opening} in the {room}",
        "{call} {name} on {weekday} at {time}",
        "wake me up at {time} in the morning",
        "remind me to {call} {name} on {date}",
        "set a timer for {below hundred} {period}",
        "add {number} to {number}",
        "dial {digits}",
    ],
    "question": [
        "what is {number} {times} {number}",
        "how far is it from {place} to {place}",
        "what will the weather be on {weekday} in {place}",
        "is the {opening} in the {room} open",
        "did {name} {call} {name} at {time}",
    ],
    "statement": [
        "the train to {place} leaves at {time}",
        "{name} was born on {date} {year}",
        "today is {weekday} {date}",
        "my number is {digits}",
        "the answer is {number}",
        "{name} paid {number} for the {device}",
    ],
    "switch": ["on", "off"],
    "device": ["light", "lamp", "radio", "heating", "oven", "fan", "television", "kettle"],
    "room": ["kitchen", "bedroom", "bathroom", "garden", "office", "hall"],
    "unit": ["percent", "degrees"],
    "play": ["play", "stop", "pause", "repeat", "skip"],
    "which": ["next", "last", "first", "second", "third", "previous"],
    "record": ["song", "track", "album", "video"],
    "open": ["open", "close", "lock"],
    "opening": ["window", "door", "gate", "curtain"],
    "call": ["call", "visit", "write to", "answer"],
    "name": ["anna", "robert", "mary", "george", "susan", "peter", "doctor smith", "mister brown"],
    "place": ["london", "boston", "glasgow", "oxford", "berlin", "paris"],
    "period": ["seconds", "minutes", "hours"],
    "times": ["plus", "minus", "times", "divided by"],
    "time": [
        "{hour} o'clock", "half past {hour}", "a quarter to {hour}", "{hour} {minutes}",
        "{teen} minutes past {hour}",
    ],
    "hour": ["{digit}", "ten", "eleven", "twelve"],
    "minutes": ["fifteen", "twenty", "thirty", "forty", "fifty"],
    "date": ["the {day} of {month}", "{month} the {day}"],
    "day": ["{ordinal}", "twenty {ordinal}", "{later ordinal}"],
    "ordinal": ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
                "ninth"],
    "later ordinal": ["tenth", "eleventh", "twelfth", "thirteenth", "twentieth", "thirtieth"],
    "year": ["nineteen {tens} {digit}", "two thousand and {digit}", "twenty {teen}"],
    "weekday": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    "month": ["january", "february", "march", "april", "may", "june", "july", "august",
              "september", "october", "november", "december"],
    "number": ["{below hundred}", "{digit} hundred", "{digit} hundred and {below hundred}",
               "{below hundred} thousand"],
    "below hundred": ["{digit}", "{teen}", "{tens}", "{tens} {digit}"],
    "digits": ["{digit} {digit} {digit} zero", "{digit} {digit} {digit} {digit} {digit}"],
    "digit": ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "teen": ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
             "eighteen", "nineteen"],
    "tens": ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"],
}


@dataclass(frozen=True)
class Voice:
    """A speaker: an accent and a vocal tract of espeak-ng, with a pace and a pitch of its own."""

    accent: str
    variant: str
    rate: int
    """Words a minute."""
    pitch: int
    """0 to 99, around the variant's own pitch at 50."""
    range: int
    """Liveliness of the intonation, 0 to 99."""

    @property
    def name(self) -> str:
        """Speaker id, which is how espeak-ng calls an accent with a variant."""
        return f"{self.accent}+{self.variant}"


def make_corpus(out_dir: Path, seed: int = 0) -> None:
    """Write `out_dir`/{train,dev,test}.jsonl and the audio they name (FLAC, 16 kHz, mono).

    No vocal tract and no sentence is in two of the sets. The same seed gives the same samples.

    Raises
    ------
    AsrError
        espeak-ng's wheel is not installed or does not work, or `out_dir` cannot be written.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise AsrError("synthetic speech needs the voices of espeak-ng; install them with "
                       "`pip install 'asr[synthetic]'`")
    voices = draw_voices(random.Random(f"{seed} voices"))  # noqa: S311
    texts = iter(draw_sentences(random.Random(f"{seed} sentences"),  # noqa: S311
                                sum(SENTENCES.values())))
    lines = [_Line(part, f"{voice.name}-{number:04d}", voice, next(texts))
             for part, size in SENTENCES.items()
             for number, voice in zip(range(size), itertools.cycle(voices[part]), strict=False)]
    audio = out_dir / "audio" / "synthetic"
    with atomic_folder(audio, ("*+*",)) as folder:
        durations = _speak_all(lines, folder)
    for part in SENTENCES:
        write_records(out_dir / f"{part}.jsonl", (
            Utterance(id=line.id, audio=f"audio/synthetic/{line.file}", text=line.text,
                      speaker=line.voice.name, duration=duration, sample_rate=SAMPLE_RATE,
                      extra={"accent": line.voice.accent, "variant": line.voice.variant})
            for line, duration in zip(lines, durations, strict=True) if line.part == part))


def draw_voices(rng: random.Random) -> dict[str, list[Voice]]:
    """Voices for train, dev and test; no variant is in two of them."""
    variants = rng.sample(VARIANTS, len(VARIANTS))
    parts = {part: [variants.pop() for _ in range(n)] for part, n in HELD_OUT_VARIANTS.items()}
    parts["train"] = variants
    return {part: [Voice(accent, variant, rate=rng.randint(110, 180), pitch=rng.randint(25, 75),
                         range=rng.randint(30, 70))
                   for variant in part_variants
                   for accent in rng.sample(ACCENTS, ACCENTS_PER_VARIANT)]
            for part, part_variants in parts.items()}


def draw_sentences(rng: random.Random, count: int) -> list[str]:
    """`count` different sentences of the grammar, in random order."""
    sentences: dict[str, None] = {}
    while len(sentences) < count:
        sentences[_expand(rng, "{sentence}")] = None
    return list(sentences)


def _expand(rng: random.Random, text: str) -> str:
    return re.sub(r"{(.+?)}", lambda symbol: _expand(rng, rng.choice(GRAMMAR[symbol[1]])), text)


@dataclass(frozen=True)
class _Line:
    """One thing to say."""

    part: str
    id: str
    voice: Voice
    text: str

    @property
    def file(self) -> str:
        return f"{self.voice.name}/{self.id}.flac"


def _speak_all(lines: Sequence[_Line], folder: Path) -> list[float]:
    """Write every line's audio below `folder`; return the durations in seconds.

    espeak-ng keeps the phase of its voice from one utterance to the next, and nothing resets it.
    So fixed shards are spoken by a fresh process each: the samples then depend on the seed alone.
    """
    shards = [lines[i:i + _SHARD] for i in range(0, len(lines), _SHARD)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn, signal.signal, (signal.SIGINT, signal.SIG_DFL),
                             max_tasks_per_child=1) as pool:  # Ctrl-C ends a process silently
        return list(itertools.chain(*pool.map(_speak_shard, shards, itertools.repeat(folder))))


def _speak_shard(lines: Sequence[_Line], folder: Path) -> list[float]:
    speak = Espeak()
    durations = []
    for line in lines:
        samples = speak(line.text, line.voice)
        flac = io.BytesIO()
        soundfile.write(flac, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        path = folder / line.file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(flac.getvalue())
        durations.append(len(samples) / SAMPLE_RATE)
    return durations


class Espeak:
    """espeak-ng's library behind ctypes. Its state is global: one object a process."""

    # Constants of espeak-ng's speak_lib.h.
    _SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1
    _RATE, _PITCH, _RANGE = 1, 3, 4
    _CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int,
                                 ctypes.c_void_p)

    def __init__(self) -> None:
        import espeakng_loader

        data = espeakng_loader.get_data_path()
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise AsrError(f"espeak-ng's library does not load ({error}); reinstall "
                           "espeakng-loader") from None
        self._rate = self._library.espeak_Initialize(self._SYNCHRONOUS, 0, data.encode(),
                                                     self._DONT_EXIT)
        if self._rate <= 0:
            raise AsrError(f"espeak-ng cannot read its voices in {data}; reinstall "
                           "espeakng-loader, in a place with a path below 160 characters")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # else breath is seeded by the clock
        self._blocks: list[np.ndarray] = []
        self._callback = self._CALLBACK(self._collect)  # kept: the library holds no reference
        self._library.espeak_SetSynthCallback(self._callback)

    def __call__(self, text: str, voice: Voice) -> np.ndarray:
        """Say `text`: float32 samples at `SAMPLE_RATE`, shape = (samples,)."""
        library = self._library
        self._blocks.clear()
        if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise AsrError(f"this espeak-ng has no voice {voice.name}; reinstall espeakng-loader")
        for parameter, value in ((self._RATE, voice.rate), (self._PITCH, voice.pitch),
                                 (self._RANGE, voice.range)):
            library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode() + b"\0"
        library.espeak_Synth(encoded, len(encoded), 0, 1, 0, self._UTF8, None, None)
        samples = np.concatenate(self._blocks).astype(np.float32) / 32768
        return soxr.resample(samples, self._rate, SAMPLE_RATE)

    def _collect(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

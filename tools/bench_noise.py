#!/usr/bin/env python
"""Measure what noise becomes where nothing is said, and what it does to speech beside it.

    python tools/bench_noise.py MANIFEST NOISE_DIR [--model BUNDLE] [--utterances 120]
                                [--seconds 3 6] [--alone 3 600] [--level -34]

Sounds: digital silence, white and pink noise, a tone of 440 Hz, and each recording in NOISE_DIR
over and over, all but silence at --level dB of full scale. For each sound the words that are found
in --alone seconds of it, and the word error rate of utterances, evenly spread over MANIFEST, ten in
a recording with --seconds of the sound before, between and behind them; first of each utterance
alone. By the bundle's own search; points without intervals.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from spoken import error_rate, parser, spread

import asr
from asr.audio import audio_below, read_audio
from asr.augment.noise import coloured_noise
from asr.randomness import generator
from asr.text.normalise import normaliser
from asr.transcribe.recognise import End
from asr.transcribe.recogniser import Recogniser
from asr.transcribe.transcribe import transcribe_recordings

Sound = Callable[[int], np.ndarray]  # the next samples of it


def sounds(noise: Path, rate: int, level: float) -> dict[str, Sound]:
    random = generator("noise", "sounds")

    def recorded(path: Path) -> Sound:
        samples, place = read_audio(path, rate), 0

        def following(count: int) -> np.ndarray:
            nonlocal place
            place += count
            return samples[np.arange(place - count, place) % len(samples)]
        return following

    def levelled(sound: Sound) -> Sound:
        def following(count: int) -> np.ndarray:
            samples = sound(count)
            return samples * 10 ** (level / 20) / np.sqrt(np.mean(np.square(samples)))
        return following

    return {"digital silence": np.zeros} | {name: levelled(sound) for name, sound in {
        "white noise": lambda count: coloured_noise("white", count, rate, random),
        "pink noise": lambda count: coloured_noise("pink", count, rate, random),
        "tone": lambda count: np.sin(2 * np.pi * 440 / rate * np.arange(count)),
        **{path.stem: recorded(path) for path in audio_below(noise)}}.items()}


def transcribe(model: Recogniser, recordings: Iterable[Iterable[np.ndarray]]) -> Iterator[str]:
    words: list[str] = []
    for event in transcribe_recordings(model.bundle, recordings, model.search):
        if isinstance(event, End):
            yield " ".join(words)
            words = []
        else:
            words += event.text.split()


def main() -> None:
    arguments = parser(__doc__, 120)
    arguments.add_argument("--seconds", type=float, nargs="+", default=[3, 6])
    arguments.add_argument("--alone", type=float, nargs="+", default=[3, 600])
    arguments.add_argument("--level", type=float, default=-34)
    options = arguments.parse_args()
    model = asr.load_model(options.model)
    rate = model.bundle.sample_rate
    normalise = normaliser(model.bundle.config.normaliser)
    spoken = [(normalise(u.text), voice)
              for u, voice in spread(options.manifest, options.utterances, rate)]

    def measured(references: list[str], recordings: list[list[np.ndarray]]) -> str:
        found = transcribe(model, recordings)
        wrong, words = error_rate((str(i), *pair) for i, pair
                                  in enumerate(zip(references, found, strict=True)))
        return f"{wrong:5.2f} % of {words}"

    print(f"{'utterances alone':20} "
          + measured([text for text, _ in spoken], [[voice] for _, voice in spoken]), flush=True)
    for name, sound in sounds(options.noise, rate, options.level).items():
        def piece(seconds: float, sound: Sound = sound) -> np.ndarray:
            return sound(round(seconds * rate)).astype(np.float32)

        for seconds in options.alone:
            said = list(transcribe(model, [[piece(seconds)]]))
            print(f"{name:20} {seconds:g} s alone: {said[0] or '-'}", flush=True)
        for seconds in options.seconds:
            waiting = iter(spoken)
            references, recordings = [], []
            while ten := list(islice(waiting, 10)):
                references.append(" ".join(text for text, _ in ten))
                recordings.append([part for _, voice in ten for part in (piece(seconds), voice)]
                                  + [piece(seconds)])
            print(f"{name:20} {seconds:g} s around speech: {measured(references, recordings)}",
                  flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""Measure what noise, rooms and lines do to a model's word error rate.

    python tools/bench_robustness.py MANIFEST NOISE_DIR [--model BUNDLE] [--utterances 100]

The same utterances, evenly spread over MANIFEST, as they are and altered in each way, by the parts
of asr/augment and seeded by name; recognised whole, by the bundle's own search, on one thread.
NOISE_DIR holds recordings of noise (SNRs are over the whole utterance). Points without intervals.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from spoken import error_rate, parser, spread

import asr
from asr.audio import audio_below, read_audio
from asr.augment.noise import add_noise, coloured_noise
from asr.augment.part import Background, Scene
from asr.augment.reverberation import ReverberationConfig
from asr.augment.telephone import TelephoneConfig
from asr.decode.hypotheses import decode_posteriors
from asr.randomness import generator
from asr.text.normalise import normaliser

Alter = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def alterations(voices: list[np.ndarray], noise: Path, rate: int) -> dict[str, Alter]:
    scene = Scene("", rate, Background([], rate))

    def coloured(colour: str, snr: float) -> Alter:
        return lambda x, random: add_noise(x, coloured_noise(colour, len(x), rate, random), snr)

    def recorded(path: Path) -> Alter:
        samples = read_audio(path, rate)
        return lambda x, random: add_noise(
            x, np.resize(np.roll(samples, -random.integers(len(samples))), len(x)), 10)

    def babble(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return add_noise(x, np.sum([np.resize(voices[i], len(x)) for i in random.integers(
            len(voices), size=5)], axis=0, dtype=np.float32), 10)

    def room(rt60: float) -> Alter:
        part = ReverberationConfig(probability=1, rt60=(rt60, rt60))
        return lambda x, random: part.apply(x, scene, random)

    line = TelephoneConfig(probability=1)
    return {
        "as they are": lambda x, random: x,
        "white noise, 20 dB": coloured("white", 20), "white noise, 10 dB": coloured("white", 10),
        "pink noise, 10 dB": coloured("pink", 10),
        **{f"{path.stem}, 10 dB": recorded(path) for path in audio_below(noise)},
        "five other voices, 10 dB": babble,
        "reverberation, 0.3 s": room(0.3), "reverberation, 0.6 s": room(0.6),
        "telephone": lambda x, random: line.apply(x, scene, random)}


def main() -> None:
    options = parser(__doc__, 100).parse_args()
    torch.set_num_threads(1)
    model = asr.load_model(options.model)
    bundle = model.bundle
    normalise = normaliser(bundle.config.normaliser)
    spoken = spread(options.manifest, options.utterances, bundle.sample_rate)
    voices = [voice for _, voice in spoken]
    for name, alter in alterations(voices, options.noise, bundle.sample_rate).items():
        posteriors = (bundle.log_posteriors_of_audio(
            [alter(x, generator("robustness", name, u.id)).astype(np.float32)])[0]
            for u, x in spoken)
        found = decode_posteriors([u.id for u, _ in spoken], posteriors, bundle.units,
                                  bundle.frame_shift, model.search, 1)
        wrong, words = error_rate((u.id, normalise(u.text), h.text)
                                  for (u, _), h in zip(spoken, found, strict=True))
        print(f"{name:28} {wrong:5.1f} % of {words} words", flush=True)


if __name__ == "__main__":
    main()

"""Find what is wrong with a manifest and its audio before training does."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asr.audio import audio_info, read_audio
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.files import read_lines
from asr.manifest import Utterance, parse_record
from asr.parallel import cores, ordered_map
from asr.progress import track
from asr.text.normalise import normaliser as find_normaliser
from asr.text.units import CharacterUnits, frames_needed

_TOLERANCE = 0.01  # seconds (a frame) that a manifest may be short of its file


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with one utterance."""

    line: int
    id: str
    """Empty where the line is no utterance."""
    kind: str
    """record, duplicate, audio, duration, sample-rate, text or too-long."""
    reason: str


def validate_manifest(path: Path, units: CharacterUnits | None = None, frame_shift: float = 0.03,
                      normaliser: str = "librispeech", decode: bool = True,
                      nonspeech: bool = False) -> list[Fault]:
    """Check every utterance, to the last line.

    Parameters
    ----------
    units : CharacterUnits
        What texts may consist of; by default letters, apostrophes and spaces.
    frame_shift : float
        Seconds between two output frames of the network, a multiple of the features' 0.01 s.
    normaliser : str
        Texts must be as it leaves them.
    decode : bool
        Decode all audio, in parallel. Headers alone, which are faster to read, do not show every
        file that is cut off, nor samples that are not finite.
    nonspeech : bool
        Whether an utterance may be without text, see `asr.train.config.TrainConfig.nonspeech`.

    Returns
    -------
    list of Fault
        In the order of the lines. Durations are held against the file: an utterance must not
        pass its end, and one that starts at 0 and shares its file with no other must reach it.

    Raises
    ------
    AsrError
        There is no such file, no line of it is an utterance, or `frame_shift` is no number.
    """
    if not math.isfinite(frame_shift):
        raise AsrError(f"a frame shift of {frame_shift} s; expected a number of seconds, such as "
                       "0.03")
    normalise = find_normaliser(normaliser)
    utterances, faults = _read(path)
    users = Counter(audio for audio, _ in {(u.audio, u.id) for _, u in utterances})

    def check(numbered: tuple[int, Utterance]) -> list[Fault]:
        line, utterance = numbered
        silent = nonspeech and not utterance.text
        found = [*(() if silent else _text_faults(utterance.text, units, normalise)),
                 *_length_faults(utterance, frame_shift),
                 *_audio_faults(utterance, path.parent / utterance.audio,
                                users[utterance.audio] > 1, decode)]
        return [Fault(line, utterance.id, kind, reason) for kind, reason in found]

    checked = track(ordered_map(check, utterances, cores()), "checking", len(utterances))
    faults.extend(fault for found in checked for fault in found)
    return sorted(faults, key=lambda fault: fault.line)


def _read(path: Path) -> tuple[list[tuple[int, Utterance]], list[Fault]]:
    """Utterances with their lines, and the faults of lines and ids."""
    utterances: list[tuple[int, Utterance]] = []
    faults: list[Fault] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            utterance = parse_record(line, Utterance)
        except AsrError as error:
            faults.append(Fault(number, "", "record", str(error)))
            continue
        first = lines.setdefault(utterance.id, number)
        if first != number:
            faults.append(Fault(number, utterance.id, "duplicate",
                                f"the id was already on line {first}"))
        utterances.append((number, utterance))
    if not utterances:
        raise AsrError(f"{path}: no utterances in it"
                       + (f" (line {faults[0].line}: {faults[0].reason})" if faults else ""))
    return utterances, faults


Found = Iterator[tuple[str, str]]  # kind and reason


def _text_faults(text: str, units: CharacterUnits | None, normalise: Callable[[str], str]) -> Found:
    if units is None:
        odd = {c for c in text if not (c.isalpha() or c in "' ")}
    else:
        odd = set(text) - set(units.spellable(text))
    if not text.strip():
        yield "text", "the text is empty"
    elif odd:
        yield "text", f"the text holds {', '.join(map(repr, sorted(odd)))}"
    elif normalise(text) != text:
        yield "text", f"the text is not normalised: it should be {normalise(text)!r}"


def _length_faults(utterance: Utterance, frame_shift: float) -> Found:
    """CTC cannot emit a text that needs more frames than the network puts out."""
    config = FeatureConfig()
    frames = math.ceil(config.frames(round(utterance.duration * config.sample_rate))
                       / round(frame_shift / config.frame_shift))
    needed = frames_needed([ord(character) for character in utterance.text])
    if needed > frames:
        yield "too-long", f"the text needs {needed} frames, the audio gives {frames}"


def _audio_faults(utterance: Utterance, audio: Path, shared: bool, decode: bool) -> Found:
    try:
        info = audio_info(audio)
    except AsrError as error:
        yield "audio", str(error)
        return
    rate = info.sample_rate
    if rate != utterance.sample_rate:
        yield "sample-rate", f"{utterance.sample_rate} Hz here, but {rate} Hz in {audio}"
    end = utterance.start + utterance.duration
    too_long = round(end * rate) > info.frames
    if too_long:
        yield "duration", f"ends at {end:.3f} s here, but {audio} at {info.duration:.3f} s"
    elif not shared and utterance.start == 0 and end < info.duration - _TOLERANCE:
        yield "duration", f"lasts {end:.3f} s here, but {audio} {info.duration:.3f} s"
    if decode:
        try:
            read_audio(audio, rate, utterance.start, None if too_long else utterance.duration)
        except AsrError as error:
            yield "audio", str(error)

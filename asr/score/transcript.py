"""What scoring knows of an utterance, whatever file it came from."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from asr.errors import AsrError

NO_EXTRA: Mapping[str, str] = {}
"""The `extra` of transcripts that have none: one for all, as there may be millions of them."""


class Transcript(NamedTuple):
    """What one side says: a reference, or what a recogniser made of it."""

    text: str
    speaker: str | None = None
    audio: str | None = None
    """Path of the audio file, absolute or from the current folder."""
    start: float = 0.0
    """Where the utterance starts in the file, in seconds."""
    duration: float | None = None
    """Length in seconds."""
    extra: Mapping[str, str] = NO_EXTRA
    """Whatever else the file says, by its name there; reports can group by it."""
    confidences: tuple[float, ...] = ()
    """Of each word of `text` as the recogniser gave it; empty where it gave none."""


Side = dict[str, Transcript]
"""Transcripts by utterance id, in the file's order."""


def by_id(path: Path, rows: Iterable[tuple[int, str, Transcript]]) -> Side:
    """Gather rows of line number, id and transcript; an id that occurs twice is an `AsrError`."""
    side: Side = {}
    lines: dict[str, int] = {}
    for number, utterance, transcript in rows:
        if utterance in lines:
            raise AsrError(f"{path}:{number}: id {utterance!r} was already on line "
                           f"{lines[utterance]}; ids must be unique")
        lines[utterance] = number
        side[utterance] = transcript
    return side

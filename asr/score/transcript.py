"""What scoring knows of an utterance, whatever file it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Transcript:
    """What one side says: a reference, or what a recogniser made of it."""

    text: str
    speaker: str | None = None
    audio: str | None = None
    """Path of the audio file, absolute or from the current folder."""
    start: float = 0.0
    """Where the utterance starts in the file, in seconds."""
    duration: float | None = None
    """Length in seconds."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Whatever else the file says, by its name there; reports can group by it."""
    confidences: tuple[float, ...] = ()
    """Of each word of `text` as the recogniser gave it; empty where it gave none."""


Side = dict[str, Transcript]
"""Transcripts by utterance id, in the file's order."""

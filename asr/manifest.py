"""Utterances and hypotheses: one JSON object a line, the only truth between stages."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asr.errors import AsrError
from asr.files import atomic_write, file_name, read_lines

_LONGEST = 1e9  # seconds: thirty years


class Record(BaseModel):
    """Base of the line types: immutable; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str = Field(min_length=1)


class Utterance(Record):
    """A stretch of audio and what was said in it."""

    audio: str
    """Path of the audio file; a relative one counts from the manifest's folder."""
    text: str
    speaker: str
    start: float = Field(default=0.0, ge=0, le=_LONGEST)
    """Where the utterance starts in the file, in seconds."""
    duration: float = Field(gt=0, le=_LONGEST)
    """Length in seconds."""
    sample_rate: int = Field(gt=0)
    """The file's own rate in Hz."""
    extra: dict[str, str] = {}
    """Whatever else the corpus says (gender, age, chapter …); reports can group by it."""


class Word(BaseModel):
    """A recognised word with its place in the audio."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    text: str
    start: float
    """Seconds from the start of the utterance (or of the file, in a transcript)."""
    end: float
    confidence: float
    """Between 0 and 1."""


class Alternative(BaseModel):
    """One entry of an N-best list."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    text: str
    score: float
    """Natural log of the total score by which the list is sorted: acoustic and `lm`."""
    lm: float = 0.0
    """The language model's share of it, weights, bonuses and penalties included."""


class Hypothesis(Record):
    """What a recogniser made of one utterance."""

    text: str
    score: float | None = None
    """Natural log of the best alternative's score; None where the recogniser gives none."""
    confidence: float | None = None
    words: list[Word] = []
    nbest: list[Alternative] = []


R = TypeVar("R", bound=Record)


def parse_record(line: str, kind: type[R]) -> R:
    """Read one line of JSONL; an `AsrError` says what is wrong with it."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AsrError(f"`{where}`: {first['msg'].lower()}" if where
                       else f"not a JSON object ({first['msg']})") from None


def read_records(path: Path, kind: type[R]) -> list[R]:
    """Read a JSONL file of `kind`.

    Raises
    ------
    AsrError
        The file is missing, a line is no such record, or an id occurs twice; the message names
        file and line.
    """
    records: list[R] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = parse_record(line, kind)
        except AsrError as error:
            raise AsrError(f"{path}:{number}: {error}") from None
        if record.id in lines:
            raise AsrError(f"{path}:{number}: id {record.id!r} was already on line "
                           f"{lines[record.id]}; ids must be unique")
        lines[record.id] = number
        records.append(record)
    return records


def read_manifest(path: Path) -> list[Utterance]:
    """Read utterances; relative audio paths become paths from the manifest's folder.

    An empty manifest is an `AsrError`, since no stage can do anything with it.
    """
    utterances = read_records(path, Utterance)
    if not utterances:
        raise AsrError(f"{path}: no utterances in it")
    return [u if Path(u.audio).is_absolute()
            else u.model_copy(update={"audio": str(path.parent / u.audio)}) for u in utterances]


def audio_path(path: Path) -> str:
    """The absolute path, as the `audio` of an utterance.

    Raises
    ------
    AsrError
        It is not valid Unicode, which JSON cannot hold.
    """
    absolute = str(path.absolute())
    if file_name(absolute) != absolute:
        raise AsrError(f"{file_name(absolute)}: a name in this path is not UTF-8, as manifests "
                       "are; rename the file or folder")
    return absolute


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write one record a line; fields at their default are left out."""
    with atomic_write(path) as file:
        for record in records:
            file.write(record.model_dump_json(exclude_defaults=True) + "\n")

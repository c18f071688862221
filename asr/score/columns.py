"""Transcripts from tables (CSV, TSV) and JSONL: columns or keys, some known by their name."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from sys import intern
from typing import Any

from asr.errors import AsrError
from asr.files import read_lines, read_text
from asr.score.transcript import Side, Transcript
from asr.score.trn import NO_EXTRA, by_id

_FIELDS = ("speaker", "audio", "start", "duration")
# What a recogniser says of a whole utterance, and of the audio: nothing to group by.
_SKIPPED = ("score", "nbest", "confidence", "sample_rate")
_DECODER = json.JSONDecoder()


def read_table(path: Path, delimiter: str, columns: tuple[str, str] = ("id", "text")) -> Side:
    """Read a table whose first line names its columns; fields may be quoted.

    Parameters
    ----------
    delimiter : str
        What parts fields: a comma or a tab.
    columns : pair of str
        Which columns, by the first line, are id and text. Besides, `speaker`, `audio` (from the
        file's folder if relative), `start` and `duration` are what they say, and all others go
        into `extra` where they are not empty.

    Raises
    ------
    AsrError
        The file is missing or damaged, lacks a column, or a value is no id or number; file and
        line are named.
    """
    reader = csv.reader(io.StringIO(read_text(path)), delimiter=delimiter, strict=True)
    return by_id(path, _table_rows(path, reader, columns))


def _table_rows(path: Path, reader: Any, columns: tuple[str, str]
                ) -> Iterator[tuple[int, str, Transcript]]:
    line = 1
    try:
        header = [intern(name.strip()) for name in next(reader, [])]
        for name in columns:
            if header.count(name) != 1:
                raise AsrError(f"{path}: no column {name!r}, or several, among those of its first "
                               f"line: {', '.join(header)}; name the columns of id and text")
        line = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(header):
                raise AsrError(f"{path}:{line}: {len(row)} fields, but the first line names "
                               f"{len(header)}; quote fields that hold what parts them")
            if row:
                record = {name: value for name, value in zip(header, row, strict=True) if value}
                record.setdefault(columns[1], "")
                yield line, *_transcript(path, line, record, columns)
            line = reader.line_num + 1
    except csv.Error as error:
        raise AsrError(f"{path}:{line}: {error}; is the quoting right?") from None


def read_jsonl(path: Path, columns: tuple[str, str] = ("id", "text")) -> Side:
    """Read a JSON object a line: manifests, hypotheses and files of others.

    Parameters
    ----------
    columns : pair of str
        The keys of id and text. Besides, `speaker`, `audio` (from the file's folder if relative),
        `start` and `duration` are what they say; `words`, a list of objects, gives confidences
        where each has a `confidence`; the pairs in `extra` and all other keys with a string,
        number or truth value go into `extra`.

    Raises
    ------
    AsrError
        The file is missing, a line is no such object, or an id occurs twice; file, line and
        field are named.
    """
    return by_id(path, _json_rows(path, columns))


def _json_rows(path: Path, columns: tuple[str, str]) -> Iterator[tuple[int, str, Transcript]]:
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = _DECODER.decode(line)
            if "\\ud" in line.lower():  # half a character could be read, but never be written
                json.dumps(record, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise AsrError(f"{path}:{number}: not JSON ({error})") from None
        if not isinstance(record, dict):
            raise AsrError(f"{path}:{number}: not a JSON object: {line[:60]}")
        confidences = _confidences(path, number, record.pop("words", None))
        extra = record.pop("extra", None) or {}
        if not isinstance(extra, dict):
            raise _wrong(path, number, "extra", extra, "an object")
        for key, value in extra.items():
            if isinstance(value, dict | list):
                raise _wrong(path, number, f"extra.{key}", value, "a string")
        yield number, *_transcript(path, number, record, columns, extra, confidences)


def _transcript(path: Path, line: int, record: dict[str, Any], columns: tuple[str, str],
                extra: Mapping[str, Any] = NO_EXTRA, confidences: tuple[float, ...] = ()
                ) -> tuple[str, Transcript]:
    """Id and transcript of a table's row or a JSON object, which is used up."""
    utterance = _name(path, line, columns[0], record.pop(columns[0], None))
    if not utterance:
        raise AsrError(f"{path}:{line}: `{columns[0]}` is missing or empty")
    text = record.pop(columns[1], None)
    if not isinstance(text, str):
        raise _wrong(path, line, columns[1], text, "a string")
    speaker, audio, start, duration = [record.pop(field, None) for field in _FIELDS]
    if audio is not None and not isinstance(audio, str):
        raise _wrong(path, line, "audio", audio, "a string")
    for field in _SKIPPED:
        record.pop(field, None)
    rest = {intern(key): _as_text(value) for key, value in (record | extra).items()
            if key and value is not None and not isinstance(value, dict | list)}
    return utterance, Transcript(
        text, _name(path, line, "speaker", speaker) or None,
        str(path.parent / audio) if audio else None,
        _seconds(path, line, "start", start) or 0.0, _seconds(path, line, "duration", duration),
        rest or NO_EXTRA, confidences)


def _confidences(path: Path, line: int, words: Any) -> tuple[float, ...]:
    if not isinstance(words, list | None) or not all(isinstance(word, dict) for word in words or ()):
        raise _wrong(path, line, "words", words, "a list of objects")
    values = [word.get("confidence") for word in words or ()]
    return () if None in values else tuple(
        _number(path, line, "words.confidence", value) for value in values)


def _name(path: Path, line: int, field: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong(path, line, field, value, "a string")
    return str(value)


def _seconds(path: Path, line: int, field: str, value: Any) -> float | None:
    if value is None:
        return None
    seconds = _number(path, line, field, value)
    if seconds < 0:
        raise _wrong(path, line, field, value, "a number of seconds")
    return seconds


def _number(path: Path, line: int, field: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise _wrong(path, line, field, value, "a number")
    return number


def _as_text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _wrong(path: Path, line: int, field: str, value: Any, expected: str) -> AsrError:
    return AsrError(f"{path}:{line}: `{field}` is {json.dumps(value)[:60]}, not {expected}")

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
from asr.score.transcript import NO_EXTRA, Side, Transcript, by_id

_Row = tuple[int, str, Transcript]
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
    return by_id(path, _Rows(path, columns).of_table(reader))


def read_jsonl(path: Path, columns: tuple[str, str] = ("id", "text")) -> Side:
    """Read a JSON object a line: manifests, hypotheses and files of others.

    Parameters
    ----------
    columns : pair of str
        The keys of id and text. Besides, `speaker`, `audio` (from the file's folder if relative),
        `start` and `duration` are what they say; `words`, a list of objects, gives confidences
        where each has a `confidence` from 0 to 1; the pairs in `extra`, an object, and all other
        keys go into `extra`. Objects and lists elsewhere are of others, and passed over.

    Raises
    ------
    AsrError
        The file is missing, a line is no such object, or an id occurs twice; file, line and
        field are named.
    """
    return by_id(path, _Rows(path, columns).of_jsonl())


class _Rows:
    """Makes rows of line number, id and transcript of a file's records."""

    def __init__(self, path: Path, columns: tuple[str, str]) -> None:
        self.path = path
        self.id, self.text = columns
        self.folder = "" if path.parent == Path() else f"{path.parent}/"

    def of_table(self, reader: Any) -> Iterator[_Row]:
        line = 1
        try:
            header = [intern(name.strip()) for name in next(reader, [])]
            for name in (self.id, self.text):
                if header.count(name) != 1:
                    raise AsrError(f"{self.path}: no column {name!r}, or several, among those of "
                                   f"its first line ({', '.join(map(repr, header))}); name the "
                                   "columns of id and text")
            line = reader.line_num + 1
            for row in reader:
                if row and len(row) != len(header):
                    raise AsrError(f"{self.path}:{line}: {len(row)} fields, but the first line "
                                   f"names {len(header)}; quote fields that hold what parts them")
                if row:
                    record = {name: cell for name, cell in zip(header, row, strict=True) if cell}
                    record.setdefault(self.text, "")
                    yield self._row(line, record)
                line = reader.line_num + 1
        except csv.Error as error:
            raise AsrError(f"{self.path}:{line}: {error}; is the quoting right?") from None

    def of_jsonl(self) -> Iterator[_Row]:
        for line, content in enumerate(read_lines(self.path), start=1):
            if not content.strip():
                continue
            try:
                record = _DECODER.decode(content)
                if "\\ud" in content.lower():  # half a character: read, but never to be written
                    json.dumps(record, ensure_ascii=False).encode()
            except (ValueError, RecursionError) as error:
                raise AsrError(f"{self.path}:{line}: not JSON ({error})") from None
            if not isinstance(record, dict):
                raise AsrError(f"{self.path}:{line}: not a JSON object: {content[:60]}")
            extra = record.pop("extra") if isinstance(record.get("extra"), dict) else NO_EXTRA
            yield self._row(line, record, extra, _confidences(record.get("words")))

    def _row(self, line: int, record: dict[str, Any], extra: Mapping[str, Any] = NO_EXTRA,
             confidences: tuple[float, ...] = ()) -> _Row:
        def take(field: str) -> Any:  # what is left is extra
            value = record.pop(field, None)
            return None if isinstance(value, dict | list) else value  # those are of others

        utterance = self._name(line, self.id, record.pop(self.id, None))
        if not utterance:
            raise AsrError(f"{self.path}:{line}: `{self.id}` is missing or empty")
        text = record.pop(self.text, None)
        if not isinstance(text, str):
            raise self._wrong(line, self.text, text, "a string")
        speaker = self._name(line, "speaker", take("speaker"))
        audio = take("audio")
        if audio is not None and not isinstance(audio, str):
            raise self._wrong(line, "audio", audio, "a string")
        if audio and not audio.startswith("/"):
            audio = self.folder + audio
        start = self._seconds(line, "start", take("start"))
        duration = self._seconds(line, "duration", take("duration"))
        for field in _SKIPPED:
            take(field)
        record.update(extra)
        rest = {intern(key): value if isinstance(value, str) else _as_text(value)
                for key, value in record.items()
                if key and value is not None and not isinstance(value, dict | list)}
        return line, utterance, Transcript(
            text, speaker or None, audio or None, start or 0.0, duration, rest or NO_EXTRA,
            confidences)

    def _name(self, line: int, field: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(line, field, value, "a string")
        return str(value)

    def _seconds(self, line: int, field: str, value: Any) -> float | None:
        if value is None:
            return None
        seconds = self._number(line, field, value)
        if seconds < 0:
            raise self._wrong(line, field, value, "a number of seconds")
        return seconds

    def _number(self, line: int, field: str, value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (ValueError, TypeError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise self._wrong(line, field, value, "a number")
        return number

    def _wrong(self, line: int, field: str, value: Any, expected: str) -> AsrError:
        return AsrError(f"{self.path}:{line}: `{field}` is {json.dumps(value)[:60]}, not "
                        f"{expected}")


def _confidences(words: Any) -> tuple[float, ...]:
    """Those of our words; none where one is missing, or on another scale."""
    if not isinstance(words, list):
        return ()
    values = [word.get("confidence") if isinstance(word, dict) else None for word in words]
    found = [float(value) for value in values
             if isinstance(value, int | float) and 0 <= value <= 1]
    return tuple(found) if len(found) == len(values) else ()


def _as_text(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

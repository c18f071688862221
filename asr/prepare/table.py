"""One's own recordings: a CSV or TSV file with columns `audio` and `text`."""

import csv
import io
import math
from pathlib import Path

from asr.errors import AsrError
from asr.files import read_text
from asr.manifest import Utterance
from asr.prepare.corpus import Entry, complete

_FIELDS = ("audio", "text", "id", "speaker", "start", "duration")


def prepare_table(table: Path, normaliser: str = "librispeech",
                  skip_unreadable: bool = False) -> list[Utterance]:
    """Utterances of a table whose first line names its columns.

    Parameters
    ----------
    table : Path
        Parted by tabs if its name ends in `.tsv`, else by commas; fields may be quoted.
        Columns: `audio` (path, from the table's folder if relative) and `text`; if given, `id`
        (else the name of the audio file), `speaker` (else the id), `start` and `duration` in
        seconds (else the whole file). All others go into `extra`.
    normaliser, skip_unreadable
        See `complete`.

    Raises
    ------
    AsrError
        A column is missing, a row is broken, or as `complete`.
    """
    delimiter = "\t" if table.suffix == ".tsv" else ","
    reader = csv.DictReader(io.StringIO(read_text(table)), delimiter=delimiter, strict=True)
    entries = []
    try:
        for column in ("audio", "text"):
            if column not in (reader.fieldnames or ()):
                raise AsrError(f"{table}: no column `{column}` in its first line")
        for row in reader:
            entries.append(_entry(table, reader.line_num, row))
    except csv.Error as error:
        raise AsrError(f"{table}:{reader.reader.line_num}: {error}") from None
    return complete(entries, normaliser, skip_unreadable)


def _entry(table: Path, line: int, row: dict[str, str]) -> Entry:
    if None in row or None in row.values():
        raise AsrError(f"{table}:{line}: not as many fields as the header has")
    if not row["audio"]:
        raise AsrError(f"{table}:{line}: `audio` is empty")
    audio = table.parent / row["audio"]
    id_ = row.get("id") or audio.stem
    return Entry(id_, audio, row["text"], row.get("speaker") or id_,
                 _seconds(table, line, row, "start") or 0.0,
                 _seconds(table, line, row, "duration"),
                 {key: value for key, value in row.items() if key not in _FIELDS and value})


def _seconds(table: Path, line: int, row: dict[str, str], column: str) -> float | None:
    if not row.get(column):
        return None
    try:
        seconds = float(row[column])
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf or (column == "duration" and seconds == 0):
        raise AsrError(f"{table}:{line}: `{column}` is {row[column]!r}, not a number of seconds")
    return seconds

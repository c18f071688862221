"""Reading references and hypotheses, each from whatever kind of file it comes in."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from asr.errors import AsrError
from asr.files import read_lines
from asr.score.columns import read_jsonl, read_table
from asr.score.timed import parse_stm, read_ctm, read_ctm_by_time, read_stm, stm_side
from asr.score.transcript import Side, Transcript, by_id
from asr.score.trn import read_trn

FORMATS = ("jsonl", "trn", "kaldi", "ctm", "stm", "csv", "tsv", "lines")

_BY_SUFFIX = {".jsonl": "jsonl", ".trn": "trn", ".text": "kaldi", ".ctm": "ctm", ".stm": "stm",
              ".csv": "csv", ".tsv": "tsv", ".txt": "lines"}


class Source(NamedTuple):
    """A file of references or hypotheses, and how to read it."""

    path: Path
    format: str | None = None
    """One of `FORMATS`; None goes by the file's name."""
    columns: tuple[str, str] = ("id", "text")
    """Names of the columns, or keys, of id and text; for a format that has none, the default."""


def read_sides(reference: Source, hypotheses: Sequence[Source]) -> tuple[Side, list[Side]]:
    """Read a reference and what is to be scored against it; kinds of files may differ.

    The words of a .ctm file against a .stm file are shared out among its segments by time.

    Raises
    ------
    AsrError
        A file is missing or damaged, its format cannot be told or has no columns to name, or only
        one of two is without ids (`lines`), or both are with different numbers of lines.
    """
    kind = _format(reference)
    kinds = [_format(hypothesis) for hypothesis in hypotheses]
    for hypothesis, other in zip(hypotheses, kinds, strict=True):
        if (kind == "lines") != (other == "lines"):
            raise AsrError(f"{reference.path} is read as {kind} and {hypothesis.path} as {other}: "
                           "`lines` have no ids, so both must be line by line or neither")
    if kind == "stm" and "ctm" in kinds:
        segments = parse_stm(reference.path)
        side = stm_side(reference.path, segments)
        return side, [read_ctm_by_time(hypothesis.path, segments, reference.path)
                      if other == "ctm" else _read(hypothesis, other)
                      for hypothesis, other in zip(hypotheses, kinds, strict=True)]
    side = _read(reference, kind)
    sides = [_read(hypothesis, other) for hypothesis, other in zip(hypotheses, kinds, strict=True)]
    if kind == "lines":
        for hypothesis, found in zip(hypotheses, sides, strict=True):
            if len(found) != len(side):
                raise AsrError(f"{hypothesis.path} has {len(found)} lines and {reference.path} "
                               f"{len(side)}; line by line they must have the same number")
    return side, sides


def _format(source: Source) -> str:
    if source.format is not None:
        found: str | None = source.format
    elif source.path.name == "text":
        found = "kaldi"
    else:
        found = _BY_SUFFIX.get(source.path.suffix.lower())
    if found not in FORMATS:
        what = "its name does not tell the format" if found is None else f"no format {found!r}"
        raise AsrError(f"{source.path}: {what}; name one of {', '.join(FORMATS)} with "
                       "--ref-format or --hyp-format")
    if found in _WITHOUT_COLUMNS and source.columns != Source._field_defaults["columns"]:
        raise AsrError(f"{source.path}: {found} has no columns that could be named "
                       f"({','.join(source.columns)}); leave --ref-columns or --hyp-columns out")
    return found


def _read(source: Source, kind: str) -> Side:
    if kind == "jsonl":
        return read_jsonl(source.path, source.columns)
    if kind in ("csv", "tsv"):
        return read_table(source.path, "\t" if kind == "tsv" else ",", source.columns)
    return _WITHOUT_COLUMNS[kind](source.path)


def _read_kaldi(path: Path) -> Side:
    """Read Kaldi's `text`: `id word word ...`, an id alone for an empty text."""
    return by_id(path, _kaldi_rows(path))


def _kaldi_rows(path: Path) -> Iterator[tuple[int, str, Transcript]]:
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split(maxsplit=1)
        if fields:
            yield number, fields[0], Transcript(
                fields[1].rstrip() if len(fields) > 1 else "")


def _read_by_line(path: Path) -> Side:
    """Read a text a line; the ids are the lines' numbers, from 1."""
    return {str(number): Transcript(line.strip())
            for number, line in enumerate(read_lines(path), start=1)}


_WITHOUT_COLUMNS: dict[str, Callable[[Path], Side]] = {
    "trn": read_trn, "kaldi": _read_kaldi, "ctm": read_ctm, "stm": read_stm,
    "lines": _read_by_line}

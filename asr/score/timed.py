"""NIST's formats with times: CTM, a word a line, and STM, a segment a line."""

import math
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from sys import intern
from typing import NamedTuple

import numpy as np

from asr.errors import AsrError
from asr.files import read_lines
from asr.score.transcript import NO_EXTRA, Side, Transcript, by_id
from asr.score.trn import refuse_alternations

_IGNORED = "ignore_time_segment_in_scoring"


class _Word(NamedTuple):
    text: str
    start: float
    duration: float
    confidence: float | None


class Segment(NamedTuple):
    """A line of an STM file."""

    line: int
    id: str
    file: str
    channel: str
    start: float
    end: float
    ignored: bool
    """Whether nothing that is said in it counts."""
    transcript: Transcript


def parse_stm(path: Path) -> list[Segment]:
    """Read an STM file: `file channel speaker start end [<labels>] text`, in the file's order.

    Raises
    ------
    AsrError
        The file is missing, a line lacks fields, its times are no numbers or out of order, or it
        holds alternations; file and line are named.
    """
    segments = []
    labelled: dict[str, dict[str, str]] = {}  # few kinds of labels, many segments
    for number, line in _lines(path):
        fields = line.split(maxsplit=5)
        if len(fields) < 5:
            raise AsrError(f"{path}:{number}: expected `file channel speaker start end text`, "
                           f"found {line[:60]!r}")
        file, channel, speaker, start, end = fields[:5]
        text = fields[5] if len(fields) > 5 else ""
        extra = NO_EXTRA
        if text.startswith("<"):
            label, *rest = text.split(maxsplit=1)
            text = rest[0] if rest else ""
            extra = labelled.setdefault(label, {"labels": label.strip("<>")})
        refuse_alternations(path, number, text)
        begins, ends = _number(path, number, "start", start), _number(path, number, "end", end)
        if ends < begins:
            raise AsrError(f"{path}:{number}: ends at {end}, before its start at {start}")
        segments.append(Segment(
            number, f"{file}-{channel}-{start}-{end}", intern(file), intern(channel), begins, ends,
            _IGNORED in text.lower(),
            Transcript(text, intern(speaker), None, begins, ends - begins, extra)))
    return segments


def stm_side(path: Path, segments: Iterable[Segment]) -> Side:
    """What counts of the segments of `path`, by `file-channel-start-end` as they stand there.

    Raises
    ------
    AsrError
        Two segments have the same id.
    """
    return by_id(path, ((segment.line, segment.id, segment.transcript)
                        for segment in segments if not segment.ignored))


def read_stm(path: Path) -> Side:
    """Read an STM file; see `parse_stm` and `stm_side`."""
    return stm_side(path, parse_stm(path))


def read_ctm(path: Path) -> Side:
    """Read a CTM file: the words of each recording in order of their start.

    Raises
    ------
    AsrError
        The file is missing, a recording has two channels, or a line lacks fields, its numbers are
        none, its confidence is no probability or it holds alternations; file and line are named.
    """
    side: Side = {}
    for (file, channel), words in _parse_ctm(path).items():
        if file in side:
            raise AsrError(f"{path}: {file!r} has more than one channel (also {channel!r}); give "
                           "each a file name of its own, or score against an .stm file")
        side[file] = _transcript(words)
    return side


def read_ctm_by_time(path: Path, segments: Sequence[Segment], reference: Path) -> Side:
    """Read a CTM file and share its words out among segments of `reference`, as sclite does.

    In each channel a segment takes every word, not yet taken, whose middle is before the segment's
    end; the last one takes all that are left. What falls to an ignored segment is left out.

    Raises
    ------
    AsrError
        A channel is not in the reference, or as `read_ctm`.
    """
    words = _parse_ctm(path)
    channels: dict[tuple[str, str], list[Segment]] = {}
    for segment in segments:
        channels.setdefault((segment.file, segment.channel), []).append(segment)
    for file, channel in words:
        if (file, channel) not in channels:
            raise AsrError(f"{path}: file {file!r} channel {channel!r} is not in {reference}; "
                           "both must call their files and channels the same")
    found: Side = {}
    for key, members in channels.items():
        found.update(_share_out(words.get(key, []), members))
    return {segment.id: found[segment.id] for segment in segments if not segment.ignored}


def _share_out(words: list[_Word], segments: list[Segment]) -> Iterator[tuple[str, Transcript]]:
    segments = sorted(segments, key=attrgetter("start"))
    first = 0
    for segment in segments:
        # sclite keeps the end in single precision, which decides when a middle is just there.
        end = float(np.float32(segment.end)) if segment is not segments[-1] else math.inf
        last = first
        while last < len(words) and words[last].start + words[last].duration / 2 < end:
            last += 1
        if not segment.ignored:
            yield segment.id, _transcript(words[first:last])
        first = last


def _parse_ctm(path: Path) -> dict[tuple[str, str], list[_Word]]:
    """Words by file and channel, in order of their start; those at the same time as they stand."""
    words: dict[tuple[str, str], list[_Word]] = {}
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) < 5:
            raise AsrError(f"{path}:{number}: expected `file channel start duration word`, found "
                           f"{line[:60]!r}")
        file, channel, start, length, text = fields[:5]
        if text.upper() == "<ALT_BEGIN>":
            raise AsrError(f"{path}:{number}: alternations ({text}) are not supported; write one "
                           "of them")
        duration = _number(path, number, "duration", length)
        if duration < 0:
            raise AsrError(f"{path}:{number}: duration is {length}, less than 0")
        confidence = (None if len(fields) == 5 or fields[5] == "NA"
                      else _number(path, number, "confidence", fields[5]))
        if confidence is not None and not 0 <= confidence <= 1:
            raise AsrError(f"{path}:{number}: confidence is {fields[5]}, not between 0 and 1; "
                           "write NA where there is none")
        words.setdefault((intern(file), channel), []).append(
            _Word(intern(text), _number(path, number, "start", start), duration, confidence))
    for members in words.values():
        members.sort(key=attrgetter("start"))
    return words


def _transcript(words: Sequence[_Word]) -> Transcript:
    confidences = tuple(word.confidence for word in words if word.confidence is not None)
    return Transcript(" ".join(word.text for word in words),
                      confidences=confidences if len(confidences) == len(words) else ())


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, content in enumerate(read_lines(path), start=1):
        line = content.strip()
        if line and not line.startswith(";;"):
            yield number, line


def _number(path: Path, line: int, field: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise AsrError(f"{path}:{line}: {field} is {value!r}, not a number")
    return number

"""Transcripts as text, JSON, subtitles, tables: a function for each format."""

import html
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asr.errors import AsrError
from asr.manifest import Word
from asr.transcribe.cues import cues
from asr.transcribe.textgrid import textgrid as tiers_in_textgrid
from asr.transcribe.transcribe import Transcript


def text(transcript: Transcript) -> str:
    """The words alone, a line for each segment with any."""
    return "".join(segment.text + "\n" for segment in transcript.segments if segment.text)


def json_line(transcript: Transcript) -> str:
    """One JSON object in one line, so that several files make JSON lines; times in seconds."""
    return json.dumps({
        "schema": "asr.transcript", "version": 1,
        "file": transcript.file,
        "duration": round(transcript.duration, 3),
        "text": transcript.text,
        "words": [_json_word(word) for word in transcript.words],
        "segments": [
            {"start": round(segment.start, 3), "end": round(segment.end, 3), "text": segment.text,
             "confidence": segment.confidence and round(segment.confidence, 4),
             "nbest": [alternative.model_dump() for alternative in segment.nbest]}
            for segment in transcript.segments],
    }, ensure_ascii=False) + "\n"


def _json_word(word: Word) -> dict[str, Any]:
    return {"text": word.text, "start": round(word.start, 3), "end": round(word.end, 3),
            "confidence": round(word.confidence, 4)}


def srt(transcript: Transcript) -> str:
    """SubRip subtitles."""
    return "\n".join("\n".join([str(number), f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}",
                                *cue.lines, ""])
                     for number, cue in enumerate(cues(transcript.words), start=1))


def vtt(transcript: Transcript) -> str:
    """WebVTT subtitles (W3C)."""
    return "WEBVTT\n" + "".join(
        "\n".join(["", f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}",
                   *(html.escape(line, quote=False) for line in cue.lines), ""])
        for cue in cues(transcript.words))


def ctm(transcript: Transcript) -> str:
    """NIST's CTM, see `ctm_lines`; a file is named without folder and suffix."""
    return ctm_lines(transcript.name, transcript.words)


def ctm_lines(name: str, words: Iterable[Word]) -> str:
    """File, channel, start, duration, word, confidence; times in seconds."""
    file = ctm_name(name)
    lines = []
    for word in words:
        start, end = round(1000 * word.start), round(1000 * word.end)
        lines.append(f"{file} 1 {start / 1000:.3f} {(end - start) / 1000:.3f} {word.text} "
                     f"{word.confidence:.4f}\n")
    return "".join(lines)


def ctm_name(name: str) -> str:
    """What a recording is called in CTM, in which white space parts columns."""
    return "_".join(name.split())


def tsv(transcript: Transcript) -> str:
    """Whisper's table: start and end of each segment with words, in milliseconds, and its text."""
    rows = [f"{round(1000 * segment.start)}\t{round(1000 * segment.end)}\t{segment.text}\n"
            for segment in transcript.segments if segment.text]
    return "".join(["start\tend\ttext\n", *rows])


def textgrid(transcript: Transcript) -> str:
    """Praat's, with a tier of segments and one of words."""
    return tiers_in_textgrid(transcript.duration, {
        "segments": [(s.start, s.end, s.text) for s in transcript.segments if s.text],
        "words": [(w.start, w.end, w.text) for w in transcript.words]})


def _clock(milliseconds: int, point: str) -> str:
    """HH:MM:SS and thousandths; hours take more digits where they need them."""
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"


@dataclass(frozen=True)
class Format:
    """How a transcript is written."""

    extension: str
    render: Callable[[Transcript], str]
    joins: bool
    """Whether several transcripts one after the other are still of the format."""


FORMATS = {
    "text": Format("txt", text, joins=True),
    "json": Format("json", json_line, joins=True),
    "srt": Format("srt", srt, joins=False),
    "vtt": Format("vtt", vtt, joins=False),
    "ctm": Format("ctm", ctm, joins=True),
    "tsv": Format("tsv", tsv, joins=False),
    "textgrid": Format("TextGrid", textgrid, joins=False),
}


def parse_formats(lists: Iterable[str], known: Collection[str]) -> list[str]:
    """Names of formats from comma-separated lists; one that is not known is an `AsrError`."""
    names = dict.fromkeys(name.strip() for part in lists for name in part.split(","))
    for name in names:
        if name not in known:
            raise AsrError(f"no format named {name!r}; known: {', '.join(known)}")
    return list(names)


def check_stdout(formats: Sequence[str], joins: bool, number: int, things: str) -> None:
    """Refuse what stdout cannot take: several formats, or several things in one that holds one.

    Parameters
    ----------
    joins : bool
        Whether the first format can hold several of them.
    things : str
        What they are, for people.

    Raises
    ------
    AsrError
        It cannot.
    """
    if len(formats) > 1:
        raise AsrError(f"stdout takes one format, not {len(formats)} ({', '.join(formats)}); give "
                       "--output DIR for several")
    if number > 1 and not joins:
        raise AsrError(f"several {things} cannot make one {formats[0]}; give --output DIR for a "
                       "file each")

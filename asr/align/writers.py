"""Alignments as CTM, TextGrid and JSON."""

import json
from collections.abc import Callable
from typing import NamedTuple

from asr.align.align import Alignment
from asr.manifest import Word
from asr.transcribe.textgrid import textgrid as tiers_in_textgrid
from asr.transcribe.writers import ctm_lines


def ctm(name: str, alignment: Alignment) -> str:
    """A line for each word, see `asr.transcribe.writers.ctm_lines`."""
    return ctm_lines(name, alignment.words)


def json_line(name: str, alignment: Alignment) -> str:
    """One JSON object in one line, so that several make JSON lines; times in seconds."""
    return json.dumps({
        "schema": "asr.alignment", "version": 1,
        "name": name,
        "duration": round(alignment.duration, 3),
        "words": [{"text": word.text, "normalised": word.normalised} | _numbers(word)
                  | {"units": [{"text": unit.text} | _numbers(unit) for unit in word.units]}
                  for word in alignment.words],
        "misfits": [{"start": round(start, 3), "end": round(end, 3), "what": what}
                    for start, end, what in alignment.misfits],
    }, ensure_ascii=False) + "\n"


def _numbers(word: Word) -> dict[str, float]:
    return {"start": round(word.start, 3), "end": round(word.end, 3),
            "confidence": round(word.confidence, 4)}


def textgrid(name: str, alignment: Alignment) -> str:
    """Praat's TextGrid, with the tiers `words` and `units`."""
    units = [unit for word in alignment.words for unit in word.units]
    return tiers_in_textgrid(alignment.duration, {
        "words": [(word.start, word.end, word.text) for word in alignment.words],
        "units": [(unit.start, unit.end, unit.text) for unit in units]})


class Format(NamedTuple):
    """How an alignment is written."""

    extension: str
    render: Callable[[str, Alignment], str]
    joins: bool
    """Whether several alignments one after the other are still of the format."""


FORMATS = {"ctm": Format("ctm", ctm, joins=True),
           "textgrid": Format("TextGrid", textgrid, joins=False),
           "json": Format("json", json_line, joins=True)}

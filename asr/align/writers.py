"""Alignments as CTM, TextGrid and JSON."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from asr.align.align import Alignment
from asr.manifest import Word
from asr.transcribe import writers
from asr.transcribe.transcribe import Segment, Transcript


def ctm(name: str, alignment: Alignment) -> str:
    """A line for each word, see `asr.transcribe.writers.ctm`."""
    # The file that holds this alone, whose name without suffix is written.
    return writers.ctm(Transcript(f"{name}.wav", alignment.duration, [
        Segment(0.0, alignment.duration, "", None, [*alignment.words], [])]))


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
    """Praat's TextGrid in its long form, with the tiers `words` and `units`."""
    tiers: dict[str, Sequence[Word]] = {
        "words": alignment.words,
        "units": [unit for word in alignment.words for unit in word.units]}
    span = f"xmin = 0\nxmax = {alignment.duration:.6f}\n"
    lines = ['File type = "ooTextFile"\nObject class = "TextGrid"\n\n' + span
             + f"tiers? <exists>\nsize = {len(tiers)}\nitem []:\n"]
    for number, (tier, words) in enumerate(tiers.items(), start=1):
        intervals = _intervals(words, alignment.duration)
        lines.append(f'item [{number}]:\nclass = "IntervalTier"\nname = "{tier}"\n' + span
                     + f"intervals: size = {len(intervals)}\n")
        for place, (start, end, text) in enumerate(intervals, start=1):
            quoted = text.replace('"', '""')
            lines.append(f"intervals [{place}]:\nxmin = {start:.6f}\nxmax = {end:.6f}\n"
                         f'text = "{quoted}"\n')
    return "".join(lines)


def _intervals(words: Sequence[Word], duration: float) -> list[tuple[float, float, str]]:
    """The words, and the pauses between them: a tier has no holes."""
    intervals = []
    last = 0.0
    for word in [*words, Word(text="", start=duration, end=duration, confidence=0)]:
        if word.start > last:
            intervals.append((last, word.start, ""))
        if word.end > word.start:
            intervals.append((word.start, word.end, word.text))
        last = word.end
    return intervals


class Format(NamedTuple):
    """How an alignment is written."""

    extension: str
    render: Callable[[str, Alignment], str]
    joins: bool
    """Whether several alignments one after the other are still of the format."""


FORMATS = {"ctm": Format("ctm", ctm, joins=True),
           "textgrid": Format("TextGrid", textgrid, joins=False),
           "json": Format("json", json_line, joins=True)}

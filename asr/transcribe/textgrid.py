"""Transcripts as Praat's TextGrid (long text format, see Praat's manual: TextGrid file formats)."""

from collections.abc import Iterable

from asr.transcribe.transcribe import Transcript

_Interval = tuple[float, float, str]


def textgrid(transcript: Transcript) -> str:
    """A tier of segments and one of words; both cover the recording, with empty intervals between.

    Times in seconds. What would be shorter than a microsecond is left out.
    """
    duration = round(max([transcript.duration, *(s.end for s in transcript.segments)]), 6)
    tiers = [("segments", [(s.start, s.end, s.text) for s in transcript.segments if s.text]),
             ("words", [(w.start, w.end, w.text) for w in transcript.words])]
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0",
             f"xmax = {duration:.6f}", "tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, labelled) in enumerate(tiers, start=1):
        intervals = _covering(labelled, duration)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"',
                  f'        name = "{name}"', "        xmin = 0",
                  f"        xmax = {duration:.6f}", f"        intervals: size = {len(intervals)}"]
        for place, (start, end, label) in enumerate(intervals, start=1):
            quoted = label.replace('"', '""')
            lines += [f"        intervals [{place}]:", f"            xmin = {start:.6f}",
                      f"            xmax = {end:.6f}", f'            text = "{quoted}"']
    return "\n".join(lines) + "\n"


def _covering(labelled: Iterable[_Interval], duration: float) -> list[_Interval]:
    """Intervals from 0 to the end without gap or overlap, as Praat asks for them."""
    found: list[_Interval] = []
    now = 0.0
    for start, end, label in labelled:
        start, end = max(round(start, 6), now), round(end, 6)
        if end <= start:
            continue
        if start > now:
            found.append((now, start, ""))
        found.append((start, end, label))
        now = end
    if now < duration:
        found.append((now, duration, ""))
    return found

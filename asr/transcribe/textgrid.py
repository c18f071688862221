"""Praat's TextGrid (long text format, see Praat's manual: TextGrid file formats)."""

from collections.abc import Iterable, Mapping

_Interval = tuple[float, float, str]


def textgrid(duration: float, tiers: Mapping[str, Iterable[_Interval]]) -> str:
    """Write tiers of intervals, each of which covers the recording, with empty ones between.

    What would be shorter than a microsecond is left out.

    Parameters
    ----------
    duration : float
        Seconds; more, if an interval ends later.
    tiers : mapping of str to iterable of (start, end, text)
        In the order of their times, in seconds.
    """
    labelled = {name: list(intervals) for name, intervals in tiers.items()}
    duration = round(max([duration, *(end for found in labelled.values() for _, end, _ in found)]),
                     6)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0",
             f"xmax = {duration:.6f}", "tiers? <exists>", f"size = {len(labelled)}", "item []:"]
    for number, (name, found) in enumerate(labelled.items(), start=1):
        intervals = _covering(found, duration)
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

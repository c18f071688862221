"""Words to subtitle cues that can be read in the time they are shown."""

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from asr.manifest import Word

LINE = 42  # characters in a line, and lines in a cue: what broadcasters ask for
LINES = 2
LONGEST = 7.0  # seconds that a cue lasts
SHORTEST = 1.0  # where the next cue leaves so much time
SPEED = 17.0  # characters a second that can be read, where the next cue leaves the time
PAUSE = 1.0  # seconds of silence that always end a cue


@dataclass(frozen=True)
class Cue:
    """Lines of text and when they are shown, in milliseconds."""

    start: int
    end: int
    lines: list[str]


def cues(words: Sequence[Word]) -> list[Cue]:
    """Group words into cues of at most 2 lines of 42 characters and 7 s.

    A cue ends at a pause of 1 s; where none comes before it is full, at the longest pause in its
    second half. It stays until it can have been read, at 17 characters a second, or the next one
    comes. A single word that is too long for a cue gets one of its own, with as many lines as it
    needs.
    """
    edges = [0]
    while edges[-1] < len(words):
        edges.append(_end_of_cue(words, edges[-1]))
    found = []
    for first, end in itertools.pairwise(edges):
        start, lines = words[first].start, _lines(words[first:end])
        read = max(SHORTEST, sum(map(len, lines)) / SPEED)
        stop = min(max(words[end - 1].end, start + read), start + LONGEST)
        if end < len(words):
            stop = min(stop, words[end].start)
        found.append(Cue(round(1000 * start), round(1000 * stop), lines))
    return found


def _end_of_cue(words: Sequence[Word], first: int) -> int:
    end = first + 1
    while end < len(words):
        if _gap(words, end) >= PAUSE:
            return end
        if (words[end].end - words[first].start > LONGEST
                or len(_lines(words[first:end + 1])) > LINES):
            half = first + (end - first + 1) // 2
            return max(range(half, end + 1), key=lambda i: (_gap(words, i), i))
        end += 1
    return end


def _gap(words: Sequence[Word], index: int) -> float:
    """Seconds of silence before a word."""
    return words[index].start - words[index - 1].end


def _lines(words: Sequence[Word]) -> list[str]:
    return textwrap.wrap(" ".join(word.text for word in words), LINE, break_on_hyphens=False)

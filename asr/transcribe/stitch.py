"""One sequence of words from two that share a part of the audio."""

from collections.abc import Sequence

from asr.manifest import Word


def seam(before: Sequence[Word], behind: Sequence[Word], start: float, end: float
         ) -> tuple[int, int]:
    """Where to change from the words of one stretch to those of the next.

    Both have heard the audio from `start` to `end`, but each has cut off one of its ends in the
    middle of speech, so that the words near the middle can be trusted most. The seam is behind the
    word nearest to the middle that both have at the same time. Where they agree on none it is in
    the middle itself, and of two words that lie across it at the same time the surer one stays.

    Parameters
    ----------
    before, behind : sequence of Word
        In the order of their times, which count from the same point as `start` and `end`.

    Returns
    -------
    (keep, skip) : (int, int)
        `[*before[:keep], *behind[skip:]]` are the words.
    """
    middle = (start + end) / 2
    agreed = [(abs(_centre(a) - middle), i, j) for i, a in enumerate(before) if a.end > start
              for j, b in enumerate(behind) if b.start < end and a.text == b.text
              and _together(a, b)]
    if agreed:
        _, i, j = min(agreed)
        return i + 1, j + 1
    keep = sum(_centre(word) < middle for word in before)
    skip = sum(_centre(word) < middle for word in behind)
    if keep and skip < len(behind):
        last, first = before[keep - 1], behind[skip]
        if _together(last, first):
            if last.confidence >= first.confidence:
                skip += 1
            else:
                keep -= 1
    return keep, skip


def _centre(word: Word) -> float:
    return (word.start + word.end) / 2


def _together(a: Word, b: Word) -> bool:
    """Whether more than half of the shorter word is said during the other."""
    shared = min(a.end, b.end) - max(a.start, b.start)
    return 2 * shared > min(a.end - a.start, b.end - b.start)

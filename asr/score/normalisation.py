"""What is done to both sides' texts before they are compared, and what that changed."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from asr.errors import AsrError
from asr.files import read_lines
from asr.score.align import align
from asr.text.normalise import normaliser as named_normaliser

_SHOWN = 5  # changes that a report gives as examples
_LOOKED_AT = 1_000  # changed texts from which examples are taken


class Changes(NamedTuple):
    """What a normalisation did."""

    normaliser: str
    """See `asr.text.normalise`."""
    substitutions: Path | None
    texts: int
    changed: int
    """Texts, of both sides, that are not what they were, white space aside."""
    examples: list[tuple[str, str, int]]
    """Words before, words after, and how often that was seen."""


class Normalisation:
    """A named normaliser, then the user's own substitutions; remembers what it changed.

    Parameters
    ----------
    normaliser : str
        See `asr.text.normalise`.
    substitutions : Path, optional
        See `read_substitutions`.

    Raises
    ------
    AsrError
        There is no such normaliser, or the file cannot be read.
    """

    def __init__(self, normaliser: str, substitutions: Path | None = None):
        self._name = normaliser
        self._normalise = named_normaliser(normaliser)
        self._path = substitutions
        self._replacements = read_substitutions(substitutions) if substitutions else {}
        self._longest = max(map(len, self._replacements), default=0)
        self._texts = self._changed = 0
        self._examples: Counter[tuple[str, str]] = Counter()

    def __call__(self, text: str) -> str:
        """The text as it is compared."""
        self._texts += 1
        normalised = self._normalise(text)
        if normalised == text and not self._replacements:
            return text
        words = normalised.split()
        if self._replacements:
            words = self._substitute(words)
        before = text.split()
        if words != before:
            self._changed += 1
            if self._changed <= _LOOKED_AT:
                self._examples.update(_changes(before, words))
        return " ".join(words)

    def _substitute(self, words: list[str]) -> list[str]:
        result: list[str] = []
        i = 0
        while i < len(words):
            for length in range(min(self._longest, len(words) - i), 0, -1):
                found = self._replacements.get(tuple(words[i:i + length]))
                if found is not None:
                    result += found
                    i += length
                    break
            else:
                result.append(words[i])
                i += 1
        return result

    def changes(self) -> Changes:
        """What has been done so far; examples that change more than case come first."""
        ranked = sorted(self._examples.items(), key=lambda item: (
            item[0][0].lower() == item[0][1].lower(), -item[1], item[0]))
        return Changes(self._name, self._path, self._texts, self._changed,
                       [(*pair, count) for pair, count in ranked[:_SHOWN]])


def read_substitutions(path: Path) -> Mapping[tuple[str, ...], list[str]]:
    """Read a file of lines `words => other words`, as in NIST's GLM files.

    The longest match goes first, from left to right, and what was put in is not looked at again.
    Nothing after the arrow takes the words out. Lines that start with `;;` or `#` are comments.

    Raises
    ------
    AsrError
        The file cannot be read, a line has no arrow or nothing before it, or words come twice.
    """
    substitutions: dict[tuple[str, ...], list[str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or re.match(r"\s*(;;|#)", line):
            continue
        before, arrow, after = line.partition("=>")
        words = tuple(before.split())
        if not arrow or not words:
            raise AsrError(f"{path}:{number}: expected `words => other words`, found "
                           f"{line.strip()[:60]!r}")
        if words in substitutions:
            raise AsrError(f"{path}:{number}: {' '.join(words)!r} is replaced on another line "
                           "already")
        substitutions[words] = after.split()
    return substitutions


def _changes(before: list[str], after: list[str]) -> Iterator[tuple[str, str]]:
    """Stretches of words that differ, as (before, after); words that differ in case one by one."""
    old: list[str] = []
    new: list[str] = []
    words, changed = iter(before), iter(after)
    for was, became in align([word.lower() for word in before], [word.lower() for word in after]):
        if was != became:
            old += [next(words)] if was is not None else []
            new += [next(changed)] if became is not None else []
            continue
        if old or new:
            yield " ".join(old), " ".join(new)
            old, new = [], []
        pair = next(words), next(changed)
        if pair[0] != pair[1]:
            yield pair
    if old or new:
        yield " ".join(old), " ".join(new)

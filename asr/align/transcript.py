"""A transcript as units to align, with each word's own spelling kept."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from asr.errors import AsrError
from asr.text.units import BETWEEN, Units

WILDCARD = "*"
"""Stands for the units of a word that has none."""
_NAMED = 5  # unknown words that an error lists


class Written(NamedTuple):
    """A word as the transcript has it, and what the normaliser made of it."""

    text: str
    normalised: str


class Spelling(NamedTuple):
    """Words with their units."""

    words: list[Written]
    edges: list[tuple[int, int]]
    """First unit of each word among `labels`, and one past its last."""
    labels: np.ndarray
    """Units of the whole transcript, shape = (L,), int32; `len(units)` is the wildcard."""
    parts: list[tuple[int, int, Sequence[Sequence[int]]]]
    """First unit of each part that a word has for the model (`twenty-one` has two), one past its
    last, and all ways to spell it."""


def written_words(text: str, normalise: Callable[[str], str]) -> list[Written]:
    """The words of a transcript beside what the normaliser made of each.

    A word stays as it is written where the normaliser makes the same of it alone as in the whole
    transcript (`twenty-one` may become two words), and is left out if nothing becomes of it (a
    dash). Where it does not (numbers of several words, remarks in brackets), what it made of them
    stands for both.
    """
    alone = [(word, normalise(word).split()) for word in text.split()]
    parts = [part for _, made in alone for part in made]
    whole = normalise(text).split()
    places = np.full(len(parts), -1)  # of the parts that are in the whole as well
    for block in Levenshtein.opcodes(parts, whole):
        if block.tag == "equal":
            places[block.src_start:block.src_end] = np.arange(block.dest_start, block.dest_end)
    return list(_kept(alone, places, whole))


def _kept(alone: Sequence[tuple[str, list[str]]], places: np.ndarray, whole: Sequence[str]
          ) -> Iterator[Written]:
    """Words whose parts all have a place in the whole, and the rest of the whole part by part."""
    done = first = 0
    for word, made in alone:
        here = places[first:first + len(made)]
        first += len(made)
        if len(here) and here[0] >= 0 and (here == here[0] + np.arange(len(here))).all():
            yield from (Written(part, part) for part in whole[done:here[0]])
            yield Written(word, " ".join(made))
            done = int(here[-1]) + 1
    yield from (Written(part, part) for part in whole[done:])


def spell(words: Sequence[Written], units: Units, allow_unknown: bool,
          chosen: Sequence[int] | None = None) -> Spelling:
    """The units of a transcript.

    Parameters
    ----------
    allow_unknown : bool
        Whether words that the units cannot spell are wildcards.
    chosen : sequence of int
        Which of the ways to spell each part is taken; the first by default.

    Raises
    ------
    AsrError
        There are such words, and they are not allowed.
    """
    between = np.flatnonzero(units.parts == BETWEEN).tolist()
    wildcard = [[len(units)]]
    labels: list[int] = []
    edges: list[tuple[int, int]] = []
    parts: list[tuple[int, int, Sequence[Sequence[int]]]] = []
    unknown: list[str] = []
    for word in words:
        first = len(parts)
        for part in word.normalised.split():
            spellings = units.spellings(part)
            if not spellings:
                unknown.append(part)
            ways = spellings or wildcard
            labels += between if labels else []
            start = len(labels)
            labels += ways[chosen[len(parts)] if chosen else 0]
            parts.append((start, len(labels), ways))
        edges.append((parts[first][0], len(labels)))
    if unknown and not allow_unknown:
        unknown = list(dict.fromkeys(unknown))
        some = ", ".join(f"`{word}`" for word in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        why = ("the model's units cannot spell" if units.vocabulary is None
               else "the model's lexicon does not have")
        raise AsrError(f"{why} {some}{more}; write them as they are spoken")
    return Spelling(list(words), edges, np.array(labels, np.int32), parts)

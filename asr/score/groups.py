"""Utterances by speaker, by length, or by whatever else their manifest says."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asr.errors import AsrError
from asr.score.align import Counts
from asr.score.statistics import Rate, rate
from asr.score.transcript import Transcript

_FEW = 8  # different numbers that are still categories
_PARTS = 4  # of about as many utterances each, where there are more numbers
_NAMED = "speaker", "length", "duration", "rate"


@dataclass(frozen=True)
class Group:
    """Utterances that have a key's value in common."""

    name: str
    utterances: np.ndarray
    """Their indices, int64."""
    counts: Counts
    rate: Rate
    """Word error rate."""


def group_utterances(key: str, transcripts: Sequence[Transcript], words: Counts) -> list[Group]:
    """Part utterances by a key.

    Parameters
    ----------
    key : str
        `speaker`; `length`, the words of the reference; `duration`, in seconds; `rate`, reference
        words a second; or a key of the references' `extra`. Numbers are parted at the quartiles
        where more than a few differ; but speakers and keys of `extra` that have whole numbers
        alone, as chapters, are names.

    Returns
    -------
    list of Group
        By name, or by number. Utterances without the key are a last group, `(none)`.

    Raises
    ------
    AsrError
        No utterance has the key; those that could be asked for are listed.
    """
    values = _values(key, transcripts, words)
    present = [value for value in values if value is not None]
    if not present:
        others = sorted({name for transcript in transcripts for name in transcript.extra})
        raise AsrError(f"no reference says its {key!r}; known: {', '.join([*_NAMED, *others])}, "
                       "as far as the references say them")
    labels, order = _categories(values, present)
    members: dict[str, list[int]] = {name: [] for name in order}
    for index, label in enumerate(labels):
        members.setdefault(label, []).append(index)
    groups = []
    for name, indices in members.items():
        part = np.array(indices, np.int64)
        counts = words[part]
        groups.append(Group(name, part, counts, rate(counts.errors, counts.length)))
    return groups


def _values(key: str, transcripts: Sequence[Transcript], words: Counts
            ) -> list[str | float | None]:
    if key == "length":
        return [float(length) for length in words.length]
    if key == "duration":
        return [transcript.duration for transcript in transcripts]
    if key == "rate":
        return [length / transcript.duration if transcript.duration else None
                for length, transcript in zip(words.length.tolist(), transcripts, strict=True)]
    if key == "speaker":
        return [transcript.speaker for transcript in transcripts]
    return [transcript.extra.get(key) for transcript in transcripts]


def _categories(values: Sequence[str | float | None], present: Sequence[str | float]
                ) -> tuple[list[str], list[str]]:
    """A label for each value, and the labels in order."""
    try:
        numbers = np.array([float(value) for value in present])
    except ValueError:
        numbers = np.zeros(0)
    names_only = all(isinstance(value, str) and value.isdecimal() for value in present)
    different = np.unique(numbers)
    if names_only or len(different) <= _FEW or not np.isfinite(numbers).all():
        text = _written(different)
        name = {value: value if isinstance(value, str) else text[value] for value in present}
        labels = ["(none)" if value is None else name[value] for value in values]
        return labels, sorted(set(name.values()), key=_sort_key)
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _PARTS + 1)))
    text = _written(edges)
    names = [f"{text[low]} – {'' if high == edges[-1] else '<'}{text[high]}"
             for low, high in pairwise(edges.tolist())]
    places = np.searchsorted(edges[1:-1], numbers, side="right")
    found = iter(places.tolist())
    labels = ["(none)" if value is None else names[next(found)] for value in values]
    return labels, [name for i, name in enumerate(names) if i in places]


def _written(numbers: np.ndarray) -> dict[float, str]:
    """Different numbers in as many digits as tell them apart, 4 or more."""
    values = numbers.tolist()
    texts = next(texts for digits in range(4, 18)
                 if len(set(texts := [f"{value:.{digits}g}" for value in values])) == len(values))
    return dict(zip(values, texts, strict=True))


def _sort_key(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name

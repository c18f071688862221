"""Where the errors are: words taken for others, left out, made up, and unknown."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest
from typing import NamedTuple

from asr.score.align import Score
from asr.score.edits import DELETION, INSERTION

FREQUENT = 100


class WordErrors(NamedTuple):
    """A word of the references."""

    word: str
    occurrences: int
    """In the references."""
    substituted: int
    deleted: int


@dataclass(frozen=True)
class Analysis:
    """Each list has up to `FREQUENT`, the most frequent first, equals in order of the words."""

    substitutions: list[tuple[str, str, int]]
    """Reference word, hypothesis word, how often."""
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]
    words: list[WordErrors]
    """Words with errors, those with most errors first, then the rarer ones."""


class Unknown(NamedTuple):
    """Reference words that a vocabulary lacks, and what became of them."""

    words: int
    errors: int
    """Of them substituted or deleted."""
    all_errors: int
    """Substituted and deleted words, known ones among them."""
    frequent: list[tuple[str, int]]
    """Up to `FREQUENT` unknown words, most frequent first."""


def analyse(score: Score) -> Analysis:
    """Count which words the edits are about."""
    substitutions: Counter[tuple[str, str]] = Counter()
    deletions: Counter[str] = Counter()
    insertions: Counter[str] = Counter()
    substituted: Counter[str] = Counter()
    for reference, hypothesis, edits in _edited(score):
        for kind, i, j in edits:
            if kind == INSERTION:
                insertions[hypothesis[j]] += 1
            elif kind == DELETION:
                deletions[reference[i]] += 1
            else:
                substitutions[reference[i], hypothesis[j]] += 1
                substituted[reference[i]] += 1
    frequencies = _frequencies(score)
    words = nsmallest(
        FREQUENT, (WordErrors(word, frequencies[word], substituted[word], deletions[word])
                   for word in substituted.keys() | deletions.keys()),
        key=lambda w: (-w.substituted - w.deleted, w.occurrences, w.word))
    return Analysis([(*pair, count) for pair, count in _ranked(substitutions)],
                    _ranked(deletions), _ranked(insertions), words)


def unknown_words(score: Score, vocabulary: frozenset[str]) -> Unknown:
    """Errors at reference words that are not in a vocabulary."""
    unknown = Counter({word: count for word, count in _frequencies(score).items()
                       if word not in vocabulary})
    wrong = [reference[i] for reference, _, edits in _edited(score)
             for kind, i, _ in edits if kind != INSERTION]
    return Unknown(unknown.total(), sum(word not in vocabulary for word in wrong), len(wrong),
                   _ranked(unknown))


def _edited(score: Score) -> Iterator[tuple[list[str], list[str], list[tuple[int, int, int]]]]:
    """Reference words, hypothesis words and edits of each utterance with errors."""
    for index, errors in enumerate(score.words.errors):
        if errors:
            yield (score.references[index].split(), score.hypotheses[index].split(),
                   score.utterance_edits(index))


def _frequencies(score: Score) -> Counter[str]:
    counts: Counter[str] = Counter()
    for reference in score.references:
        counts.update(reference.split())
    return counts


def _ranked(counts: Counter) -> list:
    return nsmallest(FREQUENT, counts.items(), key=lambda item: (-item[1], item[0]))

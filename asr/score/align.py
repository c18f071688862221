"""Alignment of hypotheses with references, and what it counts.

The alignment is the one of least edit distance with cost 1 for a substitution, a deletion or an
insertion (Levenshtein 1966), by rapidfuzz, the engine of jiwer: of several least ones it takes
the one that jiwer takes, so the counts agree with jiwer's.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class Counts:
    """What the alignment of N utterances counted; each array has shape (N,), int64."""

    length: np.ndarray
    """Words (or characters) of the reference."""
    substitutions: np.ndarray
    deletions: np.ndarray
    insertions: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Substitutions, deletions and insertions of each utterance."""
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True)
class Score:
    """Every utterance's counts, in the order of the references; all rates derive from it."""

    ids: list[str]
    references: list[str]
    """What was compared: single spaces between words, none around them."""
    hypotheses: list[str]
    words: Counts
    characters: Counts
    """Unicode code points of the texts, the single spaces between words among them."""

    def alignment(self, index: int) -> list[tuple[str | None, str | None]]:
        """Pairs of reference and hypothesis word; None faces an inserted or a deleted word."""
        return align(self.references[index].split(), self.hypotheses[index].split())

    def worst(self, number: int) -> list[int]:
        """Up to `number` utterances with errors, most errors first, then shortest reference."""
        errors = self.words.errors
        order = np.lexsort((self.words.length, -errors))[:number]
        return [int(i) for i in order if errors[i]]


def score_utterances(pairs: Iterable[tuple[str, str, str]]) -> Score:
    """Align utterances, given as (id, reference, hypothesis).

    Words are what `str.split` makes of a text. An empty text has no words and no characters:
    facing an empty reference every word is an insertion.
    """
    triples = [(utterance, " ".join(reference.split()), " ".join(hypothesis.split()))
               for utterance, reference, hypothesis in pairs]
    ids = [utterance for utterance, _, _ in triples]
    references = [reference for _, reference, _ in triples]
    hypotheses = [hypothesis for _, _, hypothesis in triples]
    # Words become integers, since rapidfuzz compares other objects by their hash alone.
    numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    words = _count(references, hypotheses, lambda text: [numbers[word] for word in text.split()])
    characters = _count(references, hypotheses, lambda text: text)
    return Score(ids, references, hypotheses, words, characters)


def _count(references: list[str], hypotheses: list[str],
           tokens_of: Callable[[str], Sequence[int] | str]) -> Counts:
    rows = np.zeros((len(references), 4), np.int64)
    for row, reference, hypothesis in zip(rows, references, hypotheses, strict=True):
        expected = tokens_of(reference)
        tags = [edit.tag for edit in Levenshtein.editops(expected, tokens_of(hypothesis))]
        row[:] = (len(expected), tags.count("replace"), tags.count("delete"),
                  tags.count("insert"))
    return Counts(*rows.T)


def align(reference: Sequence[str], hypothesis: Sequence[str]
          ) -> list[tuple[str | None, str | None]]:
    """Pairs of reference and hypothesis word; None faces an inserted or a deleted word."""
    numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    pairs: list[tuple[str | None, str | None]] = []
    for edit in Levenshtein.opcodes([numbers[word] for word in reference],
                                    [numbers[word] for word in hypothesis]):
        pairs += itertools.zip_longest(reference[edit.src_start:edit.src_end],
                                       hypothesis[edit.dest_start:edit.dest_end])
    return pairs

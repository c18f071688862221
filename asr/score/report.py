"""A score with how it came about, and what follows from it."""

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from asr.score.align import Alignment, Score
from asr.score.analysis import Analysis, Unknown, analyse, unknown_words
from asr.score.confidence import WordConfidences
from asr.score.groups import Group
from asr.score.normalisation import Changes
from asr.score.pairs import Missing
from asr.score.statistics import Rate, rate
from asr.score.transcript import Transcript


@dataclass(frozen=True)
class Report:
    """All that the reports for people and programs say, in whatever form."""

    score: Score
    transcripts: list[Transcript]
    """The references as they were read, in the order of `score`."""
    confidences: list[tuple[float, ...]]
    """Of the words of each hypothesis; empty where there are none or words were normalised away."""
    reference: Path
    hypothesis: Path
    alignment: Alignment
    changes: Changes
    """What was done to both sides' texts."""
    missing: Missing
    missing_ids: list[str]
    """References without hypothesis, counted as deleted."""
    groups: dict[str, list[Group]] = field(default_factory=dict)
    """Utterances by each key that was asked for, see `asr.score.groups`."""
    vocabulary: frozenset[str] | None = None
    """Words of a language model, to tell errors at other words apart."""

    @cached_property
    def rates(self) -> dict[str, Rate]:
        """Word, character and sentence error rate: `wer`, `cer`, `ser`."""
        words, characters = self.score.words, self.score.characters
        wrong = (words.errors > 0).astype(np.int64)
        speakers = self.speakers
        return {"wer": rate(words.errors, words.length, speakers),
                "cer": rate(characters.errors, characters.length, speakers),
                "ser": rate(wrong, np.ones_like(wrong), speakers)}

    @cached_property
    def speakers(self) -> np.ndarray | None:
        """A number for each utterance's speaker; None unless all speakers are known."""
        numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        speakers = [transcript.speaker for transcript in self.transcripts]
        if not speakers or None in speakers:
            return None
        return np.array([numbers[speaker] for speaker in speakers if speaker is not None])

    @cached_property
    def analysis(self) -> Analysis:
        """Which words are mistaken for which, left out and made up."""
        return analyse(self.score)

    @cached_property
    def unknown(self) -> Unknown | None:
        """Errors at words that the vocabulary lacks."""
        return None if self.vocabulary is None else unknown_words(self.score, self.vocabulary)

    @cached_property
    def word_confidences(self) -> WordConfidences | None:
        """Confidences beside whether the words are right; None where there are no confidences."""
        confidence: list[float] = []
        correct: list[bool] = []
        for index, confidences in enumerate(self.confidences):
            if confidences:
                confidence += confidences
                correct += [expected == found for expected, found in self.score.alignment(index)
                            if found is not None]
        if not confidence:
            return None
        return WordConfidences(np.array(confidence, np.float64), np.array(correct, bool))

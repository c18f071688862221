"""Development loss and greedy error rates while a network trains."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import jiwer
import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from asr.decode.greedy import greedy_search
from asr.errors import AsrError
from asr.features.batch import by_length, in_batches
from asr.features.store import Store
from asr.model.inference import log_posteriors
from asr.model.network import Network
from asr.text.units import Units, frames_needed
from asr.train.distributed import Processes
from asr.train.objective import Objective


@dataclass(frozen=True)
class DevelopmentSet:
    """A store with what was said in it.

    Raises
    ------
    AsrError
        There is no text to measure an error rate on.
    """

    store: Store
    statistics: np.ndarray
    texts: Sequence[str]
    indexes: Sequence[int]
    """Entries that are measured."""

    def __post_init__(self) -> None:
        if not any(self.texts[i].split() for i in self.indexes):
            raise AsrError(f"{self.store.path}: no text to measure an error rate on")

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with the store and with what was said in it."""
        return self.store.fingerprint(self.texts)


@dataclass(frozen=True)
class Evaluation:
    """Results over a development set."""

    loss: float
    """By the objective, in nats per label, over utterances that CTC can align."""
    cer: float
    """Character error rate: total errors over total reference characters, spaces included."""
    wer: float
    words: float
    """Reference words."""


def evaluate(network: Network, data: DevelopmentSet, units: Units, objective: Objective,
             processes: Processes) -> Evaluation:
    """Measure in float32; under torchrun each process takes its share of the utterances."""
    loss = labels = 0.0
    errors = np.zeros(4)  # characters: errors, total; words: errors, total
    network.eval()
    own = by_length(data.store, data.indexes[processes.rank::processes.world])
    rest = iter(own)
    for batch in in_batches(data.store, data.statistics, own, partial(log_posteriors, network)):
        aligned = []  # posteriors and targets
        for posteriors, index in zip(batch, rest, strict=False):
            text = data.texts[index]
            targets = units.encode(units.spellable(text))
            if max(frames_needed(targets), 1) <= len(posteriors):
                aligned.append((torch.from_numpy(posteriors), torch.tensor(targets).long()))
            errors += _errors(text, units.decode(greedy_search(posteriors)[0]))
        if aligned:
            x, y = (list(part) for part in zip(*aligned, strict=True))
            lengths, label_lengths = (torch.tensor([*map(len, rows)]) for rows in (x, y))
            loss += float(objective(pad_sequence(x), torch.cat(y), lengths, label_lengths))
            labels += int(label_lengths.sum())
    network.train()
    loss, labels, wrong, characters, wrong_words, words = processes.sum([loss, labels, *errors])
    return Evaluation(loss / max(labels, 1), wrong / characters, wrong_words / words, words)


def _errors(reference: str, hypothesis: str) -> np.ndarray:
    """Character errors, reference characters, word errors, reference words."""
    counts = []
    for process in (jiwer.process_characters, jiwer.process_words):
        result = process(reference, hypothesis)
        counts += [result.substitutions + result.deletions + result.insertions,
                   result.hits + result.substitutions + result.deletions]
    return np.array(counts, float)

"""Training data: which utterances, in which batches, in which order."""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from asr.augment.spec_augment import spec_augment_spans
from asr.augment.spec_augment_config import SpecAugmentConfig
from asr.errors import AsrError, Untrainable
from asr.features.batch import cut_batches
from asr.features.store import Store
from asr.model.frame_batch import FrameBatch
from asr.model.network import Network
from asr.progress import log
from asr.randomness import generator, seed_of
from asr.text.units import Units, frames_needed

_LENGTH_JITTER = 0.1  # batches hold utterances of like, not always the same, length


@dataclass(frozen=True)
class Batch:
    """One process's part of a global batch, with what is random about it drawn, or its seed."""

    ids: list[str]
    total_labels: int
    """Of the global batch; an utterance without any counts as one."""
    total_frames: int
    """Of the global batch, without padding."""
    frames: FrameBatch | None
    """None where the batch has fewer utterances than there are processes."""
    labels: Tensor
    """All utterances' labels one after the other, int64."""
    label_lengths: Tensor
    views: int
    """How often each utterance is heard, masked otherwise each time."""
    time_spans: Tensor
    """Of the utterances of the first view, then of the next; so with the others below."""
    frequency_spans: Tensor
    seeds: Tensor
    """Of their dropout, int64."""

    def split(self, parts: int) -> "list[Batch]":
        """Stretches of about as many utterances each, as padded as the whole."""
        if parts == 1 or self.frames is None:
            return [self]
        edges = [len(self.ids) * i // parts for i in range(parts + 1)]
        labels = self.labels.split(self.label_lengths.tolist())
        by_view = (self.views, len(self.ids))
        time, frequency, seeds = (
            drawn.unflatten(0, by_view)
            for drawn in (self.time_spans, self.frequency_spans, self.seeds))
        return [Batch(self.ids[rows], self.total_labels, self.total_frames, self.frames[rows],
                      torch.cat(labels[rows]), self.label_lengths[rows], self.views,
                      *(drawn[:, rows].flatten(0, 1) for drawn in (time, frequency, seeds)))
                for rows in map(slice, edges, edges[1:])]


class TrainingSet:
    """A store with its labels, and the plan of every epoch.

    Parameters
    ----------
    store : Store
        Copies of an utterance are alternatives: each epoch takes one of them.
    statistics : np.ndarray, shape = (N, 2, F)
        Normalisation of each entry.
    unfit : str
        "refuse" or "drop", see `TrainConfig.unfit`.
    nonspeech : bool
        Whether an utterance without text is fit, see `TrainConfig.nonspeech`.

    Raises
    ------
    AsrError
        There are unfit utterances and `unfit` is "refuse", or nothing is left.
    """

    def __init__(self, store: Store, statistics: np.ndarray, texts: Sequence[str],
                 units: Units, network: Network, unfit: str, nonspeech: bool) -> None:
        self.store = store
        self.statistics = statistics
        self.labels = [units.encode(text) if units.spellable(text) == text else []
                       for text in texts]
        self.lengths = store.lengths
        self.output_lengths = network.output_lengths(torch.from_numpy(self.lengths)).numpy()
        needed = np.array([frames_needed(labels) for labels in self.labels])
        silent = np.array([nonspeech and not text for text in texts])
        fit = ((needed > 0) | silent & (self.lengths > 0)) & (needed <= self.output_lengths)
        if not fit.all():
            self._report_unfit(np.flatnonzero(~fit), needed, texts, unfit)
        copies: dict[str, list[int]] = {}
        for index in np.flatnonzero(fit):
            copies.setdefault(store.entries[index].id, []).append(int(index))
        if not copies:
            raise AsrError(f"{store.path}: no utterance to train on")
        self.copies = list(copies.values())

    def _report_unfit(self, rows: np.ndarray, needed: np.ndarray, texts: Sequence[str],
                      unfit: str) -> None:
        row = rows[0]
        entry = self.store.entries[row]
        if needed[row]:
            reason = f"{needed[row]} frames needed, {self.output_lengths[row]} there"
        elif texts[row]:
            reason = f"no units for `{texts[row]}`"
        else:
            reason = "no text" if self.lengths[row] else "no frames"
        first = f"{entry.id}{'' if entry.speed == 1 else f' at speed {entry.speed:g}'}: {reason}"
        message = (f"{self.store.path}: {len(rows)} of {len(self.store)} entries unfit for CTC "
                   f"({first})")
        if unfit == "refuse":
            raise Untrainable(f"{message}; mend them, or train with unfit=drop")
        log(f"{message}: dropped")

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with the data: a resumed training must find the same."""
        return self.store.fingerprint(self.labels)

    def plan(self, seed: int, epoch: int, max_frames: int) -> list[list[int]]:
        """The batches of an epoch: like lengths together, the order of batches shuffled."""
        random = generator(seed, "order", epoch)
        entries = [c[seed_of(seed, "copy", epoch, self.store.entries[c[0]].id) % len(c)]
                   for c in self.copies]
        jittered = self.lengths[entries] * random.uniform(1, 1 + _LENGTH_JITTER, len(entries))
        order = [int(entries[i]) for i in np.argsort(jittered, kind="stable")]
        batches = list(cut_batches(order, self.lengths, max_frames))
        return [batches[i] for i in random.permutation(len(batches))]

    def largest_batch(self, max_frames: int) -> list[int]:
        """The batch that needs most memory in any epoch, about: the longest copies."""
        longest = sorted((max(c, key=lambda i: self.lengths[i]) for c in self.copies),
                         key=lambda i: -self.lengths[i])
        return next(cut_batches(longest, self.lengths, max_frames))

    def batch(self, indexes: Sequence[int], seed: int, epoch: int, spec_augment: SpecAugmentConfig,
              views: int, rank: int, world: int) -> Batch:
        """Assemble process `rank`'s part of a batch."""
        own = indexes[rank::world]
        ids = [self.store.entries[i].id for i in own]
        config = self.store.config
        masks, dropout = (torch.tensor([seed_of(seed, use, epoch, id, view)
                                        for view in range(views) for id in ids], dtype=torch.long)
                          for use in ("mask", "dropout"))
        time_spans, frequency_spans = spec_augment_spans(
            spec_augment, masks, torch.from_numpy(np.tile(self.lengths[own], views)),
            config.bands, config.frame_shift, config.deltas)
        labels = [self.labels[i] for i in own]
        return Batch(
            ids, sum(max(len(self.labels[i]), 1) for i in indexes),
            int(self.lengths[indexes].sum()),
            FrameBatch.of([self.store.frames(i) for i in own], self.statistics[own])
            if own else None,
            torch.tensor([label for row in labels for label in row], dtype=torch.long),
            torch.tensor([len(row) for row in labels], dtype=torch.long),
            views, time_spans, frequency_spans, dropout)


class Prefetched:
    """Iterate over batches that a thread assembles ahead; `waited` counts seconds without one."""

    def __init__(self, batches: Iterator[Batch], ahead: int = 4) -> None:
        self.waited = 0.0
        self._queue: queue.Queue[Batch | BaseException | None] = queue.Queue(ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(batches,), daemon=True)
        self._thread.start()

    def __enter__(self) -> "Prefetched":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.1)
            except queue.Empty:
                continue

    def __iter__(self) -> Iterator[Batch]:
        while True:
            start = time.perf_counter()
            item = self._queue.get()
            self.waited += time.perf_counter() - start
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def _fill(self, batches: Iterator[Batch]) -> None:
        try:
            for batch in batches:
                self._queue.put(batch)
                if self._stop.is_set():
                    return
            self._queue.put(None)
        except BaseException as error:  # raised again where the batches are used
            self._queue.put(error)

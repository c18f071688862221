"""The features of a set: one memory-mapped array, written as a whole or not at all.

A store is a folder:

    store.json         format, configuration and its hash, counts; written last: the finished mark
    utterances.jsonl   id, text, speaker, speed, copy number of each entry
    offsets.npy        (N + 1,) int64: entry i is frames[offsets[i] : offsets[i + 1]]
    moments.npy        (N, 3, F) float64: for mean and variance normalisation
    frames.f16         (total, F) float16, C order, no header
"""

import hashlib
import json
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asr.config import parse_config
from asr.errors import AsrError, one_line
from asr.features.cmvn import moments
from asr.features.config import FeatureConfig
from asr.files import atomic_folder, atomic_write, read_lines, read_text
from asr.manifest import Record, parse_record
from asr.text.normalise import normaliser

FORMAT = 1
FILES = ("store.json", "utterances.jsonl", "offsets.npy", "moments.npy", "frames.f16")


class Entry(Record):
    """One utterance of a store, or a copy of it, which has the same id."""

    text: str
    speaker: str
    speed: float = 1.0
    copy_number: int = 0
    """0 is plain; augmented copies (`asr.augment.copies`) count from 1."""


def config_hash(config: FeatureConfig) -> str:
    """16 hex digits that change when any field of the configuration does."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


def write_store(path: Path, config: FeatureConfig,
                items: Iterable[tuple[Entry, np.ndarray]]) -> None:
    """Write a store; it appears at `path` once the last item is in it.

    Parameters
    ----------
    items : iterable of (Entry, np.ndarray of shape (T, F), float16)
    """
    with atomic_folder(path, FILES) as folder:
        offsets = [0]
        raw = folder / "moments.raw"  # a large corpus's are not for memory
        with (folder / "frames.f16").open("wb") as frames_file, raw.open("wb") as sums_file, \
                (folder / "utterances.jsonl").open("w", encoding="utf-8") as entries_file:
            for entry, frames in items:
                frames_file.write(np.ascontiguousarray(frames, "<f2").data)
                entries_file.write(entry.model_dump_json() + "\n")
                offsets.append(offsets[-1] + len(frames))
                sums_file.write(np.ascontiguousarray(moments(frames), "<f8").data)
        np.save(folder / "offsets.npy", np.array(offsets, np.int64))
        shape = (len(offsets) - 1, 3, config.dimension)
        np.save(folder / "moments.npy",
                np.memmap(raw, "<f8", "r", shape=shape) if shape[0] else np.zeros(shape))
        raw.unlink()
        with atomic_write(folder / "store.json") as file:
            json.dump({"format": FORMAT, "config": config.model_dump(), "hash": config_hash(config),
                       "entries": len(offsets) - 1, "frames": offsets[-1]}, file, indent=1)


@dataclass(frozen=True)
class Store:
    """An opened store.

    Attributes
    ----------
    entries : list of N Entry
    starts, lengths : np.ndarray, shape = (N,), int64
        First frame of each entry in the file, and its number of frames.
    moments : np.ndarray, shape = (N, 3, F), float64
        See `asr.features.cmvn.moments`; mapped into memory.
    """

    path: Path
    config: FeatureConfig
    entries: list[Entry]
    starts: np.ndarray
    lengths: np.ndarray
    moments: np.ndarray
    _frames: np.ndarray

    @classmethod
    def open(cls, path: Path, expected: FeatureConfig | None = None) -> "Store":
        """Map a store into memory.

        Raises
        ------
        AsrError
            No finished store is there, its files do not fit together, or it was made with another
            configuration than `expected`; the fields that differ are named.
        """
        if not path.is_dir():
            raise AsrError(f"{path}: no feature store; make it with `asr features`")
        if not (path / "store.json").exists():
            raise AsrError(f"{path}: not a finished feature store (no store.json); make it anew "
                           "with `asr features`")
        try:
            header = json.loads(read_text(path / "store.json"))
            if header["format"] != FORMAT:
                raise AsrError(f"{path}: store format {header['format']}, this version reads "
                               f"{FORMAT}; make it anew with `asr features`")
            config = parse_config(FeatureConfig, header["config"], f"{path}/store.json")
            if config_hash(config) != header["hash"]:
                raise AsrError(f"{path}/store.json: the configuration was edited after the "
                               "features were made; make the store anew with `asr features`")
            entries = _entries(path / "utterances.jsonl")
            shape = (int(header["frames"]), config.dimension)
            offsets = _load(path / "offsets.npy", "<i8", (len(entries) + 1,))
            sums = _load(path / "moments.npy", "<f8", (len(entries), 3, config.dimension))
            if not (len(entries) == header["entries"]
                    and offsets[0] == 0 and offsets[-1] == shape[0]
                    and (np.diff(offsets) >= 0).all()
                    and (path / "frames.f16").stat().st_size == 2 * shape[0] * shape[1]):
                raise ValueError("its files do not fit together")
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise AsrError(f"{path}: damaged feature store ({one_line(error)}); make it anew with "
                           "`asr features`") from None
        frames = (np.memmap(path / "frames.f16", "<f2", "r", shape=shape) if shape[0]
                  else np.zeros(shape, np.float16))
        store = cls(path, config, entries, offsets[:-1], np.diff(offsets), sums, frames)
        if expected is not None:
            store.check(expected)
        return store

    def check(self, expected: FeatureConfig) -> None:
        """Raise an `AsrError` that names what differs if it was made with another configuration."""
        changed = [f"{name}={getattr(self.config, name)!r}, not {getattr(expected, name)!r}"
                   for name in FeatureConfig.model_fields
                   if getattr(self.config, name) != getattr(expected, name)]
        if changed:
            raise AsrError(f"{self.path}: made with {'; '.join(changed)}; make it anew with "
                           "`asr features`")

    def check_plain(self) -> None:
        """Raise an `AsrError` if there are copies of utterances, which are for training alone."""
        copies = len(self) - len({entry.id for entry in self.entries})
        if copies:
            raise AsrError(f"{self.path}: {copies} of {len(self)} entries are copies of others, "
                           "for training; make another store, without --speeds and --augment")

    def __len__(self) -> int:
        return len(self.entries)

    def texts(self, name: str) -> list[str]:
        """The transcripts after the normaliser of that name."""
        normalise = normaliser(name)
        return [normalise(entry.text) for entry in self.entries]

    def frames(self, index: int) -> np.ndarray:
        """Frames of entry `index`, shape (T, F), float16; a view into the mapped file."""
        return self._frames[self.starts[index]:self.starts[index] + self.lengths[index]]

    def fingerprint(self, labels: Iterable[Any]) -> str:
        """16 hex digits that change with the entries, their frames and what each is labelled with.

        The sums in `moments` stand for the frames.
        """
        digest = hashlib.sha256(np.ascontiguousarray(self.lengths).data)
        digest.update(np.ascontiguousarray(self.moments).data)
        for entry, label in zip(self.entries, labels, strict=True):
            digest.update(repr((entry.id, entry.speaker, entry.speed, entry.copy_number, label))
                          .encode())
        return digest.hexdigest()[:16]

    def subset(self, indexes: Sequence[int]) -> "Store":
        """A store of some of the entries, with the same mapped file."""
        return replace(self, entries=[self.entries[i] for i in indexes],
                       starts=self.starts[indexes], lengths=self.lengths[indexes],
                       moments=self.moments[indexes])


def _entries(path: Path) -> list[Entry]:
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            entries.append(parse_record(line, Entry))
        except AsrError as error:
            raise ValueError(f"{path.name}:{number}: {error}") from None
    return entries


def _load(path: Path, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Map an array that must have this type and shape into memory."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")  # np.load takes other files too
    except (tokenize.TokenError, SyntaxError, EOFError) as error:
        raise ValueError(f"{path.name}: {error.args[0]}") from None
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{path.name}: {array.dtype.str} {array.shape}, not {dtype} {shape}")
    return np.asarray(array)

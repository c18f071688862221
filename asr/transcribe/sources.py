"""What `asr transcribe` is given: files, folders, manifests and standard input."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr.audio import audio_below, audio_blocks, audio_info
from asr.errors import AsrError
from asr.files import cannot_write, file_name
from asr.manifest import read_manifest

STDIN = Path("-")


@dataclass(frozen=True)
class Source:
    """A recording to transcribe."""

    name: str
    """What its transcript calls it."""
    target: Path
    """Where its transcript goes below the folder for output, without suffix."""
    audio: Path
    """A file, or `STDIN`."""
    start: float = 0.0
    duration: float | None = None
    """Seconds; the part of the file to transcribe."""
    manifest: Path | None = None
    """That names it."""

    @property
    def bare_name(self) -> str:
        """Its name without folder and suffix, which the id of an utterance does not have."""
        return Path(self.name).stem if self.manifest is None else self.name

    def blocks(self, sample_rate: int) -> Iterator[np.ndarray]:
        """Its samples, see `asr.audio.audio_blocks`."""
        if self.audio != STDIN:
            yield from audio_blocks(self.audio, sample_rate, self.start, self.duration)
            return
        with tempfile.TemporaryFile() as file:  # formats are read by seeking
            try:
                shutil.copyfileobj(sys.stdin.buffer, file)
            except OSError as error:
                raise cannot_write(Path(tempfile.gettempdir()), error) from error
            yield from audio_blocks(file, sample_rate)

    def seconds(self) -> float:
        """Its length by the file's header; 0 where that tells none."""
        try:
            if self.duration is None:
                return 0.0 if self.audio == STDIN else audio_info(self.audio).duration
        except AsrError:  # which reading it will raise again
            return 0.0
        return self.duration

    def changed(self) -> float:
        """When what it depends on was last changed, in seconds; infinity for standard input."""
        if self.audio == STDIN:
            return float("inf")
        try:
            return max(path.stat().st_mtime for path in (self.audio, self.manifest) if path)
        except (OSError, ValueError):  # which reading it will raise again
            return float("inf")


def find_sources(arguments: Sequence[Path]) -> list[Source]:
    """Expand arguments: a file is a recording, a folder has some at any depth, a manifest
    (.jsonl) lists parts of recordings, `-` is audio on standard input.

    Raises
    ------
    AsrError
        A folder holds no audio file, a manifest cannot be read or has an id that cannot name a
        file, or standard input is asked for twice. Whether files are there is not asked.
    """
    sources: list[Source] = []
    for argument in arguments:
        if argument == STDIN:
            if any(source.audio == STDIN for source in sources):
                raise AsrError("- can be given only once: standard input is read to its end")
            sources.append(Source("stdin", Path("stdin"), STDIN))
        elif argument.suffix == ".jsonl":
            sources += [Source(u.id, _inside(argument, u.id), Path(u.audio), u.start, u.duration,
                               argument) for u in read_manifest(argument)]
        elif os.path.isdir(argument):  # noqa: PTH112 (Path.is_dir raises where it may not look)
            sources += [Source(file_name(path), path.relative_to(argument).with_suffix(""), path)
                        for path in audio_below(argument)]
        else:
            sources.append(Source(file_name(argument), Path(argument.stem), argument))
    return sources


def _inside(manifest: Path, utterance: str) -> Path:
    path = Path(utterance)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in utterance:
        raise AsrError(f"{manifest}: id {utterance!r} cannot be the name of a file")
    return path

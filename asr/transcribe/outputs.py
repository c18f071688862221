"""Where transcripts go: stdout, as they come, or a folder that a later run can go on with."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from asr.console import printable
from asr.errors import AsrError
from asr.files import atomic_write, cannot_write, read_text, write_stdout
from asr.progress import log
from asr.shards import digest
from asr.transcribe.sources import Source
from asr.transcribe.transcribe import Segment, Transcript
from asr.transcribe.writers import FORMATS, check_stdout, ctm_name

STATE = ".asr-transcribe.json"
WRITTEN = ".asr-transcribe.files"
"""A line, JSON, for each file of a folder that some run has written or was about to."""


class Stdout:
    """One format on stdout; text segment by segment, with the recording's name if there are
    several.

    Raises
    ------
    AsrError
        There are several formats, or several recordings and a format that cannot hold them or
        tell them apart.
    """

    def __init__(self, sources: Sequence[Source], formats: Sequence[str]) -> None:
        check_stdout(formats, FORMATS[formats[0]].joins, len(sources), "files")
        self._format = formats[0]
        if self._format == "ctm":
            seen: dict[str, Source] = {}
            for source in sources:
                other = seen.setdefault(ctm_name(source.bare_name), source)
                if other is not source:
                    raise AsrError(f"{other.name} and {source.name} would both be called "
                                   f"{ctm_name(source.bare_name)} in CTM; take --output DIR")
        self._labelled = len(sources) > 1

    def segment(self, source: Source, segment: Segment) -> None:
        """Show what a recording has further on."""
        if self._format == "text" and segment.text:
            write_stdout(f"{printable(source.name)}: {segment.text}\n" if self._labelled
                         else f"{segment.text}\n")

    def transcript(self, source: Source, transcript: Transcript) -> None:
        """Write the whole."""
        if self._format != "text":
            write_stdout(FORMATS[self._format].render(transcript))
        elif self._labelled and not transcript.text:  # named all the same
            write_stdout(f"{printable(source.name)}:\n")


class Folder:
    """A file for each recording and format in a folder, each whole or not there.

    Raises
    ------
    AsrError
        Two recordings would be written to one file, a file is there that no run of ours can have
        written, or the folder cannot be made.
    """

    def __init__(self, sources: Sequence[Source], formats: Sequence[str], folder: Path) -> None:
        self._formats = formats
        self._folder = folder
        seen: dict[Path, Source] = {}
        for source in sources:
            if source.target in seen:
                raise AsrError(f"{seen[source.target].name} and {source.name} would both be "
                               f"written as {folder / source.target}.*; give them separate "
                               "--output folders, or the folder that holds both")
            seen[source.target] = source
        try:
            there = [path for source in sources for _, path in self._files(source)
                     if path.exists()]
            # In this order: another process says what it will write before it does.
            ours = self._written() if there else set()
            for path in there:
                if self._line(path) not in ours:
                    raise AsrError(f"{path} was not written by asr transcribe, which would replace "
                                   "it; choose another --output folder or remove it")
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error

    def unfinished(self, sources: Sequence[Source], depends: Iterable[str | Path]) -> list[Source]:
        """Those that are not yet there in all formats, made of what is there now.

        Parameters
        ----------
        depends : iterable of str or Path
            What transcripts depend on besides their recordings, see `asr.shards.digest`. The folder
            keeps the digest: with another one nothing in it counts.
        """
        state = self._folder / STATE
        content = json.dumps({"schema": "asr.transcripts", "version": 1,
                              "depends": digest(depends)}) + "\n"
        if not state.exists() or read_text(state) != content:
            with atomic_write(state) as file:
                file.write(content)
        since = state.stat().st_mtime
        left = [source for source in sources
                if self._made(source) < max(since, source.changed())]
        if len(left) < len(sources):
            log(f"asr: {len(sources) - len(left)} of {len(sources)} were there already")
        return left

    def segment(self, source: Source, segment: Segment) -> None:
        """Nothing yet: files appear as a whole."""

    def transcript(self, source: Source, transcript: Transcript) -> None:
        """Write all formats."""
        for name, path in self._files(source):
            try:
                with (self._folder / WRITTEN).open("a", encoding="utf-8") as file:
                    file.write(self._line(path))
            except OSError as error:
                raise cannot_write(self._folder / WRITTEN, error) from error
            with atomic_write(path) as file:
                file.write(FORMATS[name].render(transcript))

    def _files(self, source: Source) -> list[tuple[str, Path]]:
        base = self._folder / source.target
        return [(name, base.with_name(f"{base.name}.{FORMATS[name].extension}"))
                for name in self._formats]

    def _line(self, path: Path) -> str:
        return json.dumps(str(path.relative_to(self._folder))) + "\n"

    def _written(self) -> set[str]:
        try:
            with (self._folder / WRITTEN).open(encoding="utf-8") as file:
                return set(file)
        except FileNotFoundError:
            return set()

    def _made(self, source: Source) -> float:
        """When the oldest of its files was written, in seconds; 0 if one is missing."""
        try:
            return min(path.stat().st_mtime for _, path in self._files(source))
        except OSError:
            return 0.0

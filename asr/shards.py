"""Work in parts by processes that know nothing of each other but the folder they write to.

Items are dealt out like cards: item j of a list is in shard j mod n + 1. Neighbours resemble each
other (one speaker, one chapter, one length), so every shard gets about the same amount of work
without anybody knowing what an item costs, and the list and n alone say what is whose.

Until all are there, the parts of a result lie beside it:

    NAME.parts-<n>-<digest>/<i>    each written atomically: what is there is finished

The digest is of all that the result depends on, so parts of other settings or other data have
another folder. Whoever finds all parts there merges them and removes the folder.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from asr import __version__
from asr.errors import AsrError
from asr.files import cannot_write, sha256
from asr.locks import lock
from asr.progress import log

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count`."""

    number: int
    count: int

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """The items that belong to it, in their order."""
        return items[self.number - 1::self.count]

    def __str__(self) -> str:
        return f"part {self.number} of {self.count}"


WHOLE = Shard(1, 1)


def this_shard(text: str | None) -> Shard:
    """This process's shard: `text` is "I/N"; torchrun's processes share it, or everything.

    Raises
    ------
    AsrError
        `text` is something else, or I is not from 1 to N.
    """
    number, slash, count = ("1/1" if text is None else text).partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise AsrError(f"--shard {text}: expected I/N, with I from 1 to N, e.g. 1/8")
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    return Shard((int(number) - 1) * world + rank + 1, int(count) * world)


def write_in_parts(target: Path, shard: Shard, sources: Iterable[str | Path],
                   write: Callable[[Path], None], merge: Callable[[Sequence[Path]], None]) -> None:
    """Write a shard's part of `target` unless it is there, and merge the parts if it is the last.

    Of several processes that finish at once, one merges and the others wait for it; if it dies,
    the next one does.

    Parameters
    ----------
    sources : iterable of str or Path
        What the result depends on, as texts and as files.
    write : callable
        Writes the shard's part to a path, atomically; `target` itself where there is one shard.
    merge : callable
        Writes `target` from all parts, in the order of the shards, atomically.
    """
    if shard.count == 1:
        write(target)
        return
    if not target.name:
        raise AsrError(f"cannot write {target}: name a file or folder of its own")
    folder = target.with_name(f"{target.name}.parts-{shard.count}-{digest(sources)}")
    parts = [folder / str(number) for number in range(1, shard.count + 1)]
    if parts[shard.number - 1].exists():
        log(f"asr: {target}: {shard} was there already")
    else:
        write(parts[shard.number - 1])
    missing = [part.name for part in parts if not part.exists()]
    if missing:
        log(f"asr: {target}: {shard} is there; to be merged with " + ", ".join(missing[:10])
            + (" …" if len(missing) > 10 else ""))
    else:
        _merge(target, folder, parts, merge)


def digest(sources: Iterable[str | Path]) -> str:
    """16 hex digits that change with the texts, with the files' content and with the version."""
    names = [sha256(source) if isinstance(source, Path) else source for source in sources]
    return hashlib.sha256(json.dumps([__version__, *names]).encode()).hexdigest()[:16]


def _merge(target: Path, folder: Path, parts: Sequence[Path],
           merge: Callable[[Sequence[Path]], None]) -> None:
    old = folder.with_name(f"{folder.name}-merged")
    try:
        with lock(folder / "lock"):
            if all(part.exists() for part in parts):  # else another has merged them meanwhile
                log(f"asr: {target}: merging {len(parts)} parts")
                merge(parts)
                shutil.rmtree(old, ignore_errors=True)
                folder.rename(old)  # before others have the lock; clearing up takes longer
    except OSError as error:
        if folder.exists():  # else another has merged them meanwhile
            raise cannot_write(target, error) from error
    shutil.rmtree(old, ignore_errors=True)

"""Progress for people: a bar on a terminal, a plain line now and then elsewhere; to stderr."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from asr.parallel import under_torchrun

T = TypeVar("T")
_LINE_EVERY = 30.0  # seconds


def log(message: str) -> None:
    """Say something on stderr."""
    print(message, file=sys.stderr, flush=True)


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass `items` on and show how many (of `total`, if that is known) have gone by."""
    # Torchrun's processes share a terminal: bars would overwrite each other.
    if sys.stderr.isatty() and not under_torchrun():
        # Here: those who only log need not wait for it.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            yield from progress.track(items, total=total, description=description)
        return
    last = time.monotonic()
    for count, item in enumerate(items):
        if time.monotonic() - last > _LINE_EVERY:
            last = time.monotonic()
            log(f"{description}: {count}{f' of {total}' if total else ''}")
        yield item

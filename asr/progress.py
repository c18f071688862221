"""Progress for people: a bar on a terminal, a plain line now and then elsewhere; to stderr."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from asr.parallel import under_torchrun

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")
D = TypeVar("D")
_LINE_EVERY = 30.0  # seconds


def log(message: str) -> None:
    """Say something on stderr."""
    print(message, file=sys.stderr, flush=True)


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass `items` on and show how many (of `total`, if that is known) have gone by."""
    if _bars():
        from rich.progress import MofNCompleteColumn

        with _bar(MofNCompleteColumn()) as progress:
            yield from progress.track(items, total=total, description=description)
        return
    yield from _with_lines(
        enumerate(items),
        lambda count, _: f"{description}: {count}{f' of {total}' if total else ''}")


def track_bytes(done: Iterable[tuple[int, int | None]], description: str) -> None:
    """As `track`, of a transfer, which is done by exhausting `done`.

    Parameters
    ----------
    done : iterable of (int, int or None)
        How many bytes have come, and of how many in all, if that is known.
    """
    if _bars():
        from rich.progress import DownloadColumn, TransferSpeedColumn

        with _bar(DownloadColumn(), TransferSpeedColumn()) as bar:
            task = bar.add_task(description, total=None)
            for completed, total in done:
                bar.update(task, completed=completed, total=total)
        return

    def line(state: tuple[int, int | None], _: float) -> str:
        completed, total = state
        of = f" of {total / 1e6:,.0f}" if total else ""
        return f"{description}: {completed / 1e6:,.0f}{of} MB"

    for _ in _with_lines(((state, None) for state in done), line):
        pass


def track_audio(items: Iterable[tuple[float, T]], description: str, total: float) -> Iterator[T]:
    """As `track`, of audio: how much of it has gone by, how fast, and how long the rest will take.

    Parameters
    ----------
    items : iterable of (seconds, item)
        How much audio has gone by with the item and all before it.
    total : float
        Seconds, as far as is known.
    """
    if _bars():
        from rich.progress import TextColumn

        began = time.monotonic()
        with _bar(TextColumn("{task.fields[gone]}"), TextColumn("{task.fields[speed]}")) as bar:
            task = bar.add_task(description, total=total or None, gone="", speed="")
            for done, item in items:
                bar.update(task, completed=done, gone=_gone_by(done, total),
                           speed=real_time_factor(done, time.monotonic() - began))
                yield item
        return

    def line(done: float, elapsed: float) -> str:
        left = f", {clock((total - done) * elapsed / done)} left" if 0 < done <= total else ""
        return f"{description}: {_gone_by(done, total)}, {real_time_factor(done, elapsed)}{left}"

    yield from _with_lines(items, line)


def _with_lines(items: Iterable[tuple[D, T]], line: Callable[[D, float], str]) -> Iterator[T]:
    """Pass the items on; now and then say a line of what is done, and in how many seconds."""
    began = last = time.monotonic()
    for done, item in items:
        if time.monotonic() - last > _LINE_EVERY:
            last = time.monotonic()
            log(line(done, last - began))
        yield item


def _gone_by(done: float, total: float) -> str:
    """How many seconds, and of how many unless that is not known: a stream's length, say."""
    return f"{done:,.0f} of {total:,.0f} s" if done <= total else f"{done:,.0f} s"


def real_time_factor(audio: float, wall: float) -> str:
    """Time taken over the audio's length, both in seconds, for people."""
    return f"real-time factor {wall / audio:.3f}" if audio else "no audio"


def clock(seconds: float) -> str:
    """H:MM:SS."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _bars() -> bool:
    """Torchrun's processes share a terminal: bars would overwrite each other."""
    return sys.stderr.isatty() and not under_torchrun()


def _bar(*columns: "ProgressColumn") -> "Progress":
    # Here: those who only log need not wait for it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    # Left alone, or rich would take results over to its own stream.
    return Progress(TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn(),
                    console=Console(stderr=True), redirect_stdout=False)

"""Texts for people who wait for them: rewritten in place on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from asr.console import printable
from asr.files import write_stdout
from asr.listen.text_stream import Final, Partial

if TYPE_CHECKING:
    from rich.console import Console


def final_line(final: Final) -> str:
    """Start and end in seconds, and the text, by tabs (as Audacity's labels)."""
    return f"{final.words[0].start:.2f}\t{final.words[-1].end:.2f}\t{printable(final.text)}"


def show_plainly(event: Partial | Final) -> None:
    """Print a final text."""
    if isinstance(event, Final):
        write_stdout(f"{final_line(event)}\n")


@contextmanager
def rewritten(console: "Console") -> Iterator[Callable[[Partial | Final], None]]:
    """Show final texts, and below them the partial one, what may still change dimmed."""
    from rich.live import Live
    from rich.text import Text

    with Live(console=console, auto_refresh=False, transient=True, redirect_stderr=False) as live:
        def show(event: Partial | Final) -> None:
            if isinstance(event, Final):
                live.update(Text())
                console.print(Text(final_line(event).expandtabs()), soft_wrap=True)
                return
            words = [Text(printable(word), "" if place < event.stable else "dim")
                     for place, word in enumerate(event.words)]
            live.update(Text(" ").join(words), refresh=True)
        yield show

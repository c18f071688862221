"""Text for people: printed to a buffer 80 columns wide, without what could steer a terminal."""

import io

from rich.console import Console

_WIDTH = 80
_JOINERS = "\u200c\u200d"  # zero width, unprintable to Python, at home in Persian and Hindi words


def text_console(colour: bool) -> tuple[Console, io.StringIO]:
    """What tables and texts are printed to, and the buffer where they arrive."""
    buffer = io.StringIO()
    return Console(file=buffer, width=_WIDTH, force_terminal=colour, highlight=False,
                   color_system="standard" if colour else None, legacy_windows=False), buffer


def without_trailing_spaces(buffer: io.StringIO) -> str:
    """The lines that were printed."""
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())


def printable(text: str) -> str:
    """Without what would steer a terminal: escapes, controls, changes of direction."""
    return "".join(c if c.isprintable() or c in _JOINERS else "\ufffd" for c in text)

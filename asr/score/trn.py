"""NIST's transcript format (.trn): `words of the utterance (id)`, one utterance a line."""

import re
from collections.abc import Iterable
from pathlib import Path

from asr.errors import AsrError
from asr.files import atomic_write, read_lines

_LINE = re.compile(r"(?:(?P<text>.*)\s)?\((?P<id>.+)\)\s*", re.DOTALL)


def read_trn(path: Path) -> dict[str, str]:
    """Read a .trn file: text by id, in the file's order.

    The id is what stands in the last parentheses that follow white space, so an id may hold
    parentheses itself: `yes (no) (a(1))` is the text `yes (no)` of utterance `a(1)`.

    Raises
    ------
    AsrError
        The file is missing, a line has no id, or an id occurs twice; file and line are named.
    """
    texts: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise AsrError(f"{path}:{number}: expected `text (id)`, found {line[:60]!r}")
        utterance = match["id"]
        if utterance in lines:
            raise AsrError(f"{path}:{number}: id {utterance!r} was already on line "
                           f"{lines[utterance]}; ids must be unique")
        lines[utterance] = number
        texts[utterance] = match["text"] or ""
    return texts


def write_trn(path: Path, texts: Iterable[tuple[str, str]]) -> None:
    """Write pairs of id and text; white space in a text becomes single spaces.

    Raises
    ------
    AsrError
        An id could not be read back (it holds a line break, or ` (`), or the file cannot be
        written.
    """
    with atomic_write(path) as file:
        for utterance, text in texts:
            line = f"{' '.join(text.split())} ({utterance})"
            match = _LINE.fullmatch(line)
            if set(utterance) & set("\r\n") or match is None or match["id"] != utterance:
                raise AsrError(f"id {utterance!r} cannot stand in a .trn file; rename the "
                               "utterance")
            file.write(line + "\n")

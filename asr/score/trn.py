"""NIST's transcript format (.trn): `words of the utterance (id)`, one utterance a line."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from sys import intern

from asr.errors import AsrError
from asr.files import atomic_write, read_lines
from asr.score.transcript import Side, Transcript, by_id

_LINE = re.compile(r"\s*(?:(?P<text>.*)\s)?\((?P<id>.+)\)\s*", re.DOTALL)


def read_trn(path: Path) -> Side:
    """Read a .trn file.

    The id is what stands in the last parentheses that follow white space, so an id may hold
    parentheses itself: `yes (no) (a(1))` is the text `yes (no)` of utterance `a(1)`. As in
    sclite (`-i spu_id`), the speaker is the part of the id before its first `-`, or without one
    before its first `_`, and a line that begins with `;;` is a comment.

    Raises
    ------
    AsrError
        The file is missing, a line has no id or holds alternations, or an id occurs twice; file
        and line are named.
    """
    return by_id(path, _rows(path))


def _rows(path: Path) -> Iterator[tuple[int, str, Transcript]]:
    for number, line in enumerate(read_lines(path), start=1):
        match = _LINE.fullmatch(line)
        if line.startswith(";;") or not (match or line.strip()):
            continue
        if match is None:
            raise AsrError(f"{path}:{number}: expected `text (id)`, found {line[:60]!r}")
        text, utterance = match.groups()
        text = text.rstrip() if text else ""
        refuse_alternations(path, number, text)
        speaker, dash, _ = utterance.partition("-" if "-" in utterance else "_")
        yield number, utterance, Transcript(
            text, intern(speaker) if dash and speaker else None)


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
            if not fits_trn(utterance):
                raise AsrError(f"id {utterance!r} cannot stand in a .trn file; rename the "
                               "utterance")
            line = f"{' '.join(text.split())} ({utterance})"
            # sclite skips a line that begins so; behind a space it reads the words.
            file.write(f" {line}\n" if line.startswith((";;", "**")) else line + "\n")


def fits_trn(utterance: str) -> bool:
    """Whether an id could be read back from a .trn file."""
    match = _LINE.fullmatch(f"({utterance})")
    return not set(utterance) & set("\r\n") and match is not None and match["id"] == utterance


def refuse_alternations(path: Path, number: int, text: str) -> None:
    """Raise an `AsrError` if a text of NIST's formats gives a choice, as `{ a / b }`."""
    if "{" in text and {"{", "/", "}"} <= set(text.split()):
        raise AsrError(f"{path}:{number}: alternations (`{{ a / b }}`) are not supported; write "
                       "one of them")

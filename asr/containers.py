"""Whether an audio file is whole: libsndfile passes over a missing end in silence."""

import math
import os
import re
import struct
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

_STREAMED = 0x7fff0000  # bytes; from here on a header means that nobody knew how many
_STREAMED_AIFF = 0x7f000000  # SoX's
_OGG_PAGE = 27 + 255 + 255 * 255  # bytes of the longest page
_SPHERE = [re.compile(field) for field in (
    rb"NIST_1A\s+(\d+)", rb"\bsample_count -i (\d+)", rb"\bchannel_count -i (\d+)",
    rb"\bsample_n_bytes -i (\d+)")]


def cut_off(source: Path | BinaryIO, kind: str) -> bool:
    """Whether a file ends before its header says.

    Parameters
    ----------
    kind : str
        libsndfile's name of the format; of others than those here it is not known.
    """
    if kind not in _ENDS:
        return False
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        place = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        cut = _ENDS[kind](file, end)
        file.seek(place)
    return cut


def _wav(file: BinaryIO, end: int) -> bool:
    order = ">" if file.read(12).startswith(b"RIFX") else "<"
    while len(header := file.read(8)) == 8 and any(header[:4]):  # not through hours of silence
        name, size = struct.unpack(f"{order}4sI", header)
        if name == b"data":
            return size < _STREAMED and file.tell() + size > end
        file.seek(size + size % 2, os.SEEK_CUR)
    return False


def _rf64(file: BinaryIO, end: int) -> bool:
    size, = struct.unpack("<20xQ", file.read(28))
    return end + 1 < 8 + size < 1 << 62


def _caf(file: BinaryIO, end: int) -> bool:
    file.seek(8)
    while len(header := file.read(12)) == 12:
        name, size = struct.unpack(">4sq", header)
        if file.tell() + size > end:
            return True
        if name == b"data" or size < 0:  # -1: as far as it goes
            return False
        file.seek(size, os.SEEK_CUR)
    return False


def _ogg(file: BinaryIO, end: int) -> bool:
    """By its last page. Many files, Android's say, mark no page as the last."""
    file.seek(max(end - _OGG_PAGE, 0))
    tail = file.read()
    page = tail[tail.rfind(b"OggS"):]
    if len(page) < 27:
        return True
    length = 27 + page[26] + sum(page[27:27 + page[26]])
    marked = page[5] & 4
    return length > len(page) or (length < len(page) and not marked)


def _aiff(file: BinaryIO, end: int) -> bool:
    _, size = struct.unpack(">4sI", file.read(8))
    return size < _STREAMED_AIFF and 8 + size > end + 1  # not all writers fill up an odd end


def _au(file: BinaryIO, end: int) -> bool:
    order = "<" if file.read(4) == b"dns." else ">"
    offset, size = struct.unpack(f"{order}II", file.read(8))
    return size < _STREAMED and offset + size > end


def _w64(file: BinaryIO, end: int) -> bool:
    _, size = struct.unpack("<16sQ", file.read(24))
    return end + 7 < size < 1 << 62  # a multiple of 8 in some writers' sums alone


def _sphere(file: BinaryIO, end: int) -> bool:
    header = file.read(1024)
    fields = [int(found[1]) for field in _SPHERE if (found := field.search(header))]
    return len(fields) == len(_SPHERE) and fields[0] + math.prod(fields[1:]) > end


_ENDS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "WAV": _wav, "WAVEX": _wav, "RF64": _rf64, "OGG": _ogg, "AIFF": _aiff, "AU": _au, "W64": _w64,
    "CAF": _caf, "NIST": _sphere}

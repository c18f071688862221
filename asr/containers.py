"""Whether an audio file is whole: libsndfile passes over a missing end in silence."""

import os
import re
import struct
from collections.abc import Callable
from typing import BinaryIO

_STREAMED = 0x7f000000  # bytes; from here on a header means that nobody knew how many
_OGG_PAGE = 27 + 255 + 255 * 255  # bytes of the longest page
_SPHERE_FIELD = r"\b{} -i (\d+)"


def cut_off(file: BinaryIO, kind: str) -> bool:
    """Whether a file ends before its header says.

    Parameters
    ----------
    kind : str
        libsndfile's name of the format; of others than those here it is not known.
    """
    if kind not in _ENDS:
        return False
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
    return size < _STREAMED and 8 + size > end + 1  # not all writers fill up an odd end


def _au(file: BinaryIO, end: int) -> bool:
    order = "<" if file.read(4) == b"dns." else ">"
    offset, size = struct.unpack(f"{order}II", file.read(8))
    return size < _STREAMED and offset + size > end


def _w64(file: BinaryIO, end: int) -> bool:
    _, size = struct.unpack("<16sQ", file.read(24))
    return end + 7 < size < 1 << 62  # a multiple of 8 in some writers' sums alone


def _sphere(file: BinaryIO, end: int) -> bool:
    header = file.read(1024).decode("latin-1")
    fields = [re.search(_SPHERE_FIELD.format(name), header)
              for name in ("sample_count", "channel_count", "sample_n_bytes")]
    size = 1
    for field in fields:
        if field is None:
            return False
        size *= int(field[1])
    return int(header[8:16]) + size > end


_ENDS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "WAV": _wav, "WAVEX": _wav, "OGG": _ogg, "AIFF": _aiff, "AU": _au, "W64": _w64,
    "NIST": _sphere}

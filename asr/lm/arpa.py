"""ARPA files: the text format of n-gram models that all tools share.

Read in compiled code from the whole file in memory: tens of millions of numbers and words in
seconds. Words are looked up in a hash table of the unigrams' bytes.
"""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from asr.errors import AsrError
from asr.files import atomic_write_packed, open_packed
from asr.lm.ngram import SPECIAL, UNKNOWN, Level, NgramModel, children_of
from asr.progress import track

MAX_ORDER = 5
CAPITAL_UNKNOWN = "<UNK>"
"""What some tools call <unk>."""
_LN10 = math.log(10)
_LARGEST = float(np.finfo(np.float32).max) / _LN10  # log10 that has a float32 as natural logarithm
_NO_UNKNOWN = -100.0  # log10 probability of words unknown to a model without <unk>, as KenLM's
_HEADER = re.compile(rb"ngram\s+(\d+)\s*=\s*(\d+)\s*$")
_SHORTEST = 4  # bytes of an n-gram's line: "0\ta\n"
_CHUNK = 1 << 12  # n-grams whose strings are in memory at once

_OK, _NUMBER, _POSITIVE, _WORDS, _UNKNOWN_WORD, _LONG, _ENDED = range(7)
_FAULTS = {
    _NUMBER: "no finite number of 32 bits where one belongs",
    _POSITIVE: "a log probability above 0",
    _WORDS: "too few words",
    _UNKNOWN_WORD: "a word that is no unigram",
    _LONG: "more than a back-off weight after the words",
    _ENDED: "the section ends before the announced number of n-grams",
}


def read_arpa(path: Path) -> NgramModel:
    """Read a model, plain or compressed by gzip or xz.

    Raises
    ------
    AsrError
        The file is missing, cut off, or no ARPA file of orders 1 to 5; the line is named.
    """
    with open_packed(path) as file:
        text = file.read()
    return _Reader(path, text).model()


class _Words(NamedTuple):
    """A hash table of the unigrams' bytes: open addressing, linear probing."""

    slots: np.ndarray  # place in `start` and `length`, or -1; size a power of two
    start: np.ndarray  # first byte in the text
    length: np.ndarray
    number: np.ndarray  # index of the word


class _Section(NamedTuple):
    """What a section of n-grams is read into; one row each."""

    words: np.ndarray
    log_prob: np.ndarray
    back_off: np.ndarray


@njit(nogil=True)
def _hash(text: np.ndarray, start: int, length: int) -> np.int64:
    """FNV-1a of 64 bits, as a non-negative number."""
    value = np.uint64(0xCBF29CE484222325)
    for i in range(start, start + length):
        value = (value ^ np.uint64(text[i])) * np.uint64(0x100000001B3)
    return np.int64(value >> np.uint64(1))


@njit(nogil=True)
def _find_slot(text: np.ndarray, words: _Words, start: int, length: int) -> np.int64:
    """The slot that holds a word, or the empty one where it belongs."""
    mask = len(words.slots) - 1
    slot = _hash(text, start, length) & mask
    while True:
        place = words.slots[slot]
        if place < 0:
            return slot
        known = words.start[place]
        if np.array_equal(text[known:known + words.length[place]], text[start:start + length]):
            return slot
        slot = (slot + 1) & mask


@njit(nogil=True, cache=True)
def _enter_words(text: np.ndarray, words: _Words) -> int:
    """Fill the table; returns the place of the first word that is there twice, or -1."""
    for place in range(len(words.start)):
        slot = _find_slot(text, words, words.start[place], words.length[place])
        if words.slots[slot] >= 0:
            return place
        words.slots[slot] = place
    return -1


@njit(nogil=True)
def _is_space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@njit(nogil=True)
def _token(text: np.ndarray, position: int) -> tuple[int, int]:
    """Start and length of the next word of a line, length 0 at its end."""
    while position < len(text) and _is_space(text[position]) and text[position] != 10:
        position += 1
    end = position
    while end < len(text) and not _is_space(text[end]):
        end += 1
    return position, end - position


@njit(nogil=True)
def _number(text: np.ndarray, start: int, length: int) -> float:
    """A decimal number, NaN for anything else."""
    end = start + length
    i = start
    negative = i < end and text[i] == 45
    if i < end and (text[i] == 45 or text[i] == 43):
        i += 1
    value, scale, digits = 0.0, 0, 0
    while i < end and 48 <= text[i] <= 57:
        value = value * 10 + (text[i] - 48)
        digits += 1
        i += 1
    if i < end and text[i] == 46:
        i += 1
        while i < end and 48 <= text[i] <= 57:
            value = value * 10 + (text[i] - 48)
            digits += 1
            scale -= 1
            i += 1
    if digits == 0:
        return np.nan
    if i < end and (text[i] == 101 or text[i] == 69):
        i += 1
        sign = 1
        if i < end and (text[i] == 45 or text[i] == 43):
            sign = -1 if text[i] == 45 else 1
            i += 1
        exponent, first = 0, i
        while i < end and 48 <= text[i] <= 57 and exponent < 1000:
            exponent = exponent * 10 + (text[i] - 48)
            i += 1
        if i == first:
            return np.nan
        scale += sign * exponent
    if i < end:
        return np.nan
    value = value * 10.0 ** scale if scale >= 0 else value / 10.0 ** -scale
    return -value if negative else value


@njit(nogil=True, cache=True)
def _read_section(text: np.ndarray, position: int, known: _Words, section: _Section
                  ) -> tuple[int, int]:
    """Read the lines from `position` on into `section`; a fault, and where it or the end is."""
    count, order = section.words.shape
    for row in range(count):
        line = position
        start, length = _token(text, position)
        if length == 0 or text[start] == 92:
            return _ENDED, line
        value = _number(text, start, length)
        if not abs(value) <= _LARGEST:  # nor NaN
            return _NUMBER, line
        if value > 0:
            return _POSITIVE, line
        section.log_prob[row] = value
        for i in range(order):
            start, length = _token(text, start + length)
            if length == 0:
                return _WORDS, line
            place = known.slots[_find_slot(text, known, start, length)]
            if place < 0:
                return _UNKNOWN_WORD, line
            section.words[row, i] = known.number[place]
        start, length = _token(text, start + length)
        section.back_off[row] = 0
        if length > 0:
            value = _number(text, start, length)
            if not abs(value) <= _LARGEST:  # nor NaN
                return _NUMBER, line
            section.back_off[row] = value
            start, length = _token(text, start + length)
            if length > 0:
                return _LONG, line
        position = start + 1
    return _OK, position


@njit(nogil=True, cache=True)
def _word_places(text: np.ndarray, position: int, start: np.ndarray, length: np.ndarray) -> int:
    """Where the second token of each line lies; how many lines have one."""
    for row in range(len(start)):
        at, size = _token(text, position)
        if size == 0 or text[at] == 92:
            return row
        start[row], length[row] = _token(text, at + size)
        if length[row] == 0:
            return row
        position = start[row] + length[row]
        while position < len(text) and text[position] != 10:
            position += 1
        position += 1
    return len(start)


class _Reader:
    """One pass over the file, from the header to `\\end\\`."""

    def __init__(self, path: Path, text: bytes) -> None:
        self.path = path
        self.bytes = text
        self.text = np.frombuffer(text, np.uint8)
        self.position = 0
        self.levels: list[Level] = []
        self.first_child: list[np.ndarray] = []  # of each order's n-grams among the next order's

    def model(self) -> NgramModel:
        sizes = self._header()
        words, known = self._unigrams(sizes[0])
        for order, size in enumerate(sizes[1:], 2):
            self._ngrams(order, size, known)
        if self._line() != b"\\end\\":
            raise self._fault("\\end\\ is missing, or more n-grams than announced")
        return NgramModel(words, self.levels)

    def _fault(self, message: str, position: int | None = None) -> AsrError:
        at = self.position if position is None else position
        line = self.bytes[at:at + 60].split(b"\n")[0].decode("utf-8", "replace")
        return AsrError(f"{self.path}: line {self.bytes.count(10, 0, at) + 1}: {message} "
                        f"({line!r})")

    def _line(self) -> bytes:
        """The next line that is not blank; the position stays at its beginning."""
        while True:
            end = self.bytes.find(b"\n", self.position)
            end = len(self.bytes) if end < 0 else end
            line = self.bytes[self.position:end].strip()
            if line or end == len(self.bytes):
                return line
            self.position = end + 1

    def _skip_line(self) -> None:
        end = self.bytes.find(b"\n", self.position)
        self.position = len(self.bytes) if end < 0 else end + 1

    def _header(self) -> list[int]:
        self.position = max(self.bytes.find(b"\\data\\"), 0)
        if self._line() != b"\\data\\":
            raise AsrError(f"{self.path}: no ARPA language model (no \\data\\ section)")
        self._skip_line()
        sizes: list[int] = []
        while match := _HEADER.match(self._line()):
            # So many digits are too many already, and int() refuses thousands of them.
            order, size = (int(digits[:18]) for digits in match.groups())
            if order != len(sizes) + 1 or order > MAX_ORDER:
                raise self._fault(f"orders 1 to {MAX_ORDER} at most, one after the other")
            if size * _SHORTEST > len(self.bytes):
                raise self._fault("more n-grams announced than the file has room for")
            sizes.append(size)
            self._skip_line()
        if not sizes or not sizes[0]:
            raise self._fault("the number of unigrams (`ngram 1=…`) is missing")
        return sizes

    def _open_section(self, order: int) -> None:
        if self._line() != b"\\%d-grams:" % order:
            raise self._fault(f"\\{order}-grams: is missing, or more n-grams than announced")
        self._skip_line()

    def _read(self, order: int, size: int, known: _Words) -> _Section:
        section = _Section(np.empty((size, order), np.int32), np.empty(size), np.empty(size))
        fault, position = _read_section(self.text, self.position, known, section)
        if fault:
            raise self._fault(_FAULTS[fault], position)
        self.position = position
        return section

    def _unigrams(self, size: int) -> tuple[list[str], _Words]:
        self._open_section(1)
        start, length = np.zeros(size, np.int64), np.zeros(size, np.int64)
        read = _word_places(self.text, self.position, start, length)
        if read < size:
            raise AsrError(f"{self.path}: \\1-grams: has {read} lines of a number and a word, not "
                           f"the announced {size}")
        slots = np.full(1 << (2 * size).bit_length(), -1, np.int32)
        known = _Words(slots, start, length, np.empty(size, np.int32))
        twice = _enter_words(self.text, known)
        if twice >= 0:
            raise self._fault("this unigram is there twice", int(start[twice]))
        listed = [self._word(s, n) for s, n in zip(start.tolist(), length.tolist(), strict=True)]
        words = [*SPECIAL, *(word for word in listed if word not in SPECIAL)]
        number = {word: i for i, word in enumerate(words)}
        known.number[:] = [number[word] for word in listed]
        if listed.count(SPECIAL[UNKNOWN]) > 1:
            raise AsrError(f"{self.path}: the unigrams {SPECIAL[UNKNOWN]} and {CAPITAL_UNKNOWN} "
                           "are the same word; leave one")
        for word, does in (("<s>", "begin"), ("</s>", "end")):
            if word not in listed:
                raise AsrError(f"{self.path}: no unigram {word}, with which sentences {does}")
        section = self._read(1, size, known)
        log_prob, back_off = np.full(len(words), _NO_UNKNOWN), np.zeros(len(words))
        log_prob[section.words[:, 0]] = section.log_prob
        back_off[section.words[:, 0]] = section.back_off
        self._add(np.zeros(len(words), np.int32), np.arange(len(words), dtype=np.int32), log_prob,
                  back_off)
        return words, known

    def _word(self, start: int, length: int) -> str:
        try:
            word = self.bytes[start:start + length].decode()
        except UnicodeDecodeError:
            raise self._fault("a word that is not UTF-8", start) from None
        return SPECIAL[UNKNOWN] if word == CAPITAL_UNKNOWN else word

    def _ngrams(self, order: int, size: int, known: _Words) -> None:
        self._open_section(order)
        section = self._read(order, size, known)
        places = section.words[:, 0].copy()
        for n in range(1, order - 1):
            missing = children_of(self.first_child[n - 1], self.levels[n].word, places,
                               section.words[:, n])
            if missing >= 0:
                raise AsrError(f"{self.path}: {order}-gram {missing + 1} of its section: its first "
                               f"{n + 1} words are no {n + 1}-gram")
        words = section.words[:, -1]
        by_place = np.lexsort((words, places))
        places, words = places[by_place], words[by_place]
        twice = np.flatnonzero((places[1:] == places[:-1]) & (words[1:] == words[:-1]))
        if twice.size:
            raise AsrError(f"{self.path}: {order}-gram {by_place[twice[0] + 1] + 1} of its section "
                           "is there twice")
        self._add(places, words, section.log_prob[by_place], section.back_off[by_place])

    def _add(self, parent: np.ndarray, word: np.ndarray, log_prob: np.ndarray,
             back_off: np.ndarray) -> None:
        if self.levels:
            children = np.bincount(parent, minlength=len(self.levels[-1].word))
            self.first_child.append(np.concatenate([[0], np.cumsum(children)]))
        self.levels.append(Level(parent, word, (log_prob * _LN10).astype(np.float32),
                                 (back_off * _LN10).astype(np.float32)))


def write_arpa(path: Path, model: NgramModel) -> None:
    """Write a model; packed where the name ends in .gz or .xz."""
    levels = model.levels
    with atomic_write_packed(path) as file:
        file.write(b"\\data\\\n")
        for order, level in enumerate(levels, 1):
            file.write(b"ngram %d=%d\n" % (order, len(level.word)))
        for order, level in enumerate(levels, 1):
            file.write(b"\n\\%d-grams:\n" % order)
            for line in track(_lines(model.words, levels[:order]), f"write {order}-grams",
                              len(level.word)):
                file.write(line.encode())
        file.write(b"\n\\end\\\n")


def _lines(words: Sequence[str], levels: Sequence[Level]) -> Iterator[str]:
    """A line for each n-gram of the highest of `levels`, not all of their strings at once."""
    highest = levels[-1]
    for first in range(0, len(highest.word), _CHUNK):
        places = np.arange(first, min(first + _CHUNK, len(highest.word)))
        log_probs = (highest.log_prob[places].astype(np.float64) / _LN10).tolist()
        back_offs = (highest.back_off[places].astype(np.float64) / _LN10).tolist()
        columns: list[list[str]] = []  # of words, the last ones first
        for level in reversed(levels):
            columns.append([words[i] for i in level.word[places].tolist()])
            places = level.parent[places]
        for p, b, *ngram in zip(log_probs, back_offs, *reversed(columns), strict=True):
            yield f"{p:.7g}\t{' '.join(ngram)}" + (f"\t{b:.7g}\n" if b else "\n")

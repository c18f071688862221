"""Models as compact binary files: loaded in a fraction of a second, small enough to ship.

A safetensors file with the words, and for each order the last words, the numbers of n-grams that
begin with each, and log probabilities and back-off weights, as they are or as 8-bit codes: each
value becomes the nearest of the means of equally populated bins. Of a word's number the lowest 16
bits are in one array, each further bit, which more than 65,536 words need, in an array of bits.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from asr.errors import AsrError
from asr.files import atomic_write
from asr.lm.arpa import read_arpa, write_arpa
from asr.lm.ngram import SPECIAL, Level, NgramModel

FORMAT = "asr n-gram model 1"
NAMES = (".lm", ".arpa", ".arpa.gz", ".arpa.xz")
"""How the name of a model's file ends."""
_CODES = 256
_MANY = 255  # a number of children that does not fit into a byte is kept beside


def load_lm(path: Path) -> NgramModel:
    """Read a binary model (named *.lm) or an ARPA file (any other name).

    Raises
    ------
    AsrError
        The file is missing, damaged, or something else.
    """
    if path.suffix != ".lm":
        return read_arpa(path)
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise AsrError(f"{path}: not written as `{FORMAT}`; make it again with asr lm "
                               "convert")
            return _unpack({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except FileNotFoundError:
        raise AsrError(f"{path}: no such file") from None
    except (SafetensorError, OSError, KeyError, ValueError, IndexError, TypeError,
            AttributeError) as error:  # the last two for types that numpy does not have
        raise AsrError(f"{path}: damaged ({error}); make it again with asr lm convert") from None


def check_output(path: Path, quantise: bool = False) -> None:
    """Refuse, before the work, what `save_lm` would refuse after it.

    Raises
    ------
    AsrError
        The name does not end as a model's (it may be a text's, where the output was forgotten), or
        is not that of a binary file and `quantise` asks for one.
    """
    if not path.name.endswith(NAMES):
        raise AsrError(f"{path}: the name of a model to write must end in .lm, .arpa, .arpa.gz or "
                       ".arpa.xz")
    if quantise and path.suffix != ".lm":
        raise AsrError(f"{path}: only binary files (*.lm) can be quantised")


def save_lm(path: Path, model: NgramModel, quantise: bool = False) -> None:
    """Write a model: binary where the name ends in .lm, else ARPA (packed for .gz and .xz).

    Parameters
    ----------
    quantise : bool
        8-bit probabilities and weights of n-grams longer than a word, in a binary file.

    Raises
    ------
    AsrError
        As for `check_output`; or the file cannot be written.
    """
    check_output(path, quantise)
    if path.suffix == ".lm":
        with atomic_write(path, binary=True) as file:
            file.write(lm_bytes(model, quantise))
    else:
        write_arpa(path, model)


def lm_bytes(model: NgramModel, quantise: bool = False) -> bytes:
    """What a binary file holds."""
    return save(_pack(model, quantise), {"format": FORMAT})


def _pack(model: NgramModel, quantise: bool) -> dict[str, np.ndarray]:
    tensors = {"words": np.frombuffer("\n".join(model.words).encode(), np.uint8)}
    levels = model.levels
    for order, level in enumerate(levels, 1):
        values = {"log_prob": level.log_prob}
        if order < model.order:
            values["back_off"] = level.back_off
        for name, array in values.items():
            if quantise and order > 1:
                codes, book = _quantise(array)
                tensors[f"{name}.{order}"], tensors[f"{name}.{order}.codes"] = codes, book
            else:
                tensors[f"{name}.{order}"] = array
        if order > 1:
            tensors[f"word.{order}"] = (level.word & 0xFFFF).astype(np.uint16)
            tensors[f"high.{order}"] = np.packbits(
                level.word >> _high_bits(model.words)[:, None] & 1, axis=1)
            children = np.bincount(level.parent, minlength=len(levels[order - 2].word))
            many = np.flatnonzero(children >= _MANY)
            tensors[f"children.{order}"] = np.minimum(children, _MANY).astype(np.uint8)
            tensors[f"many.{order}"] = np.stack([many, children[many]]).astype(np.int32)
    return tensors


def _unpack(tensors: dict[str, np.ndarray]) -> NgramModel:
    words = tensors["words"].tobytes().decode().split("\n")
    if tuple(words[:len(SPECIAL)]) != SPECIAL or "" in words or len(set(words)) < len(words):
        raise ValueError("words")
    levels: list[Level] = []
    while f"log_prob.{len(levels) + 1}" in tensors:
        order = len(levels) + 1
        log_prob = _values(tensors, f"log_prob.{order}")
        parent, word = np.zeros(len(words), np.int32), np.arange(len(words), dtype=np.int32)
        if order > 1:
            children = tensors[f"children.{order}"].astype(np.int64)
            many, numbers = tensors[f"many.{order}"]
            children[many] = numbers
            word = tensors[f"word.{order}"].astype(np.int32)
            for bit, packed in zip(_high_bits(words), tensors.get(f"high.{order}", ()),
                                   strict=True):
                word |= np.unpackbits(packed)[:len(word)].astype(np.int32) << bit
            if children.min(initial=0) < 0 or children.sum() != len(word) \
                    or len(children) != len(levels[-1].word):
                raise ValueError(f"children of order {order - 1}")
            parent = np.repeat(np.arange(len(children), dtype=np.int32), children)
            if not np.all((np.diff(word) > 0) | (np.diff(parent) > 0)):
                raise ValueError(f"order of the {order}-grams")
        back_off = (_values(tensors, f"back_off.{order}") if f"back_off.{order}" in tensors
                    else np.zeros(len(word), np.float32))
        if not len(parent) == len(word) == len(log_prob) == len(back_off) \
                or word.min(initial=0) < 0 or word.max(initial=0) >= len(words):
            raise ValueError(f"{order}-grams")
        if not np.isfinite(log_prob).all() or not np.isfinite(back_off).all() \
                or log_prob.max(initial=0) > 0:
            raise ValueError(f"probabilities of the {order}-grams")
        levels.append(Level(parent, word, log_prob, back_off))
    if not levels:
        raise ValueError("no n-grams")
    return NgramModel(words, levels)


def _high_bits(words: Sequence[str]) -> np.ndarray:
    """Those of the words' numbers that two bytes don't hold."""
    return np.arange(16, (len(words) - 1).bit_length())


def _values(tensors: dict[str, np.ndarray], name: str) -> np.ndarray:
    array = tensors[name]
    codes: Any = tensors.get(f"{name}.codes")
    values = array if codes is None else codes[array]
    if values.dtype != np.float32:
        raise ValueError(f"{name}: {values.dtype}")
    return values


def _quantise(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes and what they stand for; values that are 0 (no weight) stay so."""
    nonzero = np.sort(values[values != 0])
    bins = np.array_split(nonzero, min(_CODES - 1, len(nonzero)) or 1)
    book = np.array([0.0, *(b.mean(dtype=np.float64) for b in bins if len(b))], np.float32)
    if len(book) == 1:
        return np.zeros(len(values), np.uint8), book
    edges = (book[1:-1] + book[2:]) / 2
    codes = 1 + np.searchsorted(edges, values)
    return np.where(values == 0, 0, codes).astype(np.uint8), book

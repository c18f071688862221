"""Named normalisers: what is done to a transcript before it is trained on or scored."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib import import_module

from asr.errors import AsrError

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})
_NOT_IN_WORDS = re.compile(r"[^\w']|[_]")
_STRAY_APOSTROPHE = re.compile(r"(?<!\S)'+(?!\S)")


def none(text: str) -> str:
    """Only white space is folded."""
    return " ".join(text.split())


def librispeech(text: str) -> str:
    """LibriSpeech's spelling, in lower case: words of letters and apostrophes, no punctuation.

    Accents are taken off (`café` → `cafe`), hyphens and all other signs part words, digits stay
    as they are.
    """
    # Before decomposition, which takes ´ apart, and after, which makes ʼn of ŉ.
    text = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).translate(_APOSTROPHES)
    text = "".join(c for c in text if not unicodedata.combining(c)).lower()
    text = _NOT_IN_WORDS.sub(" ", text)
    return " ".join(_STRAY_APOSTROPHE.sub(" ", text).split())


def basic(text: str) -> str:
    """Whisper's normaliser for any language: no punctuation, no signs, nothing in brackets."""
    return " ".join(_whisper("BasicTextNormalizer", "basic")(text).split())


def english(text: str) -> str:
    """Whisper's normaliser for English: also spelling, contractions, titles, numbers in digits.

    Radford et al. 2022, Robust speech recognition via large-scale weak supervision, appendix C.
    """
    return " ".join(_whisper("EnglishTextNormalizer", "english")(text).split())


@cache
def _whisper(kind: str, module: str) -> Callable[[str], str]:
    try:
        library = import_module(f"whisper_normalizer.{module}")
    except ModuleNotFoundError:
        raise AsrError(f"the normaliser {module!r} needs the package whisper-normalizer: "
                       "pip install 'asr[english]'") from None
    return getattr(library, kind)()


NORMALISERS: dict[str, Callable[[str], str]] = {
    "none": none, "librispeech": librispeech, "basic": basic, "english": english}


def normaliser(name: str) -> Callable[[str], str]:
    """The normaliser of that name; an unknown name is an `AsrError` that lists the known ones."""
    if name not in NORMALISERS:
        raise AsrError(f"no normaliser named {name!r}; known: {', '.join(NORMALISERS)}")
    return NORMALISERS[name]

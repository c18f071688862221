"""Which units a network learns."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from asr.config import Config
from asr.errors import AsrError
from asr.text.bpe import BpeUnits
from asr.text.phones import PhoneUnits
from asr.text.units import CharacterUnits, Units

Kind = Literal["characters", "bpe", "phones"]
FILES: dict[Kind, str] = {"characters": "units.txt", "bpe": "units.model", "phones": "lexicon.txt"}
"""Where a bundle keeps its units."""


class UnitsConfig(Config):
    """Units of a training."""

    kind: Kind = "characters"
    """Those of the training texts, byte pairs learnt from them, or the phones of a lexicon."""
    size: int = Field(300, ge=2)
    """Number of byte pairs, with single characters and the blank."""
    lexicon: Path | None = None
    """Pronunciations: a word and its phones a line (Kaldi's lexicon.txt, cmudict)."""

    @model_validator(mode="after")
    def _consistent(self) -> "UnitsConfig":
        if self.lexicon is not None and self.kind != "phones":
            raise ValueError(f"a lexicon says nothing of {self.kind}; add units.kind=phones, or "
                             "leave units.lexicon out")
        return self


def make_units(config: UnitsConfig, texts: Sequence[str], normalise: Callable[[str], str]) -> Units:
    """The units for texts that went through `normalise`.

    Raises
    ------
    AsrError
        Phones were asked for without a lexicon, or see `BpeUnits.from_texts`, `PhoneUnits.load`.
    """
    if config.kind == "bpe":
        return BpeUnits.from_texts(texts, config.size)
    if config.kind == "phones":
        if config.lexicon is None:
            raise AsrError("phones need a lexicon: units.lexicon=FILE, a word and its phones a "
                           "line")
        return PhoneUnits.load(config.lexicon, normalise).learnt_from(texts)
    return CharacterUnits.from_texts(texts)


def load_units(kind: Kind, folder: Path, phones: Sequence[str]) -> Units:
    """Read the units that a bundle's folder holds; `phones` are those that a lexicon may use."""
    loaders: dict[Kind, Callable[[Path], Units]] = {
        "characters": CharacterUnits.load, "bpe": BpeUnits.load,
        "phones": partial(PhoneUnits.load, symbols=phones)}
    return loaders[kind](folder / FILES[kind])

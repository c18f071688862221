"""What a search over trainings looks for, and how."""

from typing import Any, Literal

from pydantic import Field, model_validator

from asr.config import Config


class KeyConfig(Config):
    """Values that one training setting may take: a range or a list."""

    low: float | None = None
    high: float | None = None
    """Both ends belong to the range."""
    log: bool = False
    """Look for the order of magnitude."""
    step: float | None = Field(None, gt=0)
    """From `low` in steps; whole numbers have steps of 1 without it."""
    choices: list[Any] = Field(default_factory=list)
    """Any values that the setting may have, sections as well."""

    @model_validator(mode="after")
    def _consistent(self) -> "KeyConfig":
        if self.choices:
            if self.model_fields_set != {"choices"}:
                raise ValueError("either choices, or low and high")
            if any(a == b for i, a in enumerate(self.choices) for b in self.choices[:i]):
                raise ValueError("each of the choices must differ from the others")
            return self
        if self.low is None or self.high is None:
            raise ValueError("needs low and high, or choices")
        if self.low >= self.high:
            raise ValueError(f"empty range: low ({self.low:g}) must be less than high "
                             f"({self.high:g})")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"step ({self.step:g}) must not be more than high - low")
        if self.log and (self.step is not None or self.low <= 0):
            raise ValueError("log needs a low above 0, and no step")
        return self


class SearchConfig(Config):
    """Settings of `asr tune train`."""

    sampler: Literal["tpe", "grid"] = "tpe"
    """A tree-structured Parzen estimator (Bergstra et al. 2011), or every combination once."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """Which trials end early, by their development WER after each epoch: those that are worse
    than half of the finished ones were at that epoch; most of them soon and few late (Li et al.
    2018); or none."""
    folds: int = Field(0, ge=0)
    """Parts of the training store, by speakers, of which each is once the development set; 0 is
    none. The training for the first one decides what is pruned."""
    keys: dict[str, KeyConfig] = Field(min_length=1)
    """What is looked for: names as in `asr train`, with dots."""

    @model_validator(mode="after")
    def _consistent(self) -> "SearchConfig":
        if self.folds == 1:
            raise ValueError("folds must be at least 2, or 0 for none")
        return self

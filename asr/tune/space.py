"""Training configurations as points that a sampler can choose."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asr.config import parse_config, set_key
from asr.errors import AsrError, Untrainable
from asr.train.config import TrainConfig
from asr.tune.config import KeyConfig, SearchConfig

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Parameters = dict[str, Any]
"""A point: a number for each range, and of each list one of its labels."""


@dataclass(frozen=True)
class Setting:
    """One training setting that is looked for."""

    distribution: "BaseDistribution"
    values: Parameters
    """What the labels of a list stand for; nothing for a range."""
    start: Any
    """The label or number of the base configuration's value, or None where that is not in it."""


@dataclass(frozen=True)
class Space:
    """All configurations of a search."""

    base: TrainConfig
    settings: dict[str, Setting]

    @classmethod
    def of(cls, base: TrainConfig, search: SearchConfig) -> "Space":
        """Values for `search.keys`, everything else as in `base`.

        Raises
        ------
        AsrError
            A key is no training setting (the nearest is named), a value cannot be its own, or a
            grid has no end.
        """
        grid = search.sampler == "grid"
        return cls(base, {name: _setting(base, name, key, grid)
                          for name, key in search.keys.items()})

    @property
    def distributions(self) -> "dict[str, BaseDistribution]":
        return {name: setting.distribution for name, setting in self.settings.items()}

    def config(self, point: Parameters) -> TrainConfig:
        """The configuration at a point; `Untrainable` where its values exclude each other."""
        try:
            return _with(self.base, {name: self.settings[name].values.get(value, value)
                                     for name, value in point.items()})
        except AsrError as error:
            raise Untrainable(str(error)) from None

    def start(self) -> Parameters | None:
        """The base configuration's own point, if it has one."""
        point = {name: setting.start for name, setting in self.settings.items()}
        return None if None in point.values() else point

    def grid(self) -> Iterator[Parameters]:
        """Every point once, the last key's values first."""
        lists = [list(_listed(setting.distribution)) for setting in self.settings.values()]
        for values in itertools.product(*lists):
            yield dict(zip(self.settings, values, strict=True))


def _with(base: TrainConfig, changes: Parameters) -> TrainConfig:
    values = base.model_dump()
    for key, value in changes.items():
        set_key(values, key, value)
    return parse_config(TrainConfig, values, "search")


def _value(config: TrainConfig, name: str) -> Any:
    """None for a key that a mapping, as `rates`, does not have."""
    value: Any = config
    while name:
        if isinstance(value, dict):
            return value.get(name)
        part, _, name = name.partition(".")
        value = getattr(value, part)
    return value


def _setting(base: TrainConfig, name: str, key: KeyConfig, grid: bool) -> Setting:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    given = key.choices or [key.low, key.high]
    found = [_value(_with(base, {name: value}), name) for value in given]
    current = _value(base, name)
    if key.choices:
        labels: list[Any] = [value if isinstance(value, str | int | float) else json.dumps(value)
                             for value in given]
        return Setting(CategoricalDistribution(labels), dict(zip(labels, given, strict=True)),
                       labels[found.index(current)] if current in found else None)
    low, high = found
    if isinstance(low, bool) or not isinstance(low, int | float):
        raise AsrError(f"search: `{name}` has no range; list its choices")
    if grid and (key.log or (isinstance(low, float) and key.step is None)):
        raise AsrError(f"search: `{name}`: a grid needs a step, or choices")
    start = current if isinstance(current, int | float) and low <= current <= high else None
    if key.step is not None:
        high = round(low + key.step * int((high - low) / key.step + 1e-9), 12)
        steps = 0.0 if start is None else (start - low) / key.step
        start = start if abs(steps - round(steps)) < 1e-9 else None
    if isinstance(low, float):
        return Setting(FloatDistribution(low, high, key.log, key.step), {}, start)
    if key.step is not None and key.step % 1:
        raise AsrError(f"search: `{name}` has whole numbers; its step must be one too")
    return Setting(IntDistribution(low, int(high), key.log, int(key.step or 1)), {}, start)


def _listed(distribution: Any) -> Iterator[Any]:
    """All values of a distribution in a grid."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        yield from distribution.choices
    elif isinstance(distribution, IntDistribution):
        yield from range(distribution.low, distribution.high + 1, distribution.step)
    else:
        steps = round((distribution.high - distribution.low) / distribution.step)
        yield from (round(distribution.low + i * distribution.step, 12) for i in range(steps + 1))

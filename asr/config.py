"""Typed configuration: a pydantic model filled from YAML and `key=value` overrides."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asr.errors import AsrError, one_line
from asr.files import atomic_write, read_text


class Config(BaseModel):
    """Base of every stage's configuration: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Seed = Annotated[int, Field(ge=-2 ** 63, lt=2 ** 63)]
"""Of random choices, within the bounds that torch sets."""

C = TypeVar("C", bound=Config)
_NO_YAML = (yaml.YAMLError, ValueError, RecursionError)  # 2020-13-45 is a ValueError in PyYAML


def load_config(kind: type[C], path: Path | None = None, overrides: Sequence[str] = ()) -> C:
    """Fill `kind` from its defaults, then the YAML file, then `a.b=value` overrides.

    Parameters
    ----------
    overrides : sequence of str
        `key=value` with dots between levels; the value is read as YAML.

    Raises
    ------
    AsrError
        The file is no YAML mapping, a key is unknown (the nearest known one is named), or a
        value has the wrong type.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = yaml.safe_load(read_text(path)) or {}
        except _NO_YAML as error:
            where = getattr(error, "problem_mark", None)
            line = f":{where.line + 1}" if where else ""
            raise AsrError(f"{path}{line}: not valid YAML "
                           f"({getattr(error, 'problem', None) or one_line(error)})") from None
        if not isinstance(values, dict):
            raise AsrError(f"{path}: expected `key: value` lines, found a {type(values).__name__}")
    apply_overrides(values, overrides)
    return parse_config(kind, values, str(path) if path else "configuration")


def save_config(path: Path, config: Config, comment: str = "") -> None:
    """Write every value, defaults too, as a file that `load_config` reads, below a comment."""
    with atomic_write(path) as file:
        if comment:
            file.write(f"# {comment}\n")
        # ASCII alone: PyYAML writes some of Unicode's line ends in a way that it reads as others.
        yaml.safe_dump(config.model_dump(mode="json"), file, sort_keys=False)


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> None:
    """Enter `key=value` arguments, see `load_config`, into a mapping in place."""
    for override in overrides:
        _override(values, override)


def parse_config(kind: type[C], values: Any, where: str) -> C:
    """Validate a mapping against `kind`; `where` names its origin in error messages."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        keys = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            raise AsrError(f"{where}: unknown key `{'.'.join(keys)}`"
                           f"{_nearest(kind, keys)}") from None
        if first["type"] == "value_error":  # a section's own check words its message itself
            section = f"`{'.'.join(keys)}`: " if keys else ""
            raise AsrError(f"{where}: {section}{first['ctx']['error']}") from None
        raise AsrError(f"{where}: `{'.'.join(keys)}`: {first['msg'].lower()}, "
                       f"not {first['input']!r}") from None


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise AsrError(f"`{override}`: an override is written key=value, e.g. model.layers=4")
    try:
        value = yaml.safe_load(text)
    except _NO_YAML:
        value = text
    set_key(values, key, value)


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Enter a value at a dotted key into a mapping in place."""
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise AsrError(f"`{key}`: `{parent}` is a value, not a section")
    values[last] = value


def _nearest(kind: type[BaseModel], keys: list[str]) -> str:
    """`; did you mean …?` from the fields of the section that holds the unknown key."""
    known = _fields(kind)
    for key in keys[:-1]:
        section = known.get(key)
        if section is None:
            break
        known = _fields(section)
    names = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0.5)
    if names:
        return f"; did you mean `{'.'.join([*keys[:-1], names[0]])}`?"
    return f"; known here: {', '.join(known)}"


def _fields(kind: type[BaseModel]) -> dict[str, Any]:
    """Field names of a section, each with the model of its own sub-section or None."""
    fields: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        candidates = [field.annotation, *get_args(field.annotation)]
        fields[name] = next((c for c in candidates
                             if isinstance(c, type) and issubclass(c, BaseModel)), None)
    return fields

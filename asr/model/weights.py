"""Weights in files: in full, in half, or in a quarter of float32's size."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from asr.errors import AsrError

Precision = Literal["float32", "float16", "int8"]
_SCALE = ":scale"  # ends the name of the factors of an int8 matrix's rows


def pack(weights: Mapping[str, np.ndarray], precision: Precision) -> dict[str, np.ndarray]:
    """What a file holds of float32 weights.

    float16 rounds all of them. int8 rounds the rows of matrices (the first dimension against all
    others) to 255 levels between ± their greatest magnitude, and leaves vectors as they are.
    """
    packed: dict[str, np.ndarray] = {}
    for name, array in weights.items():
        if precision == "float16":
            packed[name] = array.astype(np.float16)
        elif precision == "int8" and array.ndim > 1:
            rows = array.reshape(len(array), -1)
            scale = np.abs(rows).max(axis=1) / np.float32(127)
            levels = rows / np.where(scale > 0, scale, np.float32(1))[:, None]
            packed[name] = levels.round().astype(np.int8).reshape(array.shape)
            packed[name + _SCALE] = scale
        else:
            packed[name] = array
    return {name: np.ascontiguousarray(array) for name, array in packed.items()}


def unpack(packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The float32 weights that `pack` has rounded."""
    weights = {}
    for name, array in packed.items():
        if name.endswith(_SCALE):
            continue
        weights[name] = array.astype(np.float32)
        if array.dtype == np.int8:
            weights[name] *= packed[name + _SCALE].reshape(-1, *[1] * (array.ndim - 1))
    return weights


def contents(shapes: Mapping[str, Sequence[int]], precision: Precision = "float32"
             ) -> dict[str, tuple[str, list[int]]]:
    """Types and shapes, as safetensors names them, of what `pack` makes of weights of such shapes.
    """
    found = {}
    for name, shape in shapes.items():
        found[name] = ("F16" if precision == "float16" else "F32", list(shape))
        if precision == "int8" and len(shape) > 1:
            found[name] = ("I8", list(shape))
            found[name + _SCALE] = ("F32", [shape[0]])
    return found


def check_contents(path: Path, file: Any, expected: Mapping[str, tuple[str, list[int]]],
                   remake: str, besides: Collection[str] = ()) -> None:
    """Compare the header of an open safetensors file with what it should hold, and no more.

    Parameters
    ----------
    expected : mapping
        See `contents`.
    remake : str
        What to do about a file that does not fit.
    besides : collection of str
        Other tensors that it may have, whatever they are.

    Raises
    ------
    AsrError
        Names, shapes or types differ; the first difference is named.
    """
    found = {name: (file.get_slice(name).get_dtype(), file.get_slice(name).get_shape())
             for name in file.keys() if name not in besides}  # noqa: SIM118
    wrong = sorted(name for name in found.keys() | expected.keys()
                   if found.get(name) != expected.get(name))
    if wrong:
        raise AsrError(f"{path}: weights do not fit their description ({wrong[0]}: "
                       f"{found.get(wrong[0])}, not {expected.get(wrong[0])}); {remake}")

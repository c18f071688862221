"""Weights in files: in full, in half, or in a quarter of float32's size."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from asr.errors import AsrError

Precision = Literal["float32", "float16", "int8"]
_SCALE = ":scale"  # ends the name of the factors of an int8 matrix's rows


def pack(weights: Mapping[str, Tensor], precision: Precision) -> dict[str, Tensor]:
    """What a file holds of float32 weights.

    float16 rounds all of them. int8 rounds the rows of matrices (the first dimension against all
    others) to 255 levels between ± their greatest magnitude, and leaves vectors as they are.
    """
    packed = {}
    for name, tensor in weights.items():
        tensor = tensor.detach().cpu()
        if precision == "float16":
            packed[name] = tensor.half()
        elif precision == "int8" and tensor.ndim > 1:
            rows = tensor.flatten(1)
            scale = rows.abs().amax(1) / 127
            levels = rows / scale.where(scale > 0, 1.0)[:, None]
            packed[name] = levels.round().to(torch.int8).view_as(tensor)
            packed[name + _SCALE] = scale
        else:
            packed[name] = tensor
    return {name: tensor.contiguous() for name, tensor in packed.items()}


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The float32 weights that `pack` has rounded."""
    weights = {}
    for name, tensor in packed.items():
        if name.endswith(_SCALE):
            continue
        weights[name] = tensor.float()
        if tensor.dtype == torch.int8:
            scale = packed[name + _SCALE]
            weights[name] *= scale.view(-1, *[1] * (tensor.ndim - 1))
    return weights


def contents(weights: Mapping[str, Tensor], precision: Precision = "float32"
             ) -> dict[str, tuple[str, list[int]]]:
    """Types and shapes, as safetensors names them, of what `pack` would make of weights.

    Parameters
    ----------
    weights : mapping of str to Tensor
        E.g. on the meta device: their values are not looked at.
    """
    found = {}
    for name, tensor in weights.items():
        found[name] = ("F16" if precision == "float16" else "F32", list(tensor.shape))
        if precision == "int8" and tensor.ndim > 1:
            found[name] = ("I8", list(tensor.shape))
            found[name + _SCALE] = ("F32", [len(tensor)])
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

"""What a file of weights must hold before memory is taken for it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from asr.errors import AsrError


def check_weights(path: Path, file: Any, expected: Mapping[str, Tensor], remake: str,
                  besides: Collection[str] = ()) -> None:
    """Compare the header of an open safetensors file with the tensors that a network needs.

    Parameters
    ----------
    expected : mapping of str to Tensor
        float32, e.g. on the meta device; the file must have these and no others.
    remake : str
        What to do about a file that does not fit.
    besides : collection of str
        Other tensors that it may have, whatever they are.

    Raises
    ------
    AsrError
        Names, shapes or types differ; the first difference is named.
    """
    wanted = {name: ("F32", list(tensor.shape)) for name, tensor in expected.items()}
    found = {name: (file.get_slice(name).get_dtype(), file.get_slice(name).get_shape())
             for name in file.keys() if name not in besides}  # noqa: SIM118
    wrong = sorted(name for name in found.keys() | wanted.keys()
                   if found.get(name) != wanted.get(name))
    if wrong:
        raise AsrError(f"{path}: weights do not fit their description ({wrong[0]}: "
                       f"{found.get(wrong[0])}, not {wanted.get(wrong[0])}); {remake}")

"""All of a training's state in one file, written beside and renamed."""

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from asr.errors import AsrError, one_line
from asr.files import atomic_write

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state`: tensors, numbers, strings, lists and dictionaries only."""
    with atomic_write(path, binary=True) as file:
        torch.save({"format": FORMAT, **state}, file)


def load_checkpoint(path: Path, mmap: bool = False) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; nothing in the file can run code.

    Parameters
    ----------
    mmap : bool
        Leave the tensors in the file until they are used: for a look at the rest.

    Raises
    ------
    AsrError
        The file is damaged, holds something else, or is of another format.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        found = state["format"]
    except (RuntimeError, OSError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise AsrError(f"{path}: damaged checkpoint ({one_line(error)}); remove it to "
                       "start anew") from None
    if found != FORMAT:
        raise AsrError(f"{path}: checkpoint format {found}, this version reads {FORMAT}; remove it "
                       "to start anew")
    return state


def check_resumable(path: Path, state: dict[str, Any], config: dict[str, Any], data: str) -> None:
    """Refuse to go on from a checkpoint with something else than it was written with.

    Parameters
    ----------
    state : dict
        The checkpoint at `path`, with its `config` and `data`.
    data : str
        Fingerprint of the training data.

    Raises
    ------
    AsrError
        The configuration or the data differ; what differs is named.
    """
    changed = _differences(state["config"], config)
    if changed:
        raise AsrError(f"{path}: written with {'; '.join(changed)}; resume with the same settings, "
                       "or train another model")
    if state["data"] != data:
        raise AsrError(f"{path}: written with other training data; resume with the same, or train "
                       "another model")


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """`key=old, not new` for every value that differs."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}={a}, not {b}")
    return found


def save_weights(path: Path, weights: dict[str, torch.Tensor]) -> None:
    """Keep one epoch's weights for averaging."""
    with atomic_write(path, binary=True) as file:
        file.write(save({name: tensor.detach().cpu() for name, tensor in weights.items()}))


def average_weights(paths: list[Path]) -> dict[str, torch.Tensor]:
    """The mean of several epochs' weights, summed in float64."""
    total = {name: tensor.double() for name, tensor in load_file(paths[0]).items()}
    for path in paths[1:]:
        for name, tensor in load_file(path).items():
            total[name] += tensor
    return {name: (tensor / len(paths)).float() for name, tensor in total.items()}

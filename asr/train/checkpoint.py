"""All of a training's state in one file, written beside and renamed."""

import errno
import io
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from asr.errors import AsrError, one_line
from asr.files import atomic_write
from asr.memory import out_of_memory

FORMAT = 1


class DamagedCheckpoint(AsrError):
    """There is nothing to go on from in it."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state`: tensors, numbers, strings, lists and dictionaries only."""
    buffer = io.BytesIO()  # torch hides a full disk in a RuntimeError of its own
    torch.save({"format": FORMAT, **state}, buffer)
    with atomic_write(path, binary=True) as file:
        file.write(buffer.getbuffer())


def load_checkpoint(path: Path, mmap: bool = False) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; nothing in the file can run code.

    Parameters
    ----------
    mmap : bool
        Leave the tensors in the file until they are used: for a look at the rest.

    Raises
    ------
    DamagedCheckpoint
        The file is damaged, holds something else, or is of another format.
    AsrError
        It cannot be read now, or does not fit into memory.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        found = state["format"]
    except Exception as error:  # torch's reader raises whatever it stumbles over
        # Of a file that is cut off it seeks what is before the beginning, which is invalid.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise AsrError(f"cannot read {path}: {error.strerror or one_line(error)}") from None
        if out_of_memory(error):
            raise AsrError(f"cannot read {path}: not enough memory") from None
        raise DamagedCheckpoint(f"{path}: damaged checkpoint ({one_line(error)}); remove it to "
                                "start anew") from None
    if found != FORMAT:
        raise DamagedCheckpoint(f"{path}: checkpoint format {found}, this version reads {FORMAT}; "
                                "remove it to start anew")
    return state


def check_resumable(path: Path, state: dict[str, Any], own: dict[str, Any]) -> None:
    """Refuse to go on from a checkpoint with something else than it was written with.

    Parameters
    ----------
    state : dict
        The checkpoint at `path`.
    own : dict
        What must be the same in it: `config`; `data`, a fingerprint of the training data; and, of
        a training, `features`, their configuration, `development`, a fingerprint, and `initial`,
        the `bundle` and `sha256` of the weights that it began with, or None.

    Raises
    ------
    AsrError
        One of them differs; what differs is named.
    """
    if own.keys() - state.keys():  # an older version's, whose fingerprints are made otherwise
        own = {"config": own["config"]}
    begun = state.get("initial") or {}  # first, since its network and units are settings, too
    if "initial" in own and begun.get("sha256") != (own["initial"] or {}).get("sha256"):
        raise AsrError(
            f"{path}: begun from --init {begun['bundle']} (weights {begun['sha256'][:16]}); resume "
            "with the same, or train another model" if begun else
            f"{path}: begun without --init; resume without it, or train another model")
    changed = (_differences(state["config"], own["config"])
               + _differences(state.get("features", {}), own.get("features", {}), "features."))
    if changed:
        raise AsrError(f"{path}: written with {'; '.join(changed)}; resume with the same settings, "
                       "or train another model")
    for key, name in (("data", "training"), ("development", "development")):
        if key in own and state[key] != own[key]:
            raise AsrError(f"{path}: written with other {name} data; resume with the same, or "
                           "train another model")


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
    """The mean of several epochs' weights, summed in float64.

    Raises
    ------
    AsrError
        One of the files is missing or damaged.
    """
    total: dict[str, torch.Tensor] = {}
    for path in paths:
        try:
            weights = load_file(path)
        except (OSError, SafetensorError) as error:
            why = "not there any more" if not path.exists() else f"damaged ({one_line(error)})"
            raise AsrError(f"{path}: {why}, and the average needs it; bring it back, or train "
                           "another model") from None
        for name, tensor in weights.items():
            total[name] = total.get(name, 0) + tensor.double()
    return {name: (tensor / len(paths)).float() for name, tensor in total.items()}

"""Training that starts from another model's weights."""

from pathlib import Path
from typing import Any

import torch

from asr.errors import AsrError
from asr.files import sha256
from asr.model.bundle import Bundle
from asr.model.network import Network
from asr.progress import log
from asr.text.config import UnitsConfig
from asr.text.units import Units
from asr.train.config import TrainConfig

_HEAD = ("head.weight", "head.bias")


def inherited(config: TrainConfig, bundle: Bundle) -> TrainConfig:
    """A configuration in which what is not set of the network and the units is a bundle's."""
    model = bundle.config.model.model_copy(update={
        name: getattr(config.model, name) for name in config.model.model_fields_set})
    units = config.units if config.units.model_fields_set else units_of(config.units, bundle)
    return config.model_copy(update={"model": model, "units": units})


def units_of(asked: UnitsConfig, bundle: Bundle) -> UnitsConfig:
    """Settings that are true of a bundle's units."""
    kind = bundle.config.units
    return asked.model_copy(update={
        "kind": kind, "size": len(bundle.units) if kind == "bpe" else asked.size})


def start_from(network: Network, units: Units, bundle: Bundle, folder: Path) -> dict[str, Any]:
    """Copy the weights of a bundle whose names and shapes the network shares.

    Of the head, which has a row for each unit, those of the units that both know are copied. What
    is left keeps its random start.

    Parameters
    ----------
    folder : Path
        Of the bundle.

    Returns
    -------
    dict
        What the new model's provenance should say of it.

    Raises
    ------
    AsrError
        Nothing fits but the head.
    """
    own = network.state_dict()
    other = {name: torch.from_numpy(array) for name, array in bundle.weights.items()}
    fit = [name for name, tensor in own.items()
           if name not in _HEAD and name in other and other[name].shape == tensor.shape]
    if not fit:
        raise AsrError(f"{folder}: no part of that network has the shapes of this one; leave "
                       "settings of `model` out, to have its own")
    for name in fit:
        own[name].copy_(other[name])
    places = {symbol: place for place, symbol in enumerate(bundle.units.symbols)}
    shared = [(i, places[symbol]) for i, symbol in enumerate(units.symbols) if symbol in places]
    heads = own["head.weight"].shape[1] == other["head.weight"].shape[1]
    if heads:
        new, old = torch.tensor(shared).T
        for name in _HEAD:
            own[name][new] = other[name][old]
    log(f"from {folder}: {len(fit)} of {len(own) - len(_HEAD)} tensors, "
        f"{len(shared) if heads else 0} of {len(units)} units")
    return origin(folder)


def origin(bundle: Path) -> dict[str, str]:
    """A bundle's place, and its weights by their digest."""
    return {"bundle": str(bundle), "sha256": sha256(bundle / "model.safetensors")}

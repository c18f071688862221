"""The mean of several networks' weights."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from asr.errors import AsrError
from asr.model.bundle import Bundle, load_bundle


def load_mean(folders: Sequence[Path]) -> Bundle:
    """Load the first of some bundles, with the mean of all their weights, summed in float64.

    Networks that have begun with the same weights, or one with another's, are often better so than
    each of them (Izmailov et al. 2018, stochastic weight averaging; Wortsman et al. 2022, model
    soups). The mean of networks that have nothing in common is worth nothing.

    Raises
    ------
    AsrError
        See `load_bundle`; or one has other layers, features or units than the first.
    """
    first, *others = map(load_bundle, folders)
    for folder, other in zip(folders[1:], others, strict=True):
        for what, mine, theirs in (
                ("layers", first.config.model.model_copy(update={"dropout": 0.0}),
                 other.config.model.model_copy(update={"dropout": 0.0})),
                ("features", first.config.features, other.config.features),
                ("units", first.units.symbols, other.units.symbols)):
            if mine != theirs:
                raise AsrError(f"{folder}: other {what} than {folders[0]}; a mean is of networks "
                               "that differ in their weights alone")
    weights = {name: np.stack([bundle.weights[name] for bundle in (first, *others)]
                              ).mean(axis=0, dtype=np.float64).astype(np.float32)
               for name in first.weights}
    return replace(first, weights=weights)

"""Trainings side by side: what they were told, how far they came, how well they did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.config import load_config
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.model.bundle import load_bundle
from asr.train.checkpoint import load_checkpoint
from asr.train.config import TrainConfig
from asr.train.metrics import Record, read_metrics

FILES = ("checkpoint.pt", "metrics.jsonl", "config.yaml")
"""A folder with one of these is a training's."""


@dataclass(frozen=True)
class Run:
    """A training, finished or not."""

    path: Path
    settings: dict[str, Any]
    """Of `TrainConfig` by dotted names, and `features.…` from the first checkpoint on."""
    history: list[Record]
    """See `asr.train.metrics`."""
    data: str | None
    """Fingerprint of the training data, where it is known."""
    development: str | None
    """Fingerprint of the development set, likewise."""
    averaged: dict[str, float] | None
    """Development `loss`, `cer` and `wer` of the averaged model, once there is one."""
    parameters: int | None

    def results(self) -> dict[str, Any]:
        """How far it came and how well it did.

        Returns
        -------
        dict
            Error rates are shares, losses nats per label; `best_…` is the lowest value of any
            epoch, `best_epoch` the one with the lowest WER; `hours` is the time that epochs took.
            None is what is not known yet.
        """
        best = min(self.history, key=lambda record: record["dev_wer"], default=None)
        values: dict[str, Any] = {
            "epochs": len(self.history), "of": self.settings["epochs"],
            "best_epoch": None if best is None else best["epoch"]}
        for name in ("wer", "cer", "loss"):
            rates = [record[f"dev_{name}"] for record in self.history]
            values[f"best_{name}"] = min(rates, default=None)
            values[f"last_{name}"] = rates[-1] if rates else None
        averaged = self.averaged or {}
        return values | {
            "averaged_wer": averaged.get("wer"), "averaged_cer": averaged.get("cer"),
            "hours": sum(record["seconds"] for record in self.history) / 3600,
            "parameters": self.parameters, "training_data": self.data,
            "development_data": self.development}


def read_run(folder: Path) -> Run:
    """Read what `asr train` has written so far; it may still be writing.

    The settings are those of the checkpoint. Where there is none (before the first, or to save
    space) they come from config.yaml or the bundle.

    Raises
    ------
    AsrError
        A file is damaged, or the settings are nowhere.
    """
    state = (load_checkpoint(folder / "checkpoint.pt", mmap=True)
             if (folder / "checkpoint.pt").exists() else None)
    bundle = load_bundle(folder / "bundle") if (folder / "bundle").exists() else None
    told = bundle.config.provenance if bundle is not None else {}
    if state is not None:
        config = state["config"]
    elif (folder / "config.yaml").exists():
        config = load_config(TrainConfig, folder / "config.yaml").model_dump(mode="json")
    elif "training" in told:
        config = told["training"]
    else:
        raise AsrError(f"{folder}: the training's settings are neither in checkpoint.pt nor in "
                       "config.yaml nor in bundle/, which are all missing")
    if told.get("training") != config:  # an earlier training's, which this one will replace
        bundle, told = None, {}
    parameters = None
    if state is not None:
        parameters = sum(tensor.numel() for tensor in state["network"].values())
    elif bundle is not None:
        parameters = sum(array.size for array in bundle.weights.values())
    metrics = folder / "metrics.jsonl"
    known = state or {}
    features = known.get("features") or (
        bundle.config.features.model_dump(mode="json") if bundle is not None else {})
    return Run(folder, _settings(config, features),
               read_metrics(metrics) if metrics.exists() else [],
               known.get("data", told.get("training data")),
               known.get("development", told.get("development data")),
               told.get("development"), parameters)


def _settings(config: dict[str, Any], features: dict[str, Any]) -> dict[str, Any]:
    """By dotted names; what an older version did not know is as by default."""
    return (flat(TrainConfig().model_dump(mode="json")) | flat(config)
            | flat({"features": features} if features else {}))


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """Sections of settings as one dictionary, with dots between levels; a mapping that is a
    setting itself, as `rates`, stays one.
    """
    return dict(_flat(values, _defaults(), ""))


def _flat(values: dict[str, Any], sections: dict[str, Any], prefix: str
          ) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        section = sections.get(key)
        if isinstance(value, dict) and isinstance(section, dict) and section:
            yield from _flat(value, section, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _defaults() -> dict[str, Any]:
    return {**TrainConfig().model_dump(mode="json"),
            "features": FeatureConfig().model_dump(mode="json")}


def differing(settings: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """The settings that differ between trainings, of a single one those that are not the defaults.

    Parameters
    ----------
    settings : sequence of dict
        `Run.settings` of each.

    Returns
    -------
    dict of str to list
        A value for each training by dotted name; None where it is not known.
    """
    default = flat(_defaults())
    found = {}
    for name in dict.fromkeys(name for each in settings for name in each):
        known = [each[name] for each in settings if name in each]
        reference = known[0] if len(settings) > 1 else default.get(name)
        if any(value != reference for value in known):
            found[name] = [each.get(name) for each in settings]
    return found


def run_names(paths: Sequence[Path]) -> list[str]:
    """Folder names, with as many of the folders above as it takes to tell them apart."""
    parts = [path.resolve().parts for path in paths]
    number = 1
    while len({each[-number:] for each in parts}) < len(set(parts)):
        number += 1
    return ["/".join(each[-number:]) for each in parts]

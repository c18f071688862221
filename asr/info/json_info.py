"""What folders hold, for programs."""

from pathlib import Path
from typing import Any

from asr.features.store import FILES as STORE_FILES
from asr.features.store import Store
from asr.files import file_name
from asr.info.read import Thing, runs_of
from asr.model.bundle import FILES as BUNDLE_FILES
from asr.model.bundle import Bundle
from asr.model.summary import parts, reach
from asr.train.runs import Run

VERSION = 1


def json_info(things: dict[Path, Thing]) -> dict[str, Any]:
    """Everything that the text says, and the whole configurations; times in seconds."""
    names = {run.path: name for name, run in runs_of(things).items()}
    items = []
    for path, thing in things.items():
        if isinstance(thing, Bundle):
            items.append({"kind": "bundle", "path": file_name(path)} | bundle_values(path, thing))
        elif isinstance(thing, Store):
            items.append({"kind": "store", "path": file_name(path)} | store_values(thing))
        else:
            items.append({"kind": "training", "path": file_name(path), "name": names[path]}
                         | _run_values(thing))
    return {"schema": "asr.info", "version": VERSION, "items": items}


def bundle_values(path: Path, bundle: Bundle) -> dict[str, Any]:
    """What a model is, costs and waits for."""
    config = bundle.config
    rate = 1 / bundle.frame_shift
    network = parts(config.model, config.features.dimension, len(bundle.units))
    return {
        "format": config.format, "asr_version": config.asr_version,
        "parameters": sum(part.parameters for part in network),
        "multiply_adds_per_second": round(sum(part.multiply_adds for part in network) * rate),
        "parts": [{"name": part.name, "parameters": part.parameters,
                   "multiply_adds_per_second": round(part.multiply_adds * rate)}
                  for part in network],
        "frames_per_second": rate,
        "reach": reach(config.model, config.features)._asdict(),
        "units": {"kind": config.units, "number": len(bundle.units)},
        **config.model_dump(mode="json", include={"model", "features", "normaliser", "decoding",
                                                  "provenance"}),
        "files": _sizes(path, BUNDLE_FILES)}


def store_values(store: Store) -> dict[str, Any]:
    """What is in a store; `hours` are those of all copies."""
    return {
        "features": store.config.model_dump(mode="json"),
        "utterances": len({entry.id for entry in store.entries}),
        "copies": len(store),
        "speeds": sorted({entry.speed for entry in store.entries}),
        "speakers": len({entry.speaker for entry in store.entries}),
        "frames": int(store.lengths.sum()),
        "hours": int(store.lengths.sum()) * store.config.frame_shift / 3600,
        "files": _sizes(store.path, STORE_FILES)}


def _run_values(run: Run) -> dict[str, Any]:
    return {**run.results(), "settings": run.settings}


def _sizes(path: Path, names: tuple[str, ...]) -> dict[str, int]:
    return {name: (path / name).stat().st_size for name in names if (path / name).exists()}

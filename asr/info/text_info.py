"""What folders hold, for people: tables, 80 columns wide."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from asr.console import printable, text_console, without_trailing_spaces
from asr.features.config import FeatureConfig
from asr.features.store import Store
from asr.info.json_info import bundle_values, store_values
from asr.info.read import Thing, runs_of
from asr.info.run_table import run_tables
from asr.model.bundle import Bundle
from asr.model.config import ModelConfig
from asr.train.runs import differing, flat


def text_info(things: dict[Path, Thing], colour: bool = False) -> str:
    """Each bundle and store by itself, then all trainings side by side."""
    console, buffer = text_console(colour)
    blocks: list[RenderableType] = []
    for path, thing in things.items():
        if isinstance(thing, Bundle):
            blocks += _bundle(path, thing)
        elif isinstance(thing, Store):
            blocks += _store(thing)
    runs = runs_of(things)
    if runs:
        blocks += run_tables(runs)
    for index, block in enumerate(blocks):
        if index:
            console.print()
        console.print(block, overflow="fold")
    return without_trailing_spaces(buffer)


def _bundle(path: Path, bundle: Bundle) -> Iterator[RenderableType]:
    config, values = bundle.config, bundle_values(path, bundle)
    yield _heading(path, f"model bundle, written by asr {config.asr_version}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "parameters", "multiply-adds a second"):
        table.add_column(heading, justify="right" if heading else "left")
    for part in [*values["parts"], {"name": "all", **values}]:
        table.add_row(part["name"], f"{part['parameters']:,}",
                      f"{part['multiply_adds_per_second']:,}")
    yield table
    decoding = config.decoding.model_dump(mode="json")
    for long in ("label_priors", "hotwords"):
        decoding[long] = len(decoding[long])
    yield _grid([
        ("network", _network(config.model)),
        ("output", f"{values['frames_per_second']:.4g} frames a second, one every "
                   + _ms(bundle.frame_shift)),
        ("a frame hears", _reach(values["reach"], config.model, config.features)),
        ("units", f"{len(bundle.units)} {config.units}"),
        ("features", _features(config.features)),
        ("normaliser", config.normaliser),
        ("decoding", _pairs(decoding)),
        *((name, _bytes(size)) for name, size in values["files"].items()
          if name in ("lm.lm", "lstm.safetensors")),
        *_provenance(config.provenance)])


def _network(config: ModelConfig) -> str:
    layers = "layer" if config.layers == 1 else "layers"
    cells = f"{config.units} cells{' in each direction' * config.bidirectional}"
    return (f"{config.front_end} front end, {config.layers} "
            f"{'bidirectional' if config.bidirectional else 'one-directional'} "
            f"{config.cell.upper()} {layers} of {cells}")


def _reach(reach: dict[str, Any], model: ModelConfig, features: FeatureConfig) -> str:
    after = f"{_ms(reach['future'])} after"
    if reach["look_ahead"] is not None:
        return f"what was said before its own stretch, and {after} it"
    why = ["both directions"] if model.bidirectional else []
    if features.cmvn in ("utterance", "speaker"):
        why.append(f"mean and variance of the {features.cmvn}")
    return (f"the whole utterance ({', '.join(why)}); by windows and front end alone "
            f"{_ms(reach['past'])} before and {after} its own stretch")


def _features(config: FeatureConfig) -> str:
    return (f"{config.dimension} {config.kind} values every {_ms(config.frame_shift)} from "
            f"{_ms(config.frame_length)} at {config.sample_rate:,} Hz; "
            + _pairs(config.model_dump(include={"mels", "deltas", "low_freq", "high_freq",
                                                "dither", "cmvn"})))


def _provenance(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of a model's origin; of its settings those that are not the defaults."""
    for name, value in values.items():
        if name == "training" and isinstance(value, dict):
            changed = differing([flat(value)])
            yield "settings", _pairs({key: each for key, (each,) in changed.items()})
        else:
            yield name, _pairs(value) if isinstance(value, dict) else str(value)


def _store(store: Store) -> Iterator[RenderableType]:
    values = store_values(store)
    yield _heading(store.path, "feature store")
    yield _grid([
        ("features", _features(store.config)),
        ("utterances", f"{values['utterances']:,} by {values['speakers']:,} speakers"),
        ("copies", f"{values['copies']:,}, at speed "
                   + ", ".join(f"{speed:g}" for speed in values["speeds"])),
        ("hours", f"{values['hours']:.2f}, all copies together"),
        ("frames", f"{values['frames']:,}"),
        ("size", _bytes(sum(values["files"].values())))])


def _heading(path: Path, what: str) -> Text:
    return Text(f"{printable(str(path))}: {what}", style="bold")


def _grid(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(printable(name)), Text(printable(value)))
    return table


def _pairs(values: dict[str, Any]) -> str:
    return "  ".join(f"{name}={_value(name, value)}" for name, value in values.items())


def _value(name: str, value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2%}" if name.endswith(("wer", "cer")) else f"{value:.4g}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.4g} ms"


def _bytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,} bytes"

"""A recording, and what a network makes of it, over time in one picture."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr.decode.hypotheses import word_edges
from asr.errors import AsrError
from asr.files import atomic_write
from asr.inspect.activity import Activity, Labels
from asr.text.units import BETWEEN, BLANK
from asr.train.metrics import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from asr.model.bundle import Bundle

_HIGHEST = 600  # inches: pictures of 2¹⁶ pixels and more cannot be written
_WIDTH = 2.4  # inches a second
_SEEN = 0.1  # highest posterior of a unit that is drawn
_GREY = "0.55"
_PANELS: tuple[tuple[str, tuple[str, ...], tuple[float, float] | None], ...] = (
    ("gates", ("input", "forget", "output", "reset", "update"), (-0.1, 1.1)),
    ("candidate,\nhidden state", ("candidate", "hidden"), (-1.2, 1.2)),
    ("cell state", ("cell",), None))
"""What is drawn of a unit in one panel, where it has that, and its limits."""


def draw(path: Path, activity: Activity, labels: Labels, bundle: "Bundle", layer: str,
         units: Sequence[int]) -> None:
    """Draw waveform, features, cells and posteriors, one over the other.

    Parameters
    ----------
    path : Path
        .png or .svg.
    labels : Labels
        The units to name at their places.
    layer : str
        What the cells are cells of, for people.
    units : sequence of int
        The cells to draw, from 0.

    Raises
    ------
    AsrError
        The path has another ending or cannot be written, or the picture would be too high.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise AsrError(f"{path}: pictures are .png or .svg")
    duration = len(activity.samples) / bundle.sample_rate
    panels = [(title, shown, limits) for title, names, limits in _PANELS
              if (shown := [name for name in names if name in activity.cells])]
    heights = [0.6, 1.2, *(len(units) * len(panels) * [0.75]), 1.6]
    if sum(heights) > _HIGHEST:
        raise AsrError(f"{len(units)} units are too many for one picture; draw fewer")
    figure = Figure(figsize=(float(np.clip(_WIDTH * duration + 2, 7, 60)), sum(heights) + 0.8),
                    layout="constrained")
    FigureCanvasAgg(figure)
    sound, features, *cells, posteriors = figure.subplots(len(heights), sharex=True,
                                                          height_ratios=heights)
    _draw_sound(sound, activity, bundle, labels)
    _draw_features(features, activity, bundle)
    times = (np.arange(len(activity.log_posteriors)) + 0.5) * bundle.frame_shift
    for axes, (unit, (title, names, limits)) in zip(cells, product(units, panels), strict=True):
        _draw_cell(axes, times, {name: activity.cells[name][:, unit] for name in names}, limits)
        heading = f"{layer}, unit {unit}\n" if title == panels[0][0] else ""
        _title(axes, heading + title)
    _draw_posteriors(posteriors, activity, labels, bundle, times)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    posteriors.set(xlabel="time (s)", xlim=(0, duration))
    with (atomic_write(path, binary=True) as file,
          matplotlib.rc_context({"svg.hashsalt": "asr", "svg.fonttype": "none"})):
        figure.savefig(file, format=kind, dpi=100,
                       metadata={"Date": None} if kind == "svg" else None)


def _title(axes: "Axes", title: str) -> None:
    axes.set_ylabel(title, rotation=0, ha="right", va="center", multialignment="right")


def _draw_sound(axes: "Axes", activity: Activity, bundle: "Bundle", labels: Labels) -> None:
    """The waveform as its range in every few milliseconds, and words over it."""
    pixel = max(1, len(activity.samples) // 1500)
    blocks = activity.samples[:len(activity.samples) // pixel * pixel].reshape(-1, pixel)
    times = (np.arange(len(blocks)) + 0.5) * pixel / bundle.sample_rate
    axes.fill_between(times, blocks.min(axis=1), blocks.max(axis=1), color="0.3", linewidth=0.5)
    axes.set(yticks=[])
    _title(axes, "sound")
    for first, end in word_edges(labels.ids, bundle.units):
        middle = (labels.spans.start[first] + labels.spans.end[end - 1]) / 2 * bundle.frame_shift
        axes.annotate(bundle.units.decode(labels.ids[first:end].tolist()), (middle, 1),
                      xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9,
                      parse_math=False)


def _draw_features(axes: "Axes", activity: Activity, bundle: "Bundle") -> None:
    config = bundle.config.features
    low, high = np.quantile(activity.features, (0.02, 0.995))
    axes.imshow(activity.features.T, aspect="auto", origin="lower", cmap="Greys", vmin=low,
                vmax=high, interpolation="nearest",
                extent=(0, len(activity.features) * config.frame_shift, 0, config.dimension))
    _title(axes, "log-mel\nbands" if config.kind == "fbank" else "MFCC")


def _draw_cell(axes: "Axes", times: np.ndarray, values: dict[str, np.ndarray],
               limits: tuple[float, float] | None) -> None:
    for (name, line), colour, style in zip(values.items(), COLOURS, ("-", "--", "-."),
                                           strict=False):
        axes.plot(times, line, style, color=colour, label=name, linewidth=1.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
    axes.set_ylim(limits)


def _draw_posteriors(axes: "Axes", activity: Activity, labels: Labels, bundle: "Bundle",
                     times: np.ndarray) -> None:
    """The blank and all units that are ever likely, those on the path with their names."""
    posteriors = np.exp(activity.log_posteriors)
    axes.plot(times, posteriors[:, BLANK], "--", color=_GREY, linewidth=1, label="blank")
    likely = set(np.flatnonzero(posteriors.max(axis=0) >= _SEEN).tolist()) | {*labels.ids.tolist()}
    colours = {unit: COLOURS[index % len(COLOURS)]
               for index, unit in enumerate(sorted(likely - {BLANK}))}
    for unit, colour in colours.items():
        axes.plot(times, posteriors[:, unit], color=colour, linewidth=1.3)
    for index, unit in enumerate(labels.ids.tolist()):
        start, end = int(labels.spans.start[index]), int(labels.spans.end[index])
        peak = start + int(posteriors[start:end, unit].argmax())
        name = bundle.units.symbols[unit] if bundle.units.parts[unit] != BETWEEN else "␣"
        axes.annotate(name, (times[peak], posteriors[peak, unit]), (0, 2),
                      textcoords="offset points", ha="center", va="bottom", fontsize=9,
                      color=colours[unit], parse_math=False)
    axes.set(ylim=(0, 1.15), yticks=(0, 0.5, 1))
    _title(axes, "posteriors")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    axes.grid(axis="x", alpha=0.3)

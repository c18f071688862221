"""What a network does with one recording, from samples to posteriors."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from asr.decode.alignment import Spans, align, unit_spans
from asr.decode.greedy import greedy_search
from asr.errors import AsrError
from asr.features.cmvn import moments
from asr.features.extract import extract
from asr.inspect.gates import trace
from asr.model.frame_batch import FrameBatch

if TYPE_CHECKING:
    from asr.model.bundle import Bundle


class Activity(NamedTuple):
    """A recording as each part of a network has it."""

    samples: np.ndarray
    """Shape (samples,), at the model's rate."""
    features: np.ndarray
    """Shape (T, F), not normalised."""
    cells: dict[str, np.ndarray]
    """Gates and states of one layer and direction, see `trace`; shape (T', U) each, in the order
    of time."""
    log_posteriors: np.ndarray
    """Shape (T', V)."""


class Labels(NamedTuple):
    """Units and where they are on a path through the posteriors."""

    ids: np.ndarray
    """Shape (L,), int32."""
    spans: Spans


def observe(bundle: "Bundle", samples: np.ndarray, layer: int = 1, direction: str = "forward"
            ) -> Activity:
    """Run the network on a recording and look into one layer.

    Parameters
    ----------
    samples : np.ndarray, shape = (samples,), float32
        Full scale ±1, at `bundle.sample_rate`.
    layer : int
        Recurrent layer, from 1.
    direction : str
        "forward" or "backward".

    Raises
    ------
    AsrError
        The model has no such layer or direction, or there is no frame in the recording.
    """
    layers = bundle.network.layers
    if not 1 <= layer <= len(layers):
        raise AsrError(f"the model has no layer {layer}; it has {len(layers)}, counted from 1")
    rnn = getattr(layers[layer - 1], f"{direction}_rnn")
    if rnn is None:
        raise AsrError("the model hears in one direction, forward")
    features = extract(samples, bundle.config.features)
    if not len(features):
        raise AsrError("the audio is shorter than one frame")
    statistics = bundle.statistics(moments(features)[None], [""])
    batch = FrameBatch.of([features], statistics).to(next(bundle.network.parameters()).device)
    inputs = []
    hook = layers[layer - 1].register_forward_pre_hook(lambda _, x: inputs.append(x[0][:, 0]))
    try:
        with torch.inference_mode():
            log_posteriors = bundle.network(batch.x, batch.lengths, batch.statistics)[:, 0]
            # One utterance alone: reversal within its own length is that of the whole.
            turned = (0,) if direction == "backward" else ()
            cells = {name: values.flip(turned).cpu().numpy()
                     for name, values in trace(rnn, inputs[0].flip(turned)).items()}
    finally:
        hook.remove()
    return Activity(samples, features.astype(np.float32), cells, log_posteriors.cpu().numpy())


def greedy_labels(log_posteriors: np.ndarray) -> Labels:
    """What greedy search finds."""
    ids, path, _ = greedy_search(log_posteriors)
    return Labels(ids, unit_spans(log_posteriors, ids, path))


def forced_labels(log_posteriors: np.ndarray, ids: np.ndarray) -> Labels:
    """Where units of a known text are; there must be frames enough."""
    return Labels(ids, unit_spans(log_posteriors, ids, align(log_posteriors, ids)))


def liveliest(cells: dict[str, np.ndarray], count: int) -> list[int]:
    """The units whose states (an LSTM's cell, a GRU's hidden state) vary most, in order."""
    state = cells.get("cell", cells["hidden"])
    return sorted(np.argsort(-state.std(axis=0), kind="stable")[:count].tolist())

"""What a network costs, and how much of the audio its frames depend on."""

import math
from typing import NamedTuple

from asr.features.config import FeatureConfig
from asr.model.config import ModelConfig
from asr.model.shapes import parameter_shapes


class Part(NamedTuple):
    """One part of a network."""

    name: str
    parameters: int
    multiply_adds: int
    """For each output frame."""


class Reach(NamedTuple):
    """Audio in seconds that an output frame depends on, besides the step that it stands for.

    Output frame t stands for the audio from t to t + 1 steps, a step being
    `frame_shift` · `subsampling`.
    """

    past: float
    """Before that, by windows, differences and front end; the recurrent layers remember all."""
    future: float
    """After that, by the same."""
    look_ahead: float | None
    """After that, by all of the model; None where it is the whole utterance."""


def parts(config: ModelConfig, features: int, symbols: int) -> list[Part]:
    """Parameters and multiply-adds of front end, recurrent layers and head.

    With F = `features`, C channels, s feature frames per output frame, U units, G = 4 gates of an
    LSTM or 3 of a GRU, B = U (2 U in both directions), W = B or the projection's width P, and V
    symbols, an output frame takes

        conv2d        3 (2 s + 1) C ⌈F / 2⌉ + 9 C² ⌈F / 4⌉      D = C ⌈F / 4⌉ values come out
        conv1d        (2 s + 1) F · 8 C + 3 (8 C)²              D = 8 C
        stacking      none                                      D = s F
        first layer   G U (D + U) for each direction, and B P
        other layers  G U (W + U) for each direction, and B P
        head          W V

    that is, each weight once, and the convolutions' at every place along the frequencies. What
    grows with a layer's width alone is not counted: biases, normalisation, cells, softmax.
    Convolutions are counted as they are computed: with the padding at the edges.
    """
    shapes = parameter_shapes(config, features, symbols)
    names = {"front end": "front_end.",
             **{f"layer {index + 1}": f"layers.{index}." for index in range(config.layers)},
             "head": "head."}
    found = []
    for name, prefix in names.items():
        own = {parameter: shape for parameter, shape in shapes.items()
               if parameter.startswith(prefix)}
        found.append(Part(name, sum(map(math.prod, own.values())), sum(
            math.prod(shape) * _places(config, features, parameter)
            for parameter, shape in own.items() if len(shape) > 1)))
    return found


def _places(config: ModelConfig, features: int, parameter: str) -> int:
    """At how many places along the frequencies a matrix is applied."""
    if config.front_end != "conv2d":
        return 1
    return {"front_end.first.weight": (features + 1) // 2,
            "front_end.second.weight": (features + 3) // 4}.get(parameter, 1)


def reach(config: ModelConfig, features: FeatureConfig) -> Reach:
    """How far a network hears around the audio that an output frame stands for.

    A model that normalises by the utterance or speaker needs the whole of it, as one that also
    listens backwards does.
    """
    before, after = config.reach
    future = ((after + features.reach - config.subsampling) * features.frame_shift
              + features.frame_length)
    at_end = config.bidirectional or features.cmvn in ("utterance", "speaker")
    return Reach((before + features.reach) * features.frame_shift, future,
                 None if at_end else future)

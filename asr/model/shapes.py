"""The network's parameters, as its configuration gives them."""

from asr.model.config import ModelConfig

Shapes = dict[str, tuple[int, ...]]


def parameter_shapes(config: ModelConfig, features: int, symbols: int) -> Shapes:
    """Names and shapes of what `asr.model.network.Network(config, features, symbols)` learns.

    Known without torch and before a file of them is read.
    """
    shapes, width = _front_end(config, features)
    gates = {"lstm": 4, "gru": 3}[config.cell] * config.units
    directions = ["forward_rnn", "backward_rnn"][:1 + config.bidirectional]
    for index in range(config.layers):
        layer = f"layers.{index}"
        for direction in directions:
            shapes |= {f"{layer}.{direction}.weight_ih_l0": (gates, width),
                       f"{layer}.{direction}.weight_hh_l0": (gates, config.units),
                       f"{layer}.{direction}.bias_ih_l0": (gates,),
                       f"{layer}.{direction}.bias_hh_l0": (gates,)}
        if config.projection:
            shapes |= _affine(f"{layer}.projection", config.projection,
                              config.units * len(directions))
        width = config.width
        shapes |= _norm(config, f"{layer}.norm", width)
    return shapes | _affine("head", symbols, width)


def _front_end(config: ModelConfig, features: int) -> tuple[Shapes, int]:
    """Its parameters, and the values of a frame that comes out."""
    if config.front_end == "stack":
        return {}, features * config.subsampling
    window = 2 * config.subsampling + 1
    if config.front_end == "conv2d":
        channels, width = config.channels, config.channels * ((features + 3) // 4)
        shapes = (_affine("front_end.first", channels, 1, window, 3)
                  | _affine("front_end.second", channels, channels, 3, 3))
    else:
        width = 8 * config.channels
        shapes = (_affine("front_end.first", width, features, window)
                  | _affine("front_end.second", width, width, 3))
    return shapes | _norm(config, "front_end.norm", width), width


def _affine(name: str, outputs: int, *inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, *inputs), f"{name}.bias": (outputs,)}


def _norm(config: ModelConfig, name: str, width: int) -> Shapes:
    names = {"layer": ["weight", "bias"], "rms": ["weight"], "none": []}[config.norm]
    return {f"{name}.{parameter}": (width,) for parameter in names}

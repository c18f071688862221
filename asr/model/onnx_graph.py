"""The network as an ONNX graph, for runtimes other than torch.

The graph is built from ONNX's own operators: its LSTM and GRU take the utterances' lengths and
turn each round within its own, as `asr.model.recurrent` does. So it is exact for any batch, without
tracing. Inputs and output are those of `asr.model.network.Network.forward`:

    features        (N, T, F) float32, what is past an utterance's length is ignored
    lengths         (N,) int64
    statistics      (N, 2, F) float32, mean and reciprocal standard deviation
    log_posteriors  (T', N, V) float32
    output_lengths  (N,) int64
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from asr import __version__
from asr.model.config import ModelConfig

_OPSET = 18  # of December 2022
_IR_VERSION = 8
_GATES = {"lstm": [0, 3, 1, 2],  # torch's input, forget, cell, output → ONNX's i, o, f, c
          "gru": [1, 0, 2]}  # reset, update, new → z, r, h


def onnx_model(config: ModelConfig, features: int, weights: Mapping[str, np.ndarray]
               ) -> onnx.ModelProto:
    """The graph of a network.

    Parameters
    ----------
    features : int
        F, values of a feature frame.
    weights : mapping of str to np.ndarray
        As in `asr.model.shapes.parameter_shapes`, float32.
    """
    graph = _Graph(config, weights)
    lengths = graph.add("Cast", "lengths", to=TensorProto.INT64)
    x = _normalised(graph, features)
    x, output_lengths = _front_end(graph, features, x, lengths)
    sequence_lens = graph.add("Cast", output_lengths, to=TensorProto.INT32)
    for index in range(config.layers):
        y = _recurrent(graph, f"layers.{index}", x, sequence_lens)
        x = graph.add("Add", x, y) if index and config.residual else y
    graph.add("LogSoftmax", _affine(graph, "head", x), name="log_posteriors", axis=-1)
    graph.add("Identity", output_lengths, name="output_lengths")
    symbols = len(weights["head.bias"])
    return helper.make_model(
        helper.make_graph(
            graph.nodes, "asr",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", "T", features]),
             helper.make_tensor_value_info("lengths", TensorProto.INT64, ["N"]),
             helper.make_tensor_value_info("statistics", TensorProto.FLOAT, ["N", 2, features])],
            [helper.make_tensor_value_info("log_posteriors", TensorProto.FLOAT,
                                           ["T_out", "N", symbols]),
             helper.make_tensor_value_info("output_lengths", TensorProto.INT64, ["N"])],
            graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION,
        producer_name="asr", producer_version=__version__)


class _Graph:
    """Nodes and constants, each of which gets a name."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, np.ndarray]) -> None:
        self.config = config
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, name: str = "", outputs: int = 1, **attributes: Any
            ) -> str:
        """Returns the name of the first output."""
        name = name or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(
            operator, list(inputs), [name, *(f"{name}_{i}" for i in range(1, outputs))],
            **attributes))
        return name

    def constant(self, value: Any) -> str:
        """An array, or integers (int64)."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def parameter(self, name: str) -> str:
        """One of the network's."""
        return self.constant(self.weights[name])


def _normalised(graph: _Graph, features: int) -> str:
    """Mean and variance normalised frames, zero past an utterance's length; shape (N, T, F)."""
    mean, scale = (graph.add("Slice", "statistics", *map(graph.constant, ([k], [k + 1], [1])))
                   for k in (0, 1))  # (N, 1, F)
    x = graph.add("Mul", graph.add("Sub", "features", mean), scale)
    return graph.add("Where", _mask(graph, "lengths", "features", time_axis=1), x,
                     graph.constant(np.float32(0)))


def _mask(graph: _Graph, lengths: str, of: str, time_axis: int) -> str:
    """True where a frame belongs to its utterance; (N, T, 1), for a time axis of 2 (N, 1, T)."""
    frames = graph.add("Shape", of, start=time_axis, end=time_axis + 1)
    frames = graph.add("Squeeze", frames)
    places = graph.add("Range", graph.constant(np.int64(0)), frames, graph.constant(np.int64(1)))
    inside = graph.add("Less", places, graph.add("Unsqueeze", lengths, graph.constant([1])))
    return graph.add("Unsqueeze", inside, graph.constant([2 if time_axis == 1 else 1]))


def _front_end(graph: _Graph, features: int, x: str, lengths: str) -> tuple[str, str]:
    """Frames (T', N, D) and their numbers (N,)."""
    kind, step = graph.config.front_end, graph.config.subsampling
    lengths = graph.add("Div", graph.add("Add", lengths, graph.constant(np.int64(step - 1))),
                        graph.constant(np.int64(step)))
    if kind == "stack":
        frames = graph.add("Shape", x, start=1, end=2)
        missing = graph.add("Mod", graph.add("Neg", frames), graph.constant([step]))
        none = graph.constant(np.zeros(1, np.int64))
        pads = graph.add("Concat", none, none, none, none, missing, none, axis=0)
        x = graph.add("Pad", x, pads)
        x = graph.add("Reshape", x, graph.constant([0, -1, features * step]))
        return graph.add("Transpose", x, perm=[1, 0, 2]), lengths
    zero = graph.constant(np.float32(0))
    if kind == "conv2d":
        x = graph.add("Unsqueeze", x, graph.constant([1]))  # (N, 1, T, F)
        x = _convolution(graph, "front_end.first", x, [step, 2], [step, 1])
        mask = graph.add("Unsqueeze", _mask(graph, lengths, x, time_axis=2), graph.constant([3]))
        x = _convolution(graph, "front_end.second", graph.add("Where", mask, x, zero), [1, 2],
                         [1, 1])
        x = graph.add("Transpose", x, perm=[2, 0, 1, 3])
        x = graph.add("Reshape", x, graph.constant([0, 0, -1]))
    else:
        x = _convolution(graph, "front_end.first", graph.add("Transpose", x, perm=[0, 2, 1]),
                         [step], [step])
        mask = _mask(graph, lengths, x, time_axis=2)
        x = _convolution(graph, "front_end.second", graph.add("Where", mask, x, zero), [1], [1])
        x = graph.add("Transpose", x, perm=[2, 0, 1])
    return _norm(graph, "front_end.norm", x), lengths


def _convolution(graph: _Graph, name: str, x: str, strides: list[int], pads: list[int]) -> str:
    x = graph.add("Conv", x, graph.parameter(f"{name}.weight"), graph.parameter(f"{name}.bias"),
                  kernel_shape=list(graph.weights[f"{name}.weight"].shape[2:]), strides=strides,
                  pads=pads + pads)
    return graph.add("Relu", x)


def _recurrent(graph: _Graph, name: str, x: str, lengths: str) -> str:
    """One layer over frames (T, N, ·)."""
    config = graph.config
    directions = ["forward_rnn", "backward_rnn"][:1 + config.bidirectional]

    def gates(parameter: str) -> np.ndarray:
        """A parameter of all directions in ONNX's order; (directions, gates · units, …)."""
        blocks = [graph.weights[f"{name}.{direction}.{parameter}"] for direction in directions]
        return np.stack([block.reshape(-1, config.units, *block.shape[1:])[_GATES[config.cell]]
                         .reshape(block.shape) for block in blocks])

    bias = np.concatenate([gates("bias_ih_l0"), gates("bias_hh_l0")], axis=1)
    attributes: dict[str, Any] = {"linear_before_reset": 1} if config.cell == "gru" else {}
    y = graph.add(config.cell.upper(), x, graph.constant(gates("weight_ih_l0")),
                  graph.constant(gates("weight_hh_l0")), graph.constant(bias), lengths,
                  hidden_size=config.units,
                  direction="bidirectional" if config.bidirectional else "forward",
                  **attributes)  # (T, directions, N, units)
    y = graph.add("Transpose", y, perm=[0, 2, 1, 3])
    y = graph.add("Reshape", y, graph.constant([0, 0, -1]))
    if config.projection:
        y = _affine(graph, f"{name}.projection", y)
    return _norm(graph, f"{name}.norm", y)


def _affine(graph: _Graph, name: str, x: str) -> str:
    product = graph.add("MatMul", x, graph.constant(graph.weights[f"{name}.weight"].T))
    return graph.add("Add", product, graph.parameter(f"{name}.bias"))


def _norm(graph: _Graph, name: str, x: str) -> str:
    """As torch's LayerNorm and RMSNorm have them."""
    if graph.config.norm == "none":
        return x
    scale = graph.parameter(f"{name}.weight")
    if graph.config.norm == "layer":
        return graph.add("LayerNormalization", x, scale, graph.parameter(f"{name}.bias"),
                         axis=-1, epsilon=1e-5)
    power = graph.add("ReduceMean", graph.add("Mul", x, x), graph.constant([-1]))
    epsilon = graph.constant(np.finfo(np.float32).eps)
    root = graph.add("Sqrt", graph.add("Add", power, epsilon))
    return graph.add("Mul", graph.add("Div", x, root), scale)

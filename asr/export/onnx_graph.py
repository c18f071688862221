"""A network as an ONNX graph, for runtimes other than torch.

The graph is built from ONNX's own operators: its LSTM and GRU take the utterances' lengths and
turn each round within its own, as `asr.model.recurrent` does. So it is exact for any batch, without
tracing. Inputs and output are those of `asr.model.network.Network.forward`:

    features        (N, T, F) float32, what is past an utterance's length is ignored
    lengths         (N,) int64
    statistics      (N, 2, F) float32, mean and reciprocal standard deviation
    log_posteriors  (T', N, V) float32
    output_lengths  (N,) int64
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from asr import __version__
from asr.files import atomic_write
from asr.model.bundle import Bundle
from asr.model.front_end import Conv1dFrontEnd, Conv2dFrontEnd
from asr.model.network import Network
from asr.model.recurrent import RecurrentLayer

_OPSET = 18  # of December 2022
_IR_VERSION = 8
_GATES = {"lstm": [0, 3, 1, 2],  # torch's input, forget, cell, output → ONNX's i, o, f, c
          "gru": [1, 0, 2]}  # reset, update, new → z, r, h


def export_onnx(bundle: Bundle, output: Path) -> None:
    """Write a bundle's network; what else decoding needs is in the file's metadata as JSON.

    Metadata: `units` (symbols), `frame_shift` (seconds per output frame), `features` (how they are
    computed), `normaliser`, `provenance`.
    """
    model = onnx_model(bundle.network, bundle.config.features.dimension, len(bundle.units))
    config = bundle.config
    helper.set_model_props(model, {
        "units": json.dumps(bundle.units.symbols, ensure_ascii=False),
        "frame_shift": json.dumps(bundle.frame_shift),
        "features": config.features.model_dump_json(),
        "normaliser": config.normaliser,
        "provenance": json.dumps(config.provenance),
    })
    with atomic_write(output, binary=True) as file:
        file.write(model.SerializeToString())


def onnx_model(network: Network, features: int, symbols: int) -> onnx.ModelProto:
    """The graph of a network, checked for consistency."""
    graph = _Graph()
    lengths = graph.add("Cast", "lengths", to=TensorProto.INT64)
    x = _normalised(graph, features)
    x, output_lengths = _front_end(graph, network, x, lengths)
    sequence_lens = graph.add("Cast", output_lengths, to=TensorProto.INT32)
    for index, layer in enumerate(network.layers):
        assert isinstance(layer, RecurrentLayer)
        y = _recurrent(graph, network.config.cell, layer, x, sequence_lens)
        x = graph.add("Add", x, y) if index and network.config.residual else y
    logits = _linear(graph, network.head, x)
    graph.add("LogSoftmax", logits, name="log_posteriors", axis=-1)
    graph.add("Identity", output_lengths, name="output_lengths")
    model = helper.make_model(
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
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and constants, each of which gets a name."""

    def __init__(self) -> None:
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
        """A tensor, an array, or integers (int64)."""
        name = f"constant_{len(self.constants)}"
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().numpy()
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


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


def _front_end(graph: _Graph, network: Network, x: str, lengths: str) -> tuple[str, str]:
    """Frames (T', N, D) and their numbers (N,)."""
    front_end = network.front_end
    step = front_end.subsampling
    lengths = graph.add("Div", graph.add("Add", lengths, graph.constant(np.int64(step - 1))),
                        graph.constant(np.int64(step)))
    zero = graph.constant(np.float32(0))
    if isinstance(front_end, Conv2dFrontEnd):
        x = graph.add("Unsqueeze", x, graph.constant([1]))  # (N, 1, T, F)
        x = _convolution(graph, front_end.first, x)
        mask = graph.add("Unsqueeze", _mask(graph, lengths, x, time_axis=2), graph.constant([3]))
        x = _convolution(graph, front_end.second, graph.add("Where", mask, x, zero))
        x = graph.add("Transpose", x, perm=[2, 0, 1, 3])
        x = graph.add("Reshape", x, graph.constant([0, 0, front_end.outputs]))
    elif isinstance(front_end, Conv1dFrontEnd):
        x = _convolution(graph, front_end.first, graph.add("Transpose", x, perm=[0, 2, 1]))
        mask = _mask(graph, lengths, x, time_axis=2)
        x = _convolution(graph, front_end.second, graph.add("Where", mask, x, zero))
        x = graph.add("Transpose", x, perm=[2, 0, 1])
    else:
        frames = graph.add("Shape", x, start=1, end=2)
        missing = graph.add("Mod", graph.add("Neg", frames), graph.constant([step]))
        none = graph.constant(np.zeros(1, np.int64))
        pads = graph.add("Concat", none, none, none, none, missing, none, axis=0)
        x = graph.add("Pad", x, pads)
        x = graph.add("Reshape", x, graph.constant([0, -1, front_end.outputs]))
        return graph.add("Transpose", x, perm=[1, 0, 2]), lengths
    return _norm(graph, front_end.norm, x), lengths


def _convolution(graph: _Graph, layer: nn.Conv1d | nn.Conv2d, x: str) -> str:
    assert layer.bias is not None and not isinstance(layer.padding, str)
    x = graph.add("Conv", x, graph.constant(layer.weight), graph.constant(layer.bias),
                  kernel_shape=list(layer.kernel_size), strides=list(layer.stride),
                  pads=[*layer.padding, *layer.padding])
    return graph.add("Relu", x)


def _recurrent(graph: _Graph, cell: str, layer: RecurrentLayer, x: str, lengths: str) -> str:
    """One layer over frames (T, N, ·)."""
    rnns = [rnn for rnn in (layer.forward_rnn, layer.backward_rnn) if rnn is not None]
    units = rnns[0].hidden_size

    def gates(name: str) -> torch.Tensor:
        """A parameter of all directions in ONNX's order; (directions, gates · units, …)."""
        blocks = [getattr(rnn, name).detach().unflatten(0, (-1, units)) for rnn in rnns]
        return torch.stack([block[_GATES[cell]].flatten(0, 1) for block in blocks])

    bias = torch.cat([gates("bias_ih_l0"), gates("bias_hh_l0")], dim=1)
    attributes: dict[str, Any] = {"linear_before_reset": 1} if cell == "gru" else {}
    y = graph.add(cell.upper(), x, graph.constant(gates("weight_ih_l0")),
                  graph.constant(gates("weight_hh_l0")), graph.constant(bias), lengths,
                  hidden_size=units, direction="bidirectional" if len(rnns) == 2 else "forward",
                  **attributes)  # (T, directions, N, units)
    y = graph.add("Transpose", y, perm=[0, 2, 1, 3])
    y = graph.add("Reshape", y, graph.constant([0, 0, len(rnns) * units]))
    if isinstance(layer.projection, nn.Linear):
        y = _linear(graph, layer.projection, y)
    return _norm(graph, layer.norm, y)


def _linear(graph: _Graph, layer: nn.Linear, x: str) -> str:
    product = graph.add("MatMul", x, graph.constant(layer.weight.T))
    return graph.add("Add", product, graph.constant(layer.bias))


def _norm(graph: _Graph, layer: nn.Module, x: str) -> str:
    if isinstance(layer, nn.LayerNorm):
        return graph.add("LayerNormalization", x, graph.constant(layer.weight),
                         graph.constant(layer.bias), axis=-1, epsilon=layer.eps)
    if isinstance(layer, nn.RMSNorm):
        epsilon = layer.eps if layer.eps is not None else torch.finfo(torch.float32).eps
        power = graph.add("ReduceMean", graph.add("Mul", x, x), graph.constant([-1]))
        root = graph.add("Sqrt", graph.add("Add", power, graph.constant(np.float32(epsilon))))
        return graph.add("Mul", graph.add("Div", x, root), graph.constant(layer.weight))
    return x

"""A network as a file for other runtimes."""

import json
from pathlib import Path

import onnx

from asr.files import atomic_write
from asr.model.bundle import Bundle
from asr.model.onnx_graph import onnx_model
from asr.text.phones import PhoneUnits


def export_onnx(bundle: Bundle, output: Path) -> None:
    """Write a bundle's network; what else decoding needs is in the file's metadata as JSON.

    Metadata: `units` (symbols), `lexicon` (of phones: a word and its phones a line), `frame_shift`
    (seconds per output frame), `features` (how they are computed), `statistics` (for global
    normalisation: means, reciprocal standard deviations), `normaliser`, `provenance`.
    """
    config = bundle.config
    model = onnx_model(config.model, config.features.dimension, bundle.weights)
    metadata = {
        "units": json.dumps(bundle.units.symbols, ensure_ascii=False),
        "frame_shift": json.dumps(bundle.frame_shift),
        "features": config.features.model_dump_json(),
        "normaliser": config.normaliser,
        "provenance": json.dumps(config.provenance),
    }
    if bundle.training_statistics is not None:
        metadata["statistics"] = json.dumps(bundle.training_statistics.tolist())
    if isinstance(bundle.units, PhoneUnits):
        metadata["lexicon"] = "".join(bundle.units.lines())
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    with atomic_write(output, binary=True) as file:
        file.write(model.SerializeToString())

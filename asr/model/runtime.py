"""The network on the processor, by ONNX Runtime.

It loads in a tenth of the time that torch takes and is the faster one for a single utterance
(docs/transcribing.md has the measurement).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime

from asr.features.batch import padded
from asr.model.config import ModelConfig
from asr.model.onnx_graph import onnx_model
from asr.parallel import compute_threads


class Runtime:
    """A network that is ready to compute.

    Parameters
    ----------
    features, weights
        See `asr.model.onnx_graph.onnx_model`.
    """

    def __init__(self, config: ModelConfig, features: int, weights: Mapping[str, np.ndarray]
                 ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = compute_threads()
        # Between operations the cores belong to the search, and memory to whatever comes next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            onnx_model(config, features, weights).SerializeToString(), options,
            providers=["CPUExecutionProvider"])
        self._symbols = len(weights["head.bias"])

    def log_posteriors(self, frames: Sequence[np.ndarray], statistics: np.ndarray
                       ) -> list[np.ndarray]:
        """See `asr.model.bundle.Bundle.log_posteriors`."""
        spoken = [i for i, f in enumerate(frames) if len(f)]
        results = [np.zeros((0, self._symbols), np.float32)] * len(frames)
        if spoken:
            x, lengths = padded([frames[i] for i in spoken])
            posteriors, output_lengths = self._session.run(None, {
                "features": x.astype(np.float32), "lengths": lengths,
                "statistics": np.asarray(statistics[spoken], np.float32)})
            for column, (i, length) in enumerate(zip(spoken, output_lengths, strict=True)):
                results[i] = np.ascontiguousarray(posteriors[:length, column])
        return results

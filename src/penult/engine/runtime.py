"""Run an ONNX model with ONNX Runtime, on all cores."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

ort.disable_telemetry_events()  # official Windows builds would send them
ERRORS_ONLY = 3  # of ONNX Runtime's log levels


def cores() -> int:
    """Count the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Engine:
    """An ONNX model made ready to run.

    Args:
        model: A serialised ONNX model with one float32 input (n, height, width, channels).
        weights: Its external initializers by name; they are not copied.
    """

    def __init__(self, model: bytes, weights: Mapping[str, NDArray[np.float32]]) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = cores()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # cores decode too
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self.outputs: list[str] = [output.name for output in self._session.get_outputs()]

    def run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Return each output for a batch of network inputs (n, height, width, channels)."""
        results = self._session.run(self.outputs, {self._input: batch})
        return dict(zip(self.outputs, results, strict=True))

"""Run an ONNX model with ONNX Runtime, on one core a call.

Calls from as many threads as there are cores keep all of them busy, with one copy of the weights:
no kernel waits for the slowest part of another, nor fights the decoders for its turn.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from penult.errors import NetworkError
from penult.util.machine import return_memory
from penult.util.text import one_line

ort.disable_telemetry_events()  # of versions that do not know ORT_DISABLE_TELEMETRY
_PLACE = r"^\[ONNXRuntimeError\] : \d+ : \w+ : (/\S+:\d+ .*?\) )?"  # and the place in its source
NOTHING = 4  # of ONNX Runtime's log levels: its errors are raised, so they needn't be printed too
ort.set_default_logger_severity(NOTHING)


class Cut(NamedTuple):
    """A model for `Engine`, cut out of a network."""

    model: bytes
    weights: dict[str, NDArray[np.float32]]  # views of the file where it has them aligned
    outputs: dict[str, tuple[int, ...]]  # the layers, in the model's order; shapes of one image


class Engine:
    """An ONNX model made ready to run, from any number of threads at once.

    Args:
        model: A serialised ONNX model with one float32 input (n, height, width, channels).
        weights: Its external initializers by name; the mapping is emptied, so that they can go as
            soon as ONNX Runtime has laid them out anew.
        outputs: Names for its outputs, in order; by default those in the model.
        name: What to call the model in errors.
        once: Whether it is for one batch or none: ready sooner, but slower.

    Attributes:
        inferred: Type and shape of each output, as far as they follow from the model: "float32",
            sizes, and the names of sizes that vary.

    Raises:
        NetworkError: ONNX Runtime refuses the model.
    """

    def __init__(
        self,
        model: bytes,
        weights: dict[str, NDArray[np.float32]],
        outputs: list[str] | None = None,
        name: str = "the network",
        *,
        once: bool = False,
    ) -> None:
        self._name = name
        options = ort.SessionOptions()
        options.log_severity_level = NOTHING
        options.intra_op_num_threads = 1
        if once:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.add_session_config_entry("session.disable_prepacking", "1")
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
        weights.clear()
        with self._translated():
            self._session = ort.InferenceSession(
                model,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # to the same provider again, with four lines of output
            )
        del values, options
        return_memory()  # of ResNet-50 85 MB
        self._input = self._session.get_inputs()[0]
        found = self._session.get_outputs()
        self.outputs = outputs or [output.name for output in found]
        self.inferred = {each.name: (_dtype(each.type), each.shape) for each in found}

    def run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Return each output for a batch of network inputs (n, height, width, channels).

        Raises:
            NetworkError: ONNX Runtime can't run the model on it.
        """
        if self._input.shape[0] == 1 < len(batch):  # exported without a batch dimension
            single = [self._run(batch[i : i + 1]) for i in range(len(batch))]
            results = [np.concatenate(rows) for rows in zip(*single, strict=True)]
        else:
            results = self._run(batch)
        return dict(zip(self.outputs, results, strict=True))

    def _run(self, batch: NDArray[np.float32]) -> list[NDArray[Any]]:
        with self._translated():
            results: list[NDArray[Any]] = self._session.run(None, {self._input.name: batch})
        return results

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # ONNX Runtime's errors share no other base
            reason = one_line(re.sub(_PLACE, "", " ".join(str(exc).split())))
            raise NetworkError(f"{self._name}: ONNX Runtime can't run it: {reason}") from exc


def _dtype(declared: str) -> str:
    return "float32" if declared == "tensor(float)" else declared

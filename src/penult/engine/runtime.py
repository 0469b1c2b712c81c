"""Run an ONNX model with ONNX Runtime: on one core a call, or on another device.

Calls from as many threads as there are cores keep all of them busy, with one copy of the weights:
no kernel waits for the slowest part of another, nor fights the decoders for its turn. Another
device takes a call at a time, of many images.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np
import onnxruntime as ort

from penult.engine.base import Array, Cut, EngineFactory, Inputs
from penult.engine.devices import Provider, find
from penult.errors import NetworkError
from penult.util.machine import return_memory, workers
from penult.util.text import one_line

T = TypeVar("T")

ort.disable_telemetry_events()  # of versions that do not know ORT_DISABLE_TELEMETRY
_PLACE = r"^\[ONNXRuntimeError\] : \d+ : \w+ : (/\S+:\d+ .*?\) )?"  # and the place in its source
_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
NOTHING = 4  # of ONNX Runtime's log levels: its errors are raised, so they needn't be printed too
ort.set_default_logger_severity(NOTHING)


class OnnxRuntime:
    """ONNX Runtime: an `Engine` that gets ready in the background, on the processor.

    Args:
        cut: The model; all is computed in the precision of its inputs and weights.
        once: Whether it is for one batch or none: ready sooner, but slower.
        provider: What computes, on which device; by default the processor.

    Raises:
        NetworkError: ONNX Runtime refuses the model, or the device can't run it; of the processor
            raised by whatever first needs it ready.
    """

    def __init__(self, cut: Cut, *, once: bool = False, provider: Provider | None = None) -> None:
        self._provider = provider or find("cpu")
        device = self._provider.device
        if not device.is_processor and cut.precision != "float32":
            raise NetworkError(
                f"{cut.name} computes in {cut.precision}, {self._provider.name} in float32, which "
                "makes other features: leave out --device, or export it in float32"
            )
        weights = sum(array.nbytes for array in cut.weights.values())
        self.batch = device.batch
        self.calls = workers(weights) if device.is_processor else 1
        self.description: Mapping[str, str] = {
            "engine": "onnxruntime",
            "device": self._provider.name,
            "precision": cut.precision,
        }
        self._name = cut.name
        self._outputs = list(cut.outputs)
        self._cuts = [cut]  # until `_build` takes it
        self._session = _start(lambda: self._build(once))
        if not device.is_processor:  # which may refuse: before anything is recorded as of it
            self._session.result()

    @property
    def inferred(self) -> dict[str, tuple[str, list[Any]]]:
        """Type and shape of each output, as far as they follow from the model.

        "float32", sizes, and the names of sizes that vary.
        """
        outputs = self._session.result().get_outputs()
        described = [(_dtype(output.type), output.shape) for output in outputs]
        return dict(zip(self._outputs, described, strict=True))

    def wait(self) -> None:
        """Return when the session is ready; see `Engine.wait`."""
        self._session.result()

    def run(self, inputs: Inputs) -> dict[str, Array]:
        """Return each output for a batch of inputs; see `Engine.run`."""
        session = self._session.result()
        first = session.get_inputs()[0]
        batch = inputs if isinstance(inputs, Mapping) else {first.name: inputs}
        images = len(next(iter(batch.values())))
        fixed = first.shape[0]
        if isinstance(fixed, int) and fixed != images:  # exported for so many images a call
            calls = [
                self._run(session, {n: _padded(a[i : i + fixed], fixed) for n, a in batch.items()})
                for i in range(0, images, fixed)
            ]
            results = [np.concatenate(rows)[:images] for rows in zip(*calls, strict=True)]
        else:
            results = self._run(session, batch)
        return dict(zip(self._outputs, results, strict=True))

    def _run(self, session: ort.InferenceSession, batch: Mapping[str, Array]) -> list[Array]:
        with self._wrap_errors():
            results: list[Array] = session.run(None, dict(batch))
        return results

    def _build(self, once: bool) -> ort.InferenceSession:
        model, weights, _, _, release, _ = self._cuts.pop()
        options = ort.SessionOptions()
        options.log_severity_level = NOTHING
        options.intra_op_num_threads = 1
        if once:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.add_session_config_entry("session.disable_prepacking", "1")
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
        with self._wrap_errors():
            session = ort.InferenceSession(
                model,
                options,
                providers=self._provider.add_to(options),
                enable_fallback=0,  # to the processor, with four lines of output
            )
        self._provider.check(session, self._name)
        del model, weights, values, options
        return_memory()  # of ResNet-50 85 MB
        release()
        return session

    @contextmanager
    def _wrap_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # ONNX Runtime's errors share no other base
            reason = one_line(re.sub(_PLACE, "", " ".join(str(exc).split())))
            raise NetworkError(f"{self._name}: ONNX Runtime can't run it: {reason}") from exc


def engine_on(device: str) -> EngineFactory:
    """Return what makes engines of ONNX Runtime on a device; errors as of `find`."""
    return partial(OnnxRuntime, provider=find(device))


def _start(function: Callable[[], T]) -> Future[T]:
    """Call in the background, while the caller imports what else it needs."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(function)
    finally:
        pool.shutdown(wait=False)


def _padded(array: Array, length: int) -> Array:
    """Add zeros at the end of a batch that is too short."""
    missing = length - len(array)
    return np.concatenate([array, np.zeros_like(array[:1]).repeat(missing, 0)])


def _dtype(declared: str) -> str:
    return _DTYPES.get(declared, declared)

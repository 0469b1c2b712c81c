"""Where Winograd's convolutions pay: one layer, or a network, as ONNX Runtime has it and rewritten.

    python benchmarks/winograd.py [NETWORK…]

Without arguments: layers of several shapes, each followed by a ReLU, random numbers, for batches of
8 and 1 and for 1 and 2 threads. With networks: their features, stand-in weights. Runs are
interleaved; prints the median of the plain graph, the median of the ratios of neighbouring runs,
and the relative error (L2) against the plain graph. `rule` is whether `penult.graph.winograd`
rewrites such a layer by itself.
"""

import re
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from runpy import run_path
from statistics import median

import numpy as np
import onnxruntime as ort

from penult import nets
from penult.graph import Constant, Value, conv, placeholder, relu, to_nhwc
from penult.graph.winograd import pays, winograd
from penult.images.preprocess import vgg
from penult.onnx.writer import Read, to_onnx

LAYERS = [  # channels, filters, size
    (64, 64, 56),
    (64, 128, 112),
    (96, 96, 35),
    (128, 128, 112),
    (128, 256, 56),
    (128, 128, 28),
    (192, 192, 28),
    (256, 256, 56),
    (256, 512, 28),
    (256, 256, 14),
    (512, 512, 28),
    (512, 512, 14),
    (512, 512, 7),
]
BATCHES, THREADS = (8, 1), (1, 2)
PAIRS, SECONDS = 5, 1.0  # at least, both

NETWORKS = run_path(str(Path(__file__).with_name("networks.py")))
stand_in, relative_error = NETWORKS["stand_in"], NETWORKS["relative_error"]


def instruction_set() -> str:
    """Name the widest vectors that the processor has, as far as Linux tells."""
    file = Path("/proc/cpuinfo")
    flags = set(re.findall(r"avx512f|avx2", file.read_text() if file.exists() else ""))
    return ", ".join(sorted(flags)) or "unknown"


def session(layer: Value, read: Read, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Make a graph ready to run, as the engine does, on so many threads."""
    model = to_onnx({"out": layer}, read)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in model.weights.values()]
    options.add_external_initializers([*model.weights], values)
    ready = ort.InferenceSession(model.model, options, providers=["CPUExecutionProvider"])
    return lambda batch: (model, ready.run(None, {"images": batch})[0])[1]  # keeps the weights


def compare(layer: Value, read: Read, batch: np.ndarray, threads: int, **rule: Callable) -> str:
    """Run a graph as it is and rewritten, in turns."""
    graphs = layer, winograd({"out": layer}, **rule)["out"]
    plain, rewritten = (session(each, read, threads) for each in graphs)
    error = relative_error(rewritten(batch), plain(batch))
    times: list[tuple[float, float]] = []
    while len(times) < PAIRS or sum(map(sum, times)) < SECONDS:
        times.append((seconds(plain, batch), seconds(rewritten, batch)))
    ratio = median(a / b for a, b in times)
    return f"{median(a for a, _ in times) * 1e3:9.1f} ms {ratio:8.2f} {error:10.1e}"


def seconds(run: Callable[[np.ndarray], np.ndarray], batch: np.ndarray) -> float:
    """Time one run."""
    start = time.perf_counter()
    run(batch)
    return time.perf_counter() - start


def layers() -> None:
    """Measure single layers."""
    rng = np.random.default_rng(0)
    head = f"{'channels':>9}{'filters':>9}{'size':>6}{'rule':>6}{'batch':>7}{'threads':>9}"
    print(f"{head}{'plain':>12} {'ratio':>8} {'error':>10}")
    for channels, filters, size in LAYERS:
        x = placeholder("images", (channels, size, size), layout="NCHW")
        kernel = rng.normal(0, (9 * channels) ** -0.5, (filters, channels, 3, 3))
        layer = relu(conv(x, constant(kernel), constant(rng.normal(size=filters))))
        rule = "yes" if pays(layer.inputs[0]) else "no"
        for n, threads in product(BATCHES, THREADS):
            batch = abs(rng.normal(size=(n, *x.shape))).astype(np.float32)
            row = compare(layer, stand_in, batch, threads, pays=lambda *_: True)
            print(f"{channels:9}{filters:9}{size:6}{rule:>6}{n:7}{threads:9}{row}", flush=True)


def constant(array: np.ndarray) -> Constant:
    """Put numbers into a graph."""
    return Constant(array.shape, (), lambda: array)


def network(name: str) -> None:
    """Measure a network's features."""
    spec = nets.get(name)
    layer = spec.layers()[spec.architecture.embedding]
    layer = to_nhwc(layer) if len(layer.shape) == 3 else layer
    scale = 100 if spec.preprocess is vgg else 1
    for n, threads in product(BATCHES, THREADS):
        shape = n, spec.size, spec.size, spec.architecture.channels
        batch = np.random.default_rng(0).uniform(-scale, scale, shape).astype(np.float32)
        row = compare(layer, stand_in, batch, threads)
        print(f"{name:24}{n:7}{threads:9}{row}", flush=True)


def main(*names: str) -> None:
    """Measure networks, or layers."""
    print(f"{NETWORKS['processor']()} ({instruction_set()}), ONNX Runtime {ort.__version__}")
    if names:
        print(f"{'network':24}{'batch':>7}{'threads':>9}{'plain':>12} {'ratio':>8} {'error':>10}")
    for name in names:
        network(name)
    if not names:
        layers()


if __name__ == "__main__":
    main(*sys.argv[1:])

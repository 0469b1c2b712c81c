"""Every network: how far its features are from the original's, and how fast it is on this machine.

    python benchmarks/networks.py [PATTERN | --write]

TF-Slim's networks are held against what the original code computed under TensorFlow, on the images
and with the stand-in weights of tests/nets/test_golden.py; the EfficientNet-Lites, with their own
weights, against the published PyTorch port, on the example photos. Errors are relative (L2) and of
the default layer; the references of VGG have its fc8 instead.

Speed is that of the network alone, without reading and preparing images: batches as Penult makes
them, on all cores, the median after a first run that doesn't count.

Prints rows of a Markdown table as they come. With a pattern such as 'mobilenet_v1*', those of the
networks that match; with --write, all rows that have an error also replace the table in
docs/networks.md, and all speeds src/penult/nets/speed.tsv, which `penult models` shows.
"""

import json
import platform
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from runpy import run_path
from statistics import median
from typing import NamedTuple

import numpy as np
import onnxruntime

import penult
from penult import nets
from penult.engine import Engine, OnnxRuntime
from penult.graph import Variable, to_nhwc
from penult.graph.products import products
from penult.graph.winograd import winograd
from penult.nets import Pretrained, speed
from penult.onnx.writer import to_onnx
from penult.util.machine import cores

ROOT = Path(__file__).parents[1]
PAGE, REFERENCE = ROOT / "docs/networks.md", ROOT / "tests/reference"
BEGIN, END = "<!-- networks: benchmarks/networks.py -->\n", "<!-- end -->"
COLUMNS = ["network", "input", "parameters", "layer", "features", "top-1", "error", "images/s"]
HEAD = f"| {' | '.join(COLUMNS)} |\n{'| --- ' * len(COLUMNS)}|"
RUNS, SECONDS = 3, 2.0  # at least, both

GOLDEN = run_path(str(ROOT / "tests/nets/test_golden.py"))
batch, weight, relative_error = (GOLDEN[name] for name in ("batch", "weight", "relative_error"))


class Measured(NamedTuple):
    """What was measured of a network."""

    network: str
    error: str  # empty where there is no reference
    rate: float  # images/s

    def __str__(self) -> str:
        described = nets.describe(self.network)
        spec, layer = described.spec, described[described.spec.architecture.embedding]
        cells = (
            f"`{self.network}`",
            f"{spec.size}×{spec.size}",
            f"{described.whole.parameters / 1e6:.1f} M",
            f"`{layer.name}`",
            str(layer.shape[-1]),
            f"{spec.top1} %" if spec.top1 else "–",
            self.error or "–",
            f"{self.rate:g}",
        )
        return f"| {' | '.join(cells)} |"


def measure(spec: Pretrained) -> Measured:
    """Measure one network; nothing of it stays in memory."""
    manifest, port = REFERENCE / f"manifests/{spec.name}.json", REFERENCE / f"{spec.name}.npz"
    if manifest.exists():
        return against_tensorflow(spec, json.loads(manifest.read_text(encoding="utf-8")))
    error = error_against_port(spec, port) if port.exists() else ""
    ready = engine(spec, {spec.architecture.embedding})
    return Measured(spec.name, error, images_per_second(spec, ready))


def against_tensorflow(spec: Pretrained, manifest: dict) -> Measured:
    """Measure a network of which there is what TensorFlow computed."""
    layer = manifest["feature_endpoint"]
    ready = engine(spec, {spec.architecture.embedding, layer})
    found = ready.run(batch(manifest))[layer].reshape(3, -1)
    with np.load(REFERENCE / f"golden/{spec.name}.npz") as golden:
        error = f"{relative_error(found, golden['features'].reshape(3, -1)):.1e}"
    if layer != spec.architecture.embedding:
        error += f" (`{layer}`)"
    return Measured(spec.name, error, images_per_second(spec, ready))


def error_against_port(spec: Pretrained, file: Path) -> str:
    """Compare a network that has its own weights with what the PyTorch port computed."""
    with np.load(file) as reference:
        photos = [ROOT / "examples/photos" / key for key in reference["keys"]]
        found = penult.load_model(spec.name).features(photos)
        return f"{relative_error(found, reference['pooled_features']):.1e} (PyTorch port)"


def stand_in(variable: Variable) -> np.ndarray:
    """The weights behind TensorFlow's references, and good enough for the speed of any network."""
    array = weight(variable.name, variable.shape)
    return abs(array) if variable.name.endswith("running_var") else array


def engine(spec: Pretrained, layers: set[str]) -> Engine:
    """Make a network ready to run up to these layers."""
    graph = spec.layers()
    maps = {name: graph[name] for name in layers}
    values = {name: to_nhwc(v) if len(v.shape) == 3 else v for name, v in maps.items()}
    return OnnxRuntime(to_onnx(winograd(products(values)), stand_in))


def images_per_second(spec: Pretrained, ready: Engine) -> float:
    """Time batches; three digits, since no more can be repeated."""
    shape = ready.batch, spec.size, spec.size, spec.architecture.channels
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    ready.run(images)
    seconds: list[float] = []
    with ThreadPoolExecutor(cores()) as threads:
        while len(seconds) < RUNS or sum(seconds) < SECONDS:
            start = time.perf_counter()
            wait([threads.submit(ready.run, images) for _ in range(2 * cores())])
            seconds.append(time.perf_counter() - start)
    return float(f"{2 * cores() * ready.batch / median(seconds):.3g}")


def conditions() -> str:
    """Say what was measured, and on what."""
    return (
        f"# images/s of the network alone, batches of 4, stand-in weights; "
        f"{processor()}, {cores()} cores, Python {platform.python_version()}, "
        f"ONNX Runtime {onnxruntime.__version__}; python benchmarks/networks.py --write"
    )


def processor() -> str:
    """Name the processor, as Linux does if this is one."""
    file = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)", file.read_text() if file.exists() else "", re.M)
    return names[0] if names else platform.processor()


def replaced(page: str, table: str) -> str:
    """Put a table between the two comments that mark its place."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit(f"{PAGE} has no place for the table: {BEGIN.strip()} and then {END}")
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def write(rows: list[Measured]) -> None:
    """Put the table into its page, and the speeds where `penult models` finds them."""
    table = "\n".join([HEAD, *(str(row) for row in rows if row.error)])
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
    lines = [conditions(), *(f"{row.network}\t{row.rate:g}" for row in rows)]
    speed.TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(argument: str = "*") -> None:
    """Measure all networks, or those that match a pattern."""
    to_be_written = argument == "--write"
    if to_be_written:
        replaced(PAGE.read_text(encoding="utf-8"), "")  # refuse now rather than at the end
    rows = []
    print(HEAD)
    for spec in nets.find("*" if to_be_written else argument):
        rows.append(measure(spec))
        print(rows[-1], flush=True)
    if to_be_written:
        write(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])

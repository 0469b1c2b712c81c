"""The references of today's libraries' networks; see tests/reference/modern/README.md.

A reference is a manifest (the tensors of a file, modules with fingerprints) and golden features.
The weights are stand-ins that `weights_by_torch_name` makes for any tensor of any file.
"""

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from runpy import run_path

import numpy as np

from penult.engine import OnnxRuntime
from penult.graph import variables
from penult.nets.design import Card, Design
from penult.nets.registry import read_designs
from penult.onnx.writer import to_onnx

SMALL = Path(__file__).parents[1] / "reference" / "modern"
ALL = Path(os.environ.get("PENULT_MODERN", SMALL))  # a folder that holds more of them


class Reference:
    """One network of one library."""

    def __init__(self, name: str, folder: Path = ALL) -> None:
        self.name = name
        self.folder = folder
        self.manifest = json.loads((folder / f"manifests/{name}.json").read_text(encoding="utf-8"))

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors of the file."""
        return {name: tuple(shape) for name, shape, _ in self.manifest["state_dict"]}

    @property
    def card(self) -> Card:
        """What a hub repository would say beside the file."""
        library, manifest = self.name.partition("/")[0], self.manifest
        config = manifest.get("config") or {}
        if library == "transformers":
            return Card(library, config["model_type"], config)
        if library == "openai":
            return Card()  # their files come alone
        return Card(library, manifest["architecture"].partition(".")[0], config)

    @cached_property
    def design(self) -> Design:
        """What is read off the tensors and the card."""
        (design,) = read_designs(self.shapes, self.card).values()
        return design

    def weight(self, name: str) -> np.ndarray:
        """The stand-in of one tensor, as the file has it."""
        if name in self.manifest["kept"]:
            return np.zeros(self.shapes[name], np.float32)
        array = _weight()(name, self.shapes[name])
        dtypes = {name: dtype for name, _, dtype in self.manifest["state_dict"]}
        return array.astype(np.float16) if dtypes[name] == "float16" else array

    def write(self, path: Path) -> Path:
        """Write the file as safetensors, with stand-in weights."""
        return write_safetensors(path, {name: self.weight(name) for name in self.shapes})

    @cached_property
    def inputs(self) -> np.ndarray:
        """The inputs behind the references, (n, height, width, channels)."""
        batch, shape = self.manifest["batch"], self.manifest["input_size"]
        photos = []
        if batch.get("preprocess"):
            with np.load(self.folder / f"preprocess/{batch['preprocess']}.npz") as arrays:
                photos = [arrays["img1"], arrays["img2"]]
        seeds = batch.get("seeds", (7,) if photos else (7, 8, 9))
        seeded = [np.random.Generator(np.random.PCG64(s)).uniform(-1, 1, shape) for s in seeds]
        whole = np.stack([*photos, *(each.astype(np.float32) for each in seeded)])
        return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))

    def run(self, layers: list[str] | None = None) -> dict[str, np.ndarray]:
        """Compute layers, all by default, of the three inputs."""
        architecture = self.design.architecture()
        size = self.manifest["input_size"][-1]
        graph = build(self.design, size)
        wanted = layers or [n for n in (architecture.embedding, architecture.logits) if n]
        values = {name: graph[name] for name in wanted}
        return OnnxRuntime(to_onnx(values, lambda v: self.weight(v.name)), once=True).run(
            self.inputs
        )

    def golden(self) -> dict[str, np.ndarray]:
        """What the library computed."""
        with np.load(self.folder / f"golden/{self.name}.npz") as arrays:
            return dict(arrays)


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write a file of tensors."""
    header, at = {}, 0
    for name, array in arrays.items():
        dtype = {"float16": "F16", "float32": "F32"}[str(array.dtype)]
        offsets = [at, at := at + array.nbytes]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.tobytes())
    return path


def build(design: Design, size: int | None = None):
    """Build a design's graph; every layer by name."""
    from penult.graph import images

    return design.architecture().build(images(size or design.size), design.classes)


def differences(reference: Reference) -> dict[str, float]:
    """Compare features and logits, relative L2."""
    golden, architecture = reference.golden(), reference.design.architecture()
    found = reference.run()
    pairs = {"features": architecture.embedding, "logits": architecture.logits}
    return {
        key: relative_error(found[layer], golden[key])
        for key, layer in pairs.items()
        if layer and key in golden
    }


def prints(reference: Reference) -> Iterator[tuple[str, float]]:
    """Compare each fingerprinted module that is a layer of ours, in units of its deviation."""
    known = reference.manifest["fingerprints"]
    graph = build(reference.design, reference.manifest["input_size"][-1])
    names = [name for name in graph if name in known]
    found = reference.run(names) if names else {}
    for name in names:
        print_ = known[name]
        for row, key in ((0, "img1"), (-1, "seeded")):
            if key in print_:
                value = found[name][row]
                assert value.size == np.prod(print_["shape"][1:]), name
                places = np.abs(value.ravel()[print_["index"]] - print_[key]).max()
                yield name, float(places / max(print_["std"]))


def unused(reference: Reference) -> list[str]:
    """List the tensors of the file that no layer needs, and layers' needs that the file lacks."""
    needed = {v.name: v.shape for v in variables(build(reference.design).values())}
    lacking = [n for n, shape in needed.items() if reference.shapes.get(n) != shape]
    return [*lacking, *(name for name in reference.shapes if name not in needed)]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    found = found.reshape(expected.shape)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def names(folder: Path = ALL) -> list[str]:
    """The references of a folder: `timm/resnet50`."""
    paths = sorted(folder.glob("manifests/*/*.json"))
    return [f"{path.parent.name}/{path.stem}" for path in paths]


@cache
def _weight():
    for folder in (ALL, SMALL):
        if (folder / "weights_by_torch_name.py").exists():
            return run_path(str(folder / "weights_by_torch_name.py"))["weight"]
    raise FileNotFoundError("weights_by_torch_name.py")

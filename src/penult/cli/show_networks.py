"""What the commands around networks and their weights print."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Any

from penult.cli.show import (
    columns,
    print_facts,
    print_fitting,
    print_json,
    print_table,
    say,
    shape_text,
)
from penult.util.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from rich.text import Text

    from penult.model.description import OnnxDescription, Port
    from penult.model.inspection import Inspection
    from penult.model.model import Model
    from penult.model.published import Download
    from penult.nets import Description

MISSING_SHOWN = 3
STATISTICS = ("mean", "std", "min", "max", "nonfinite")


def models(
    descriptions: Sequence["Description"], others: Sequence[Mapping[str, Any]], *, as_json: bool
) -> None:
    """Print a table of networks, and one of weights whose networks are read off them."""
    if as_json:
        print_json([*map(_facts, descriptions), *others])
        return
    if descriptions:
        _print_networks([_facts(each) for each in descriptions])
    if others:
        _print_weights(others)


def _print_networks(networks: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        {
            "network": each["network"],
            "input": shape_text(each["input"][:2]),
            "width": str(each["width"]),
            "params": f"{each['parameters'] / 1e6:.1f} M",
            "mult-adds": f"{each['multiply_adds'] / 1e6:.0f} M",
            "top-1": _known(each["top1"], "{} %"),
            "top-5": _known(each["top5"], "{} %"),
            "images/s": _known(each["images_per_second"], "{:.3g}"),
            "MB": _known(each["weights_bytes"], "{:.0f}", 1e-6),
            "weights": _where(each),
            "paper": _link(each["paper"].rpartition("/")[2], each["paper"]),
        }
        for each in networks
    ]
    print_fitting(rows, ("paper", "top-5", "mult-adds", "input", "width", "MB", "images/s"))


def _print_weights(weights: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        {
            "network": each["network"],
            "input": shape_text((each["size"],) * 2) if "size" in each else "–",
            "top-1": _known(each.get("top1"), "{} %"),
            "top-5": _known(each.get("top5"), "{} %"),
            "MB": _known(each.get("megabytes"), "{:.0f}"),
            "licence": each.get("licence", "–"),
            "weights": _where(each),
        }
        for each in weights
    ]
    print_fitting(rows, ("top-5", "licence", "input", "MB"))


def _where(network: Mapping[str, Any]) -> "Text | str":
    """That weights are installed, or where they come from; in a terminal a word for an address."""
    where: str | None = network["weights"]
    if network["installed"]:
        return _link("installed", where if where and "://" in where else None)
    if where is None:
        return "-w FILE"
    return _link("download", where) if "://" in where else where


def description(d: "Description | OnnxDescription", *, as_json: bool) -> None:
    """Print a network's facts and its layers."""
    from penult.nets import Description

    if not isinstance(d, Description):
        _describe_onnx(d, as_json=as_json)
        return
    facts = _facts(d)
    if as_json:
        print_json(facts | {"layers": [asdict(layer) for layer in d.layers]})
        return
    print_facts(facts | {"installed": "yes" if facts["installed"] else "no"})
    table = columns("layer", "shape", "parameters", "multiply-adds")
    for layer in d.layers:
        mark = "  (default)" if layer.name == d.spec.architecture.embedding else ""
        table.add_row(
            layer.name + mark,
            shape_text(layer.shape),
            f"{layer.parameters:,}",
            f"{layer.multiply_adds:,}",
        )
    print_table(table)


def inspection(inspection: "Inspection", *, as_json: bool) -> None:
    """Print what a weights file holds: the facts first, then its variables."""
    facts = asdict(inspection) | {"path": str(inspection.path)}
    graph, variables = inspection.onnx, facts.pop("variables")
    if as_json:
        print_json(facts | {"onnx": graph and _onnx_document(graph), "variables": variables})
        return
    facts |= {"onnx": None, "prefixes": ", ".join(filter(None, inspection.prefixes)) or None}
    facts["missing"] = "; ".join(inspection.missing[:MISSING_SHOWN]) or "nothing"
    if len(inspection.missing) > MISSING_SHOWN:
        facts["missing"] += f"; and {len(inspection.missing) - MISSING_SHOWN} more"
    facts["networks"] = ", ".join(inspection.networks) or "none"
    if graph:
        facts |= {"networks": facts["networks"] if inspection.networks else None, "missing": None}
        facts |= _onnx_facts(graph)
    roles = Counter(variable.role for variable in inspection.variables)
    facts["variables"] = ", ".join(f"{count} {role}" for role, count in roles.items())
    print_facts(facts)
    if graph:
        _print_layers(graph)
        print()
    with_statistics = any(variable.statistics for variable in inspection.variables)
    table = columns("variable", "shape", "dtype", "role", *STATISTICS[: 5 * with_statistics])
    for variable in inspection.variables:
        values = variable.statistics
        numbers = [f"{number:.4g}" for number in astuple(values)] if values else []
        name, role = printable(variable.name), variable.role
        table.add_row(name, shape_text(variable.shape), variable.dtype, role, *numbers)
    print_table(table)


def downloaded(name: str, download: "Download") -> None:
    """Say where published weights are, and how they were checked."""
    checked = (
        "recorded at this first use, since none was published" if download.first_use else "checked"
    )
    say(f"{name}: {download.path}, {download.digest} {checked}")


def converted(model: "Model", out: "Path") -> None:
    """Say what an ONNX file holds that was written, and what it takes."""
    layers = ", ".join(f"{name} ({shape_text(shape)})" for name, shape in model.outputs.items())
    beside = out.with_name(f"{out.name}.data")
    files = f"{out} and {beside.name}" if beside.exists() else str(out)
    side = model.network.size
    say(
        f"{files}: {model.network.name} of {model.network.path.name} up to {layers}; takes images "
        f"of {side}×{side} pixels, made by '{model.preprocessing}'"
    )


def _describe_onnx(d: "OnnxDescription", *, as_json: bool) -> None:
    if as_json:
        print_json(_onnx_document(d))
        return
    print_facts({"path": str(d.path), "format": f"ONNX (opset {d.opset})", **_onnx_facts(d)})
    _print_layers(d)


def _onnx_document(d: "OnnxDescription") -> dict[str, Any]:
    layers = [{"name": name, "shape": shape} for name, shape in d.layers.items()]
    return asdict(d) | {"path": str(d.path), "layers": layers}


def _onnx_facts(d: "OnnxDescription") -> dict[str, Any]:
    return {
        "producer": d.producer or None,
        "inputs": ", ".join(map(_port, d.inputs)),
        "outputs": ", ".join(map(_port, d.outputs)),
        "size": f"{shape_text(d.size)} pixels, of the images that the layers are for",
        "features": ", ".join(d.features) or "choose a layer (-l)",
        "because": d.reason,
    }


def _port(port: "Port") -> str:
    shape = "×".join(str(size or "?") for size in port.shape)
    return f"{port.name} {port.dtype} {shape}".strip()


def _print_layers(d: "OnnxDescription") -> None:
    table = columns("layer", "shape")
    for name, shape in d.layers.items():
        mark = "  (default)" if name in d.features else ""
        table.add_row(printable(name) + mark, shape_text(shape))
    print_table(table)


def _facts(d: "Description") -> dict[str, Any]:
    from penult.model.installed import is_installed
    from penult.nets.speed import images_per_second

    spec, weights, net = d.spec, d.spec.weights, d.spec.architecture
    return {
        "network": spec.name,
        "input": (d.size, d.size, net.channels),
        "features": net.embedding,
        "width": d[net.embedding].shape[-1],
        "parameters": d.whole.parameters,
        "multiply_adds": d.whole.multiply_adds,
        "preprocessing": str(spec.preprocess(d.size)),
        "top1": spec.top1,
        "top5": spec.top5,
        "images_per_second": images_per_second().get(spec.name),
        "classes": spec.classes or None,
        "weights": weights.where if weights else None,
        "weights_bytes": weights and weights.bytes,
        "installed": is_installed(spec.name, weights),
        "licence": weights.licence if weights else None,
        "source": net.source,
        "paper": net.paper,
    }


def _link(text: str, address: str | None) -> "Text | str":
    """Show a few words that lead to an address where the terminal knows links; else the address."""
    from rich.text import Text

    if address is None or not sys.stdout.isatty():
        return address or text
    return Text(text, style=f"link {address}" if "://" in address else "")


def _known(value: float | None, form: str, factor: float = 1) -> str:
    return "–" if value is None else form.format(value * factor if factor != 1 else value)

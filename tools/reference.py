"""Pages of the site that come from the code: commands, functions, errors; the list of decisions."""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Any

import griffe
import typer
from typer.cli import get_docs_for_click

import penult
import penult.errors
from penult.cli import app
from penult.cli.panels import PANELS
from penult.images import CODES, TRANSIENT, ImageLike

SOURCE = Path(penult.__file__).parents[1]
PARTS = {
    "Models": ["load_model", "Model", "models", "describe", "inspect", "download"],
    "Tables": ["extract", "open", "Features", "merge", "verify", "export", "view"],
    "What a table is good for": [
        "search",
        "index",
        "duplicates",
        "cluster",
        "map",
        "outliers",
        "sample",
        "probe",
        "open_probe",
        "compare",
        "classify",
    ],
}
WITHOUT_FUNCTION = {
    "info": "Features.info",
    "failures": "Features.failures",
    "convert": "Model.write_onnx",
}
TITLES = {"parameters": "Takes", "attributes": "Has", "raises": "Raises", "returns": "Returns"}
STARS = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
WIDTH = 96
_MODULE = re.compile(r"\b(?:\w+\.)+(?=\w)")
_ARRAY = re.compile(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]")


def commands() -> str:
    """The commands with their options, as their `--help` has them."""
    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="penult")
    lines = [
        "# The command line\n",
        "Each command has a function with the same words; `-h` prints what is here. "
        "[Exit codes](exit-codes.md) are the same for all.\n",
        "`penult --version` prints the version; `--debug`, anywhere, shows where an error comes "
        "from.\n",
    ]
    for panel, names in PANELS.items():
        lines.append(f"## {panel}\n")
        for name in names:
            command = group.commands[name.replace("_", "-")]  # type: ignore[attr-defined]
            text = get_docs_for_click(obj=command, ctx=context, indent=2, call_prefix="penult")
            lines += [_command(unescape(text)), f"In Python: {_twin(name)}.\n"]
    return "\n".join(lines)


def _command(text: str) -> str:
    """Typer's page of a command, with its example below its usage."""
    (example,) = re.findall(r"^Example: (.*)$", text, re.MULTILINE)
    text = re.sub(r"^Example: .*\n\n", "", text, flags=re.MULTILINE)
    usage = f"```text\n\\1\n```\n\nFor example:\n\n```console\n$ {example}\n```\n"
    text = re.sub(r"\*\*Usage\*\*:\n\n```console\n\$ (.*)\n```\n", usage, text)
    text = re.sub(r"^\* `--help`.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"(?<=: )(.*<.*)$", lambda m: m[1].replace("<", "&lt;"), text)


def _twin(name: str) -> str:
    if name.endswith("_features"):
        return f"`penult.legacy.{name}`"
    path = f"penult.{WITHOUT_FUNCTION.get(name, name)}"
    return f"[`{path}`](python.md#{path})"


def functions() -> str:
    """The public names of Python, with what their docstrings say."""
    lines = [
        "# Python\n",
        "All of it is in `penult`; commands have the same words. What else a module holds isn't "
        "promised to stay.\n",
        f"An `ImageLike` is `{_short(ImageLike)}`: a path, the bytes of a file, an image of "
        "Pillow's, or height × width × 3 levels.\n",
    ]
    for part, names in PARTS.items():
        lines.append(f"## {part}\n")
        for name in names:
            lines.append(_entry(f"penult.{name}", getattr(penult, name), level=3))
    results = sorted(set(penult.__all__) - {n for names in PARTS.values() for n in names})
    lines.append("## Results\n")
    for name in (each for each in results if not each.endswith("Error")):
        lines.append(_entry(f"penult.{name}", getattr(penult, name), level=3))
    lines.append("## With scikit-learn, and as in 2018\n")
    lines.append(_entry("penult.sklearn.Embedder", penult.sklearn.Embedder, level=3))
    for name in ("compute_features", "load_features"):
        lines.append(_entry(f"penult.legacy.{name}", getattr(penult.legacy, name), level=3))
    return "\n".join(lines)


def _entry(path: str, value: Any, level: int) -> str:
    """A function, a class with its members, or a property."""
    name = path.rpartition(".")[2]
    head = _heading(path, level)
    if isinstance(value, type):
        own = "" if level > 3 else "\n".join(_members(path, value, level))
        return f"{head}\n{_call(name, value)}{_docstring(value)}\n{own}"
    if callable(value):
        return f"{head}\n{_call(name, value)}{_docstring(value)}"
    return f"{head}\n{_docstring(value)}"


def _heading(path: str, level: int) -> str:
    """A heading that links lead to by the whole path."""
    shown = path if level == 3 else path.removeprefix("penult.")
    return f"{'#' * level} `{shown}` {{ #{path} }}\n"


def _members(path: str, owner: type, level: int) -> Iterator[str]:
    for name, member in inspect.getmembers(owner):
        if name.startswith("_") or not (documented := inspect.getdoc(member)):
            continue
        twin = getattr(penult, name, None)
        if twin is not None and inspect.getdoc(twin) == documented:
            yield _heading(f"{path}.{name}", level + 1)
            yield f"[`penult.{name}`](#penult.{name}) of this table.\n"
        elif _is_part(member) and not _inherited(owner, name):
            yield _entry(f"{path}.{name}", member, level + 1)


def _is_part(member: object) -> bool:
    """Whether a member is a method or a property, cached ones included."""
    return callable(member) or isinstance(member, property | cached_property)


def _inherited(owner: type, name: str) -> bool:
    """Whether a member is another package's."""
    home = next((base for base in owner.__mro__ if name in vars(base)), owner)
    return not home.__module__.startswith("penult")


def _call(name: str, value: Callable[..., Any]) -> str:
    """The call with its parameters, one a line if they are many, types as the source has them."""
    try:
        signature = inspect.signature(value)
    except ValueError:
        return ""
    written = _annotations(value)
    star, parts = False, []
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            star = True
            parts.append("*")
        kind = written.get(parameter.name) or _short(parameter.annotation)
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        star |= parameter.kind is parameter.VAR_POSITIONAL
        parts.append(f"{STARS.get(parameter.kind.name, '')}{parameter.name}: {kind}{default}")
    returned = "" if isinstance(value, type) else written.get("return", "")
    arrow = f" -> {returned}" if returned and returned != "None" else ""
    line = f"{name}({', '.join(parts)}){arrow}"
    if len(line) > WIDTH:
        line = "\n".join([f"{name}(", *(f"    {part}," for part in parts), f"){arrow}"])
    return f"```python\n{line}\n```\n\n"


def _annotations(value: Callable[..., Any]) -> dict[str, str]:
    """Types of parameters as the source spells them."""
    made = value.__init__ if isinstance(value, type) else value  # type: ignore[misc]
    made = inspect.unwrap(made)
    return {
        name: kind if isinstance(kind, str) else _short(kind)
        for name, kind in getattr(made, "__annotations__", {}).items()
    }


def _short(kind: object) -> str:
    """A type without the modules of its parts."""
    if kind is inspect.Parameter.empty:
        return "Any"
    text = _ARRAY.sub(r"NDArray[\1]", _MODULE.sub("", inspect.formatannotation(kind)))
    return text if kind is ImageLike else text.replace(_short(ImageLike), "ImageLike")


def _docstring(value: object) -> str:
    """A docstring's sections in Markdown."""
    text = inspect.getdoc(value) or ""
    parts = []
    for section in griffe.Docstring(text).parse("google", warnings=False):
        kind = section.kind.value
        if kind == "text":
            parts.append(section.value)
        elif kind in ("parameters", "attributes"):
            rows = [f"- `{each.name}`: {_line(each.description)}" for each in section.value]
            parts.append("\n".join([f"**{TITLES[kind]}**\n", *rows]))
        elif kind == "raises":
            rows = [f"- `{each.annotation}`: {_line(each.description)}" for each in section.value]
            parts.append("\n".join(["**Raises**\n", *rows]))
        elif kind in ("returns", "yields", "warns"):
            words = " ".join(_line(each.description) for each in section.value)
            parts.append(f"**{kind.capitalize()}** {words}")
        elif kind == "examples":
            parts += [_example(each) for _, each in section.value]
    return "\n\n".join(parts) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _example(text: str) -> str:
    return f"```pycon\n{re.sub(r'  # doctest: .*', '', text)}\n```"


def errors() -> str:
    """The tree of errors, and the kinds of failing images."""
    words, _, tree = (penult.errors.__doc__ or "").partition("\n\n")
    drawn = inspect.cleandoc("\n" + tree.partition("Messages")[0])
    lines = [f"# Errors\n\n{words}\n\n```text\n{drawn}\n```\n"]
    lines.append("Messages are one line, say where and what, and end with what to try.\n")
    for name in (each for each in penult.__all__ if each.endswith("Error")):
        lines.append(f"## `{name}`\n\n{_docstring(getattr(penult, name))}")
    lines.append("## Images that fail\n")
    lines.append("`ImageError.code`, and what reasons of failed rows begin with:\n")
    lines += ["| code | |", "| --- | --- |"]
    again = " It is tried again at each run."
    for code, meaning in CODES.items():
        lines.append(f"| `{code}` | {meaning}.{again if code in TRANSIENT else ''} |")
    return "\n".join(lines) + "\n"


def decisions(folder: Path) -> str:
    """The list of decisions, by number."""
    lines = ["# Decisions\n", "What was decided, why, and what it was measured by.\n"]
    for page in sorted(folder.glob("[0-9]*.md")):
        title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({page.name})")
    return "\n".join(lines) + "\n"

"""The options that make a model, declared once for all commands that take them."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

Device = Annotated[
    Literal["cpu", "cuda", "openvino", "openvino-gpu", "coreml", "webgpu"],
    typer.Option("--device", help="What computes: the processor, or see docs/guides/devices.md."),
]


class Declared:
    """Each of `ModelOptions` as the command line has it, with its default."""

    weights: Annotated[
        Path | None,
        typer.Option("--weights", "-w", help="Weights file, as its authors published it."),
    ] = None
    layer: Annotated[
        list[str] | None, typer.Option("--layer", "-l", help="Layer; may be given several times.")
    ] = None
    pool: Annotated[
        Literal["avg", "max", "none", "cls", "cls+avg"],
        typer.Option(
            "--pool",
            help="What to make of layers with height and width, or of tokens; none keeps them, cls "
            "takes the class token.",
        ),
    ] = "avg"
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Divide each vector by its length.")
    ] = False
    size: Annotated[
        int | None,
        typer.Option(
            help="Pixels of the network's square input; by default those of its training."
        ),
    ] = None
    preprocess: Annotated[
        str | None,
        typer.Option(
            help="Not the network's own preprocessing: a name, as raw, words, as 'squash 224 "
            "bicubic, mean 0.5, std 0.5', or a preprocessor_config.json."
        ),
    ] = None
    decode: Annotated[
        Literal["exact", "fast"],
        typer.Option(
            "--decode",
            help="fast decodes large JPEGs to fewer pixels, enough for features that differ "
            "slightly.",
        ),
    ] = "exact"
    ema: Annotated[
        bool, typer.Option("--ema", help="Take the moving averages that a training kept.")
    ] = False
    prefix: Annotated[
        str, typer.Option(help="Copy of the network to take, by what stands before its names.")
    ] = ""
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Leave out what is faster but moves features, by up to 3e-6."),
    ] = False
    device: Device = "cpu"
    max_pixels: Annotated[
        int | None, typer.Option(help="Width × height of an image at most; by default 178956970.")
    ] = None
    max_bytes: Annotated[
        int | None, typer.Option(help="Size of an image's file at most; by default a gibibyte.")
    ] = None
    max_seconds: Annotated[
        float | None,
        typer.Option(help="What decoding an image may take, once it is read; by default 10."),
    ] = None


def number(text: str) -> Any:  # noqa: ANN401 -- functions check it, so they take a literal
    """A number where it is one; else a word that may stand for one, as `auto` does."""
    return int(text) if text.isdecimal() else text


_HINTS = get_type_hints(Declared, include_extras=True)
DECLARED = {
    name: Parameter(
        name, Parameter.KEYWORD_ONLY, default=getattr(Declared, name), annotation=annotation
    )
    for name, annotation in _HINTS.items()
}


def takes_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put options in the place of a command's parameter `options`, which gets them as one.

    Args:
        names: Those to take; all by default.
    """
    declared = [DECLARED[name] for name in names or DECLARED]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[Parameter] = []
        for parameter in signature(command).parameters.values():
            own = parameter.replace(kind=Parameter.KEYWORD_ONLY)
            parameters += declared if parameter.name == "options" else [own]

        @wraps(command)
        def call(**values: Any) -> None:  # noqa: ANN401 -- each of its option's type
            command(options={each.name: values.pop(each.name) for each in declared}, **values)

        call.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {each.name: each.annotation for each in parameters}
        return call

    return decorate

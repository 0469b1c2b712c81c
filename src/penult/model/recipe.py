"""A recipe: all that decides what features an image gets, as one value.

It is made from what a caller asks for and the network that answers, stored with features, read back
from files of strangers, compared, and sent to other processes; `penult.model.model` makes a model
of it again. What becomes part of it is one field here; what callers may choose of it, one line of
`ModelOptions` too.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import wraps
from importlib import import_module
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, TypeVar, Unpack, cast, get_args, get_origin

from penult.engine import DeviceName
from penult.errors import StoreError, UsageError
from penult.graph.pooling import Pool
from penult.images import Decode, Limits
from penult.images.preprocess import Transform, name_of
from penult.images.preprocess_document import document, read
from penult.images.preprocess_files import CHOICES, choose
from penult.model.network import Network
from penult.util.text import describe, differences, nearest, quoted

Shape = tuple[int, ...]
F = TypeVar("F", bound=Callable[..., Any])

CUSTOM = "custom"  # a preprocessing that no name makes
LIBRARIES = ("penult", "numpy", "onnxruntime", "PIL", "lance")  # whose versions are noted


class ModelOptions(TypedDict, total=False):
    """The keyword arguments of `load_model`, which explains them."""

    weights: str | Path | None
    layer: str | Sequence[str]
    pool: Pool
    normalize: bool
    size: int | None
    preprocess: str | Path | Transform | None
    decode: Decode
    ema: bool
    prefix: str
    exact: bool
    device: DeviceName
    max_pixels: int | None
    max_bytes: int | None
    max_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How features are made; two are equal if they make the same ones.

    Attributes:
        network: The network's name.
        layers: Its layers that are computed, each with the shape of one image's features. In what
            is asked for, shapes, engine and precision are empty, and the digest is None.
        weights_sha256: The digest of the weights file.
        ema: Whether moving averages are taken for weights.
        prefix: What stands in the file before the names of the copy that is taken.
        exact: Whether all convolutions are computed as they stand.
        settings: What makes the network again where its name alone doesn't.
        pool: What layers with height and width become.
        size: Pixels of the network's square input; the height of one that is no square.
        preprocessing: How pixels become that input.
        decode: How JPEGs that are much larger than needed are decoded.
        engine: What computes them.
        device: What it computes on.
        precision: The type of the numbers that it computes with.
        note: What is to be said of the layers, where nobody named them; mostly empty.
        weights: Where the weights file is; it may lie elsewhere on another machine.
        weights_files: Sizes in bytes of the files that it consists of, by name and in their order.
        revision: The commit of the hub's repository that it is of, if it is.
        limits: What an image may take.
    """

    network: str
    layers: Mapping[str, Shape]
    weights_sha256: str | None = None
    ema: bool = False
    prefix: str = ""
    exact: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    pool: Pool = "avg"
    normalize: bool = False
    size: int
    preprocessing: Transform
    decode: Decode = "exact"
    engine: str = ""
    device: str = "cpu"
    precision: str = ""
    note: str = field(default="", compare=False)
    weights: Path = field(compare=False)
    weights_files: Mapping[str, int] = field(compare=False)
    revision: str = field(default="", compare=False)
    limits: Limits = field(default_factory=Limits, compare=False)

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                known = f"{', '.join(choices[:-1])} or {choices[-1]}"
                raise UsageError(f"{name} must be {known}, not {quoted(getattr(self, name))}")
        if self.preprocessing.size != self.size:
            raise UsageError(
                f"the preprocessing makes images of {self.preprocessing.size} pixels, "
                f"the network takes {self.size}: choose one size for both (--size)"
            )

    @classmethod
    def of(cls, network: Network, **options: Unpack[ModelOptions]) -> Self:
        """What is asked of a network; what isn't said, the network decides.

        Raises:
            UsageError: An option has a value that it can't have.
        """
        layer = options.get("layer")
        note = "" if layer else network.note
        layer = layer or network.features
        return cls(
            network=network.name,
            layers=dict.fromkeys([layer] if isinstance(layer, str) else layer, ()),
            ema=network.ema,
            prefix=network.prefix,
            exact=network.exact,
            settings=network.settings,
            pool=options.get("pool", "avg"),
            normalize=options.get("normalize", False),
            size=network.size,
            preprocessing=_preprocessing(network, options.get("preprocess"), options.get("size")),
            decode=options.get("decode", "exact"),
            device=options.get("device", "cpu"),
            note=note,
            **weights_of(network),
            revision=network.revision,
            limits=Limits.of(
                options.get("max_pixels"), options.get("max_bytes"), options.get("max_seconds")
            ),
        )

    @classmethod
    def read(cls, layers: Mapping[str, Shape], facts: Mapping[str, Any], file: Path) -> Self:
        """Read back what was stored of a recipe, by a stranger perhaps.

        Args:
            layers: The layers with their shapes.
            facts: `provenance` and `notes`.
            file: Where it was stored, which messages name.

        Raises:
            StoreError: A fact is missing, or isn't of its type.
        """
        wrong = [name for name, kind in _STORED.items() if type(facts.get(name)) is not kind]
        if wrong:
            raise StoreError(f"{quoted(file)} doesn't say its {', '.join(wrong)}: make it again")
        values = {name: facts[name] for name in _STORED}
        weights, transform = Path(values.pop("weights_path")), values.pop("transform")
        try:
            return cls(layers=layers, weights=weights, preprocessing=read(transform), **values)
        except ValueError as exc:  # UsageError is one
            raise StoreError(f"{quoted(file)}: {exc}: make it again") from exc

    @property
    def preprocess(self) -> str:
        """The name of the preprocessing; `custom` if it has none."""
        return name_of(self.preprocessing) or CUSTOM

    @property
    def provenance(self) -> dict[str, Any]:
        """What has to be the same, layers aside, for features to be the same; as plain data."""
        facts = {name: getattr(self, name) for name in _PLAIN}
        text, transform = str(self.preprocessing), document(self.preprocessing)
        return facts | {
            "preprocess": self.preprocess,
            "preprocessing": text,
            "transform": transform,
        }

    @property
    def notes(self) -> dict[str, Any]:
        """What is worth knowing but may differ: where the weights are, and versions."""
        versions = {name: import_module(name).__version__ for name in LIBRARIES}
        said = {"note": self.note} if self.note else {}
        return {**said, **self.weights_notes, "versions": versions}

    @property
    def weights_notes(self) -> dict[str, Any]:
        """The notes on where the weights are, which may have moved since they were taken."""
        return {
            "weights": self.weights.name,
            "weights_path": str(self.weights.resolve()),
            "weights_files": dict(self.weights_files),
            "revision": self.revision,
        }

    def differences(self, asked: "Recipe") -> list[str]:
        """Say where another recipe differs, each difference for the end of a message."""
        mine, others = (
            recipe.provenance | {"layers": describe(recipe.layers)} for recipe in (self, asked)
        )
        return differences(mine, others)

    def __str__(self) -> str:
        facts = {"layers": describe(self.layers), **self.provenance}
        return ", ".join(f"{name} {value}" for name, value in facts.items())


def takes_options(*without: str) -> Callable[[F], F]:
    """Show the options of a function with `**options: Unpack[ModelOptions]`, and refuse others.

    Args:
        without: Options that it doesn't take.
    """

    def decorate(function: F) -> F:
        *own, _ = signature(function).parameters.values()
        options = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=_default(name), annotation=kind)
            for name, kind in ModelOptions.__annotations__.items()
            if name not in without
        ]
        shown = signature(function).replace(parameters=[*own, *options])

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- as of the function
            try:
                shown.bind(*args, **kwargs)
            except TypeError as exc:
                raise TypeError(f"{function.__qualname__}() {exc}{_meant(kwargs, shown)}") from None
            return function(*args, **kwargs)

        call.__signature__ = shown  # type: ignore[attr-defined]
        return cast("F", call)

    return decorate


def _meant(given: Mapping[str, object], known: Signature) -> str:
    """What may have been meant by the first argument that isn't known."""
    unknown = [name for name in given if name not in known.parameters]
    if not unknown:
        return ""
    return f", did you mean {nearest(unknown[0], known.parameters).partition(', ')[0]!r}?"


def _default(option: str) -> object:
    default = _NAMES[option].default if option in _NAMES else None
    return None if default is MISSING else default


_NAMES = {each.name: each for each in fields(Recipe)}
_CHOICES = {
    name: get_args(each.type) for name, each in _NAMES.items() if get_origin(each.type) is Literal
}
_PLAIN = [
    name
    for name, each in _NAMES.items()
    if each.compare and name not in {"layers", "preprocessing"}
]
_STORED: dict[str, Any] = {"network": str, "weights_path": str, "weights_sha256": str}
_STORED |= {"weights_files": dict, "revision": str}
_STORED |= {n: str if n in _CHOICES else _NAMES[n].type for n in _PLAIN if n not in _STORED}
_STORED |= {"transform": dict, "settings": dict}


def weights_of(network: Network) -> dict[str, Any]:
    """What a recipe says of where the weights are: the files themselves, not what led to them."""
    first = network.files[0]
    return {
        "weights": network.path if first.inside else first.path,
        "weights_files": {each.path.name: each.size for each in network.files},
    }


def _preprocessing(
    network: Network, asked: str | Path | Transform | None, size: int | None
) -> Transform:
    if isinstance(asked, str | Path):
        return choose(asked, network.sides, size)
    made = asked or network.preprocessing
    if network.is_assumed and not asked:
        warnings.warn(
            f"{quoted(network.path)}: nothing says how its input is made; assumed is '{made}' "
            "(--preprocess says another)",
            stacklevel=2,
        )
    if made is None:
        raise UsageError(
            f"{quoted(network.path)} doesn't say how its input is made: say it (--preprocess), "
            f"{CHOICES}; most from PyTorch take torchvision"
        )
    if made.sides != network.sides:
        given, taken = ("×".join(map(str, sides)) for sides in (made.sides, network.sides))
        raise UsageError(f"the preprocessing makes images of {given} pixels, not {taken}")
    return made

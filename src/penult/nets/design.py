"""Networks that are read off a file's tensors, and off what its library says beside them.

A family's module has a dataclass that holds all that decides the network's graph, a `Design`, and

    read(shapes, card) -> Design | None

which fills it in: from the tensors what they tell, from the card what they don't, else from what
is published under such names. It returns None if the tensors are of another family, and asks, by a
UsageError that lists the choices, where nothing tells. `penult.nets.registry.ANCHORS` says which
module is asked for which tensors.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from importlib import import_module
from typing import Any, Protocol, get_args, get_origin, get_type_hints

from penult.images.preprocess import Transform
from penult.nets.spec import Architecture, Pretrained
from penult.util.text import quoted

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Card:
    """What is said of a file beside its tensors.

    Attributes:
        library: Whose names the tensors have: `torchvision`, `timm`, `transformers`, `open_clip`;
            empty if nobody says.
        architecture: The network by the library's own name: timm's architecture, without the tag,
            transformers' `model_type`, open_clip's model; empty likewise.
        config: The library's settings as its file has them, by a stranger: `config.json`, or what
            it holds under `model_args` (timm) or `model_cfg` (open_clip). Mostly it says only what
            differs from the library's defaults.
    """

    library: str = ""
    architecture: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)


class Design(Protocol):
    """All that decides a network's graph: a frozen dataclass of numbers, texts and tuples of them.

    Attributes:
        library: Whose names its tensors and layers have.
        size: Pixels of the square input that the weights were trained with.
        classes: Of its classifier; 0 if it has none.
    """

    @property
    def library(self) -> str: ...  # noqa: D102 -- as above
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def classes(self) -> int: ...  # noqa: D102

    @property
    def name(self) -> str:
        """What the library calls it, or one like it: `timm/vit_small_patch16_224`."""
        ...

    def architecture(self) -> Architecture:
        """Say how it is built; each call makes another one."""
        ...

    def preprocess(self, size: int) -> Transform:
        """Make the preprocessing that its library takes where no file says another."""
        ...


def pretrained(design: Design, name: str | None = None) -> Pretrained:
    """Make a network of a design, by its own name or another."""
    return Pretrained(
        name or design.name,
        design.architecture(),
        size=design.size,
        preprocess=design.preprocess,
        classes=design.classes,
        settings=document(design),
        is_assumed=True,
    )


def document(design: Design) -> dict[str, Any]:
    """Write a design as plain data, its family by the name of the module."""
    assert is_dataclass(design)
    assert not isinstance(design, type)
    values = {name: _plain(value) for name, value in asdict(design).items()}
    return {"family": type(design).__module__.rpartition(".")[2], **values}


def _plain(value: object) -> object:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


LIBRARIES = ("torchvision", "timm", "transformers", "open_clip")


def card_named(name: str) -> Card | None:
    """Make a card of a name such as `timm/vit_small_patch16_224`, or with a tag after a dot."""
    library, _, architecture = name.partition("/")
    if library not in LIBRARIES or not architecture:
        return None
    return Card(library, architecture.partition(".")[0] if library == "timm" else architecture)


def design_of(value: Mapping[str, Any], families: Mapping[str, str]) -> Design:
    """Read a design back.

    Args:
        value: What `document` made of it, by a stranger perhaps.
        families: The classes by module, that may be named.

    Raises:
        ValueError: It is no such document; the message is one line that names the field.
    """
    family = value.get("family")
    if not isinstance(family, str) or family not in families:
        raise ValueError(f"no network is of the family {quoted(family)}")
    made = getattr(import_module(f"penult.nets.{family}"), families[family])
    kinds = get_type_hints(made)
    names = [each.name for each in fields(made)]
    if value.keys() - {"family"} != set(names):
        raise ValueError(f"the {family} needs {', '.join(names)}, not {quoted(list(value))}")
    found = {name: _checked(name, value[name], kinds[name]) for name in names}
    design: Design = made(**found)
    return design


def _checked(name: str, value: object, kind: Any) -> object:  # noqa: ANN401 -- an annotation
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(_checked(name, each, get_args(kind)[0]) for each in value)
    choices = get_args(kind) if get_origin(kind) is not tuple else ()
    if value in choices if choices else type(value) is kind:
        return value
    raise ValueError(f"{name} can't be {quoted(value)}")

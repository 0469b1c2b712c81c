"""Which tensors of a nested object are the weights, and what they are called.

Training scripts seldom save the bare weights: they wrap them, beside epoch, optimizer and scores.

- If the outer dict has one of `WRAPPERS` as a key, with tensors somewhere below it, the first of
  these in the order given is the content. A moving average (`AVERAGED`) is the content only if
  there is none of them, and no tensor directly in the outer dict; else the first stands by.
- Inside such a wrapper, `state_dict` is a wrapper once more.
- Tensors in dicts, lists and tuples within the content have the path as their name, joined with
  dots, items of lists by their index. Everything that isn't a tensor is left aside.
- A module of TorchScript is all content, with the path of its attributes for names.
- Texts and numbers in the outer dict, and in the wrapper, become the metadata.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from penult.checkpoints.base import MAX_NAME, WeightsFile
from penult.checkpoints.torch_objects import TensorView
from penult.checkpoints.torchscript import ScriptObject
from penult.util.text import quoted

WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "params",
    "weights",
)
AVERAGED = ("state_dict_ema", "ema_state_dict", "model_ema", "params_ema", "ema")

MAX_ITEMS = 400_000  # looked at; a nest can hold the same dict many times over
MAX_DEPTH = 32
MAX_TENSORS = 20_000


class Content(NamedTuple):
    """The weights in a nested object.

    Attributes:
        tensors: By name.
        metadata: Texts and numbers beside them.
        averages: Moving averages that stand by; their names begin with the key that wraps them.
        averaged: Whether `tensors` are moving averages themselves, since there is nothing else.
    """

    tensors: dict[str, TensorView]
    metadata: dict[str, str]
    averages: dict[str, TensorView]
    averaged: bool


def find_weights(file: WeightsFile, root: object) -> Content:
    """The weights in `root` by name, with what stands beside them.

    Raises:
        CheckpointError: There are none, or the nest is larger than any that training writes.
    """
    if isinstance(root, TensorView):
        raise file.error("one tensor without a name; save the model's state_dict")
    nest = _Nest(file)
    metadata = _facts(root)
    content = nest.unwrap(root, (*WRAPPERS, *AVERAGED))
    key, average = nest.average(root)
    averaged = average is not None and content is average
    if content is not root:
        metadata |= _facts(content)
        content = nest.unwrap(content, ("state_dict",))
    tensors = nest.collect(content)
    if not tensors:
        raise file.error("no tensors in this file; save the model's state_dict")
    beside = None if averaged else nest.unwrap(average, ("state_dict",))
    return Content(tensors, metadata, nest.collect(beside, f"{key}."), averaged)


def _facts(content: object) -> dict[str, str]:
    if not isinstance(content, dict):
        return {}
    return {
        key: str(value)
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, str | int | float) and _is_short(key, value)
    }


def _is_short(*values: object) -> bool:
    return all(len(value) <= MAX_NAME for value in values if isinstance(value, str))


class _Nest:
    """Goes through nested objects, with an eye on the cost."""

    def __init__(self, file: WeightsFile) -> None:
        self.file = file
        self.items = 0

    def unwrap(self, outer: object, wrappers: Iterable[str]) -> object:
        if not isinstance(outer, dict):
            return outer
        bare = any(isinstance(value, TensorView) for value in outer.values())
        for key in wrappers:
            inner = outer.get(key)
            if isinstance(inner, dict) and self.has_tensors(inner):
                return outer if bare and key in AVERAGED else inner
        return outer

    def average(self, outer: object) -> tuple[str, object]:
        """The moving average that counts, and its key; None if there is none."""
        known = outer if isinstance(outer, dict) else {}
        for key in AVERAGED:
            inner = known.get(key)
            if isinstance(inner, dict) and self.has_tensors(inner):
                return key, inner
        return "", None

    def collect(self, content: object, prefix: str = "") -> dict[str, TensorView]:
        """All tensors, by name."""
        tensors: dict[str, TensorView] = {}
        for name, tensor in self.tensors(content, prefix):
            if name in tensors:
                raise self.file.damaged(f"two tensors of the name {quoted(name)}")
            if len(tensors) == MAX_TENSORS:
                raise self.file.damaged(f"more than {MAX_TENSORS} tensors")
            tensors[name] = tensor
        return tensors

    def has_tensors(self, value: object) -> bool:
        return next(self.tensors(value), None) is not None

    def tensors(
        self, value: object, prefix: str = "", depth: int = 0
    ) -> Iterator[tuple[str, TensorView]]:
        if depth > MAX_DEPTH:
            raise self.file.damaged(f"nesting deeper than {MAX_DEPTH}")
        for key, item in _items(value):
            self.items += 1
            if self.items > MAX_ITEMS:
                raise self.file.damaged(f"nesting of more than {MAX_ITEMS} items")
            if isinstance(item, TensorView):
                yield prefix + self.part(prefix, key), item
            elif isinstance(item, dict | list | tuple | ScriptObject):
                yield from self.tensors(item, f"{prefix}{self.part(prefix, key)}.", depth + 1)

    def part(self, prefix: str, key: object) -> str:
        """`key` as a part of a name, before anything is joined that could be long."""
        text = str(key)
        if len(prefix) + len(text) > MAX_NAME:
            raise self.file.damaged(f"a name of more than {MAX_NAME} characters")
        return text


def _items(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, dict | ScriptObject):
        return (value if isinstance(value, dict) else value.attributes).items()
    return enumerate(value) if isinstance(value, list | tuple) else ()

"""What the pickle of a TorchScript archive stands for: modules, with tensors as attributes.

`torch.jit.save` writes the same archive as `torch.save`, with the program beside the data:

    data.pkl        the module: an object of a class `__torch__.…`, made without arguments, then
                    given its attributes as a dict; tensors as in any archive of PyTorch's
    code/           the classes, as source; may be deflated
    constants.pkl   tensors that only the code refers to

The code is neither unpacked nor run: a tensor's name is the path of attributes that leads to it,
which is what `state_dict` calls it. OpenAI published CLIP so.
Source: torch/csrc/jit/serialization/pickler.cpp and torch/jit/_pickle.py of PyTorch 2.13.
"""

from collections.abc import Iterator, Mapping

from penult.checkpoints.torch_objects import NAMES, inert
from penult.checkpoints.unpickle import MalformedError, Refusal, Stateful, UnsupportedError

RESAVE = "run torch.save(torch.jit.load(…).state_dict(), 'weights.pth')"

_CLASSES = "__torch__"  # the module that all are in, or below
_NATIVE = "__torch__.torch.classes"  # classes of C++, with states of their own


class ScriptObject(Stateful):
    """An object of a class that the archive's code declares; not a module only."""

    def __init__(self) -> None:
        self.attributes: dict[object, object] = {}

    def set_state(self, state: object) -> None:
        """Take the attributes."""
        if type(state) is not dict:
            raise UnsupportedError(f"a TorchScript object with __setstate__ isn't read; {RESAVE}")
        if self.attributes:
            raise MalformedError("attributes for an object that has them")
        self.attributes = state


def new_object(*_: object) -> ScriptObject:
    """An object without attributes yet; of an enum, one that never has any."""
    return ScriptObject()


def same_value(value: object, *_: object) -> object:
    """A list or dict whose type is said beside it."""
    return value


class _Names(Mapping[tuple[str, str], object]):
    """What any file of PyTorch's may name, what `torch.jit` adds, and every class of the code."""

    _table: Mapping[tuple[str, str], object] = {
        **NAMES,
        ("torch.jit._pickle", "build_intlist"): inert,
        ("torch.jit._pickle", "build_doublelist"): inert,
        ("torch.jit._pickle", "build_boollist"): inert,
        ("torch.jit._pickle", "build_tensorlist"): same_value,
        ("torch.jit._pickle", "restore_type_tag"): same_value,
        ("torch.jit._pickle", "build_tensor_from_id"): Refusal(
            f"tensors in a table of their own, as of PyTorch 1.3, aren't read; {RESAVE}"
        ),
    }

    def __getitem__(self, name: tuple[str, str]) -> object:
        module = f"{name[0]}."
        if module.startswith(f"{_NATIVE}."):
            return Refusal(f"a TorchScript object of C++, as quantised ones are; {RESAVE}")
        return new_object if module.startswith(f"{_CLASSES}.") else self._table[name]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


SCRIPT_NAMES = _Names()

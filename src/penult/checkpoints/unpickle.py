"""A pickle machine that can do nothing but put data together.

The machine executes the opcodes that the caller's files consist of - those of `TENSORS`, PyTorch's,
or of `ARRAYS`, NumPy's - and no others. It imports nothing and looks nothing up in modules: a
global is a key into a table of our own functions and values, given by the caller. Dicts and lists
are filled only where they are exactly these types, and only objects that are `Stateful` have a
state to be set.

What a file can cost is bounded by `Limits`: on the bytes of its pickles together, whatever length
an argument in them declares, and on the opcodes of each, with the items handed to calls; so are
then the stack, the memo and all objects made. Nothing here recurses.
"""

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import FunctionType
from typing import Any, NamedTuple, NoReturn

from penult.checkpoints.base import WeightsFile
from penult.checkpoints.opcodes import Instruction, Stream
from penult.util.text import one_line, quoted

MAX_PICKLES = 4 << 20  # bytes; a network of 1000 tensors needs 0.15 MB
MAX_STEPS = 400_000  # about 60 a tensor: 2000 weights with the two moments of an optimizer fit
CALL = 5  # steps that a call counts for, and a global or persistent id to be looked up
TEXT = 32  # characters handed to a call that count for one step
MAX_MARKS = 1000  # tuples and lists begun and not finished


class MalformedError(Exception):
    """The pickle does something that no writer of such files does; says what."""


class UnsupportedError(Exception):
    """The pickle has data in it that isn't read; says which, and what to do."""


class Inert:
    """Stands for a value that isn't needed, whatever it was: a set, bytes, a NumPy scalar."""


INERT = Inert()


class Stateful(ABC):
    """An object of ours that a pickle makes first and fills in afterwards."""

    @abstractmethod
    def set_state(self, state: object) -> None:
        """Take what the pickle says; raises MalformedError or UnsupportedError."""


class Limits(NamedTuple):
    """What the pickles of one file may cost."""

    size: int = MAX_PICKLES  # bytes
    steps: int = MAX_STEPS
    remedy: str = "save the state_dict alone"  # for a file that needs more


LIMITS = Limits()


class Refusal(NamedTuple):
    """Stands in the table of globals for data that is known, but not read."""

    reason: str


Names = Mapping[tuple[str, str], object]  # (module, name) -> what this global is
Identify = Callable[[tuple[object, ...]], object]  # persistent id -> what it refers to


def unknown(_: tuple[object, ...]) -> NoReturn:
    """Identify nothing."""
    raise MalformedError("a persistent id of something outside the file")


class Unpickler:
    """Reads the pickles that lie one after another between two offsets of a file.

    Args:
        file: The file.
        start: Offset of the first pickle.
        stop: Offset that none of them reaches beyond.
        names: What the globals are that may be asked for. Functions may be called too.
        identify: Makes what a persistent id refers to.
        methods: What each opcode does; `TENSORS` by default.
        limits: What reading may cost.
    """

    def __init__(
        self,
        file: WeightsFile,
        start: int,
        stop: int,
        names: Names,
        identify: Identify = unknown,
        methods: "Methods | None" = None,
        limits: Limits = LIMITS,
    ) -> None:
        self._file, self._start = file, start
        self._new_machine = partial(_Machine, names, identify, methods or TENSORS, limits)
        self._stream = Stream(file.data[start : min(stop, start + limits.size)])

    @property
    def end(self) -> int:
        """Offset of the first byte after the pickles read so far."""
        return self._start + self._stream.tell()

    def load(self) -> object:
        """Read the next pickle."""
        machine = self._new_machine(self._stream.tell())
        try:
            return machine.run(self._stream.instructions())
        except _ForbiddenError as exc:
            raise self._file.unsafe(str(exc), self._start + machine.offset) from exc
        except UnsupportedError as exc:
            raise self._file.error(str(exc), self._start + machine.offset) from exc
        except MalformedError as exc:
            raise self._file.damaged(str(exc), self._start + machine.offset) from exc
        # Whatever else the stream, the machine or a function in `names` raises is the bytes' doing.
        except (ValueError, TypeError, LookupError, ArithmeticError, struct.error) as exc:
            reason = f"malformed pickle ({one_line(str(exc), 80)})"
            raise self._file.damaged(reason, self._start + machine.offset) from exc


def is_key(value: object) -> bool:
    """Whether a dict may have this key: text, or a number too short for chosen hash collisions."""
    return isinstance(value, str | bytes | float) or (isinstance(value, int) and abs(value) < 2**63)


class _ForbiddenError(Exception):
    """The pickle asks for a global that isn't in the table."""


class _Machine:
    """The stack, the marks, the memo, and a method for each kind of opcode."""

    def __init__(
        self, names: Names, identify: Identify, methods: "Methods", limits: Limits, offset: int
    ) -> None:
        self.names, self.identify = names, identify
        self.methods, self.limits = methods, limits
        self.offset = offset  # of the opcode at work, in the stream
        self.stack: list[object] = []
        self.outer: list[list[object]] = []  # the stacks set aside by marks
        self.memo: dict[int, object] = {}
        self.steps = 0

    def run(self, instructions: Iterable[Instruction]) -> object:
        """Execute opcodes up to the end; returns the one value left on the stack."""
        for name, argument, offset in instructions:
            self.offset = offset
            self.spend(1)
            method = self.methods.get(name)
            if method is None:
                raise MalformedError(f"opcode {name}, which no such file needs")
            method(self, argument)
        if self.outer or len(self.stack) != 1:
            raise MalformedError("pickle that doesn't end with one value")
        return self.stack[0]

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > self.limits.steps:
            raise UnsupportedError(
                f"a pickle of more than {self.limits.steps} steps isn't read; {self.limits.remedy}"
            )

    def ignore(self, _: None) -> None:
        pass

    def push(self, value: object) -> None:
        self.stack.append(value)

    def mark(self, _: None) -> None:
        if len(self.outer) == MAX_MARKS:
            raise MalformedError(f"nesting deeper than {MAX_MARKS}")
        self.outer.append(self.stack)
        self.stack = []

    def marked(self) -> list[object]:
        """Take everything since the last mark off the stack."""
        items, self.stack = self.stack, self.outer.pop()
        return items

    def make_tuple(self, _: None) -> None:
        items = tuple(self.marked())
        self.push(items)

    def make_list(self, _: None) -> None:
        items = self.marked()
        self.push(items)

    def make_dict(self, _: None) -> None:
        items = self.marked()
        self.push({})
        self.update(items)

    def make_short_tuple(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) < count:
            raise MalformedError("too few values for a tuple")
        del self.stack[-count:]
        self.push(items)

    def make_frozenset(self, _: None) -> None:
        self.marked()
        self.push(INERT)

    def add_items(self, _: None) -> None:
        self.marked()
        if self.stack[-1] is not INERT:
            raise MalformedError("adding items to something that isn't a set")

    def append(self, _: None) -> None:
        self.extend([self.stack.pop()])

    def appends(self, _: None) -> None:
        self.extend(self.marked())

    def extend(self, items: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise MalformedError("appending to something that isn't a list")
        target.extend(items)

    def set_item(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.update([key, value])

    def set_items(self, _: None) -> None:
        self.update(self.marked())

    def update(self, keys_and_values: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise MalformedError("setting items of something that isn't a dict")
        keys, values = keys_and_values[::2], keys_and_values[1::2]
        if not all(map(is_key, keys)):
            raise MalformedError("a dict's key that is neither text nor a number")
        target.update(zip(keys, values, strict=True))

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise MalformedError(f"nothing is memorised as {index}")
        self.push(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self, _: None) -> None:
        self.put(len(self.memo))

    def push_global(self, module_and_name: str) -> None:
        module, _, name = module_and_name.partition(" ")  # genops joins the two with a space
        self.look_up(module, name)

    def push_stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(module) is not str or type(name) is not str:
            raise MalformedError("a global whose name isn't text")
        self.look_up(module, name)

    def look_up(self, module: str, name: str) -> None:
        self.spend(CALL)
        value = self.names.get((module, name))
        if value is None:
            self.forbid(f"{module}.{name}")
        if isinstance(value, Refusal):
            raise UnsupportedError(value.reason)
        self.push(value)

    def forbid(self, name: str) -> NoReturn:
        raise _ForbiddenError(f"asks for the global {quoted(name)}")

    def forbid_instance(self, module_and_name: str) -> None:
        self.forbid(module_and_name.replace(" ", "."))

    def forbid_extension(self, code: int) -> None:
        self.forbid(f"extension code {code}")

    def call(self, _: None) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, FunctionType) or type(arguments) is not tuple:
            raise MalformedError("a call of something that isn't a function")
        # A function may go through its arguments, and the memo can hand over the same again.
        items = sum(len(each) for each in arguments if isinstance(each, list | tuple))
        characters = sum(len(each) for each in arguments if isinstance(each, str))
        self.spend(CALL + items + characters // TEXT)
        self.push(function(*arguments))

    def build(self, _: None) -> None:
        """Attributes of an OrderedDict, such as a state_dict's `_metadata`, aren't needed."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Stateful):
            target.set_state(state)
        elif target is not INERT and type(target) is not dict:
            raise MalformedError("attributes for something that isn't a dict")

    def push_persistent(self, _: None) -> None:
        identity = self.stack.pop()
        if type(identity) is not tuple:
            raise MalformedError("a persistent id that isn't a tuple")
        self.spend(CALL)
        self.push(self.identify(identity))


Methods = Mapping[str, Callable[[_Machine, Any], None]]  # what to do, by the opcode's name

_BINARY: Methods = {
    "PROTO": _Machine.ignore,
    "FRAME": _Machine.ignore,
    "STOP": _Machine.ignore,
    "NONE": _Machine.push,
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "BININT": _Machine.push,
    "BININT1": _Machine.push,
    "BININT2": _Machine.push,
    "LONG1": _Machine.push,
    "BINFLOAT": _Machine.push,
    "BINUNICODE": _Machine.push,
    "SHORT_BINUNICODE": _Machine.push,
    "BINUNICODE8": _Machine.push,
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "MARK": _Machine.mark,
    "TUPLE": _Machine.make_tuple,
    "TUPLE1": lambda machine, _: machine.make_short_tuple(1),
    "TUPLE2": lambda machine, _: machine.make_short_tuple(2),
    "TUPLE3": lambda machine, _: machine.make_short_tuple(3),
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "GLOBAL": _Machine.push_global,
    "STACK_GLOBAL": _Machine.push_stack_global,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.push_persistent,
    "INST": _Machine.forbid_instance,
    "EXT1": _Machine.forbid_extension,
    "EXT2": _Machine.forbid_extension,
    "EXT4": _Machine.forbid_extension,
}

TENSORS: Methods = {  # PyTorch's: protocol 2, and whatever else scripts save beside the weights
    **_BINARY,
    "BINSTRING": _Machine.push,  # the str of Python 2, as Latin-1
    "SHORT_BINSTRING": _Machine.push,
    "BINBYTES": lambda machine, _: machine.push(INERT),
    "SHORT_BINBYTES": lambda machine, _: machine.push(INERT),
    "BINBYTES8": lambda machine, _: machine.push(INERT),
    "BYTEARRAY8": lambda machine, _: machine.push(INERT),
    "EMPTY_SET": lambda machine, _: machine.push(INERT),
    "FROZENSET": _Machine.make_frozenset,
    "ADDITEMS": _Machine.add_items,
}

ARRAYS: Methods = {  # NumPy's, in any protocol; bytes are data, and so is the str of Python 2
    **_BINARY,
    "BINSTRING": lambda machine, text: machine.push(text.encode("latin-1")),
    "SHORT_BINSTRING": lambda machine, text: machine.push(text.encode("latin-1")),
    "BINBYTES": _Machine.push,
    "SHORT_BINBYTES": _Machine.push,
    "BINBYTES8": _Machine.push,
    "BYTEARRAY8": _Machine.push,
    "INT": _Machine.push,
    "LONG": _Machine.push,
    "FLOAT": _Machine.push,
    "STRING": _Machine.push,
    "UNICODE": _Machine.push,
    "LIST": _Machine.make_list,
    "DICT": _Machine.make_dict,
    "GET": _Machine.get,
    "PUT": _Machine.put,
}

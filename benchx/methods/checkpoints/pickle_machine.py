"""A pickle machine in which nothing can be imported, called or hashed.

A pickle is a program: it names importable objects and calls them. Python's own machine runs it; this one only
notes what it asks for. The standard library decodes the opcodes (`pickletools.genops`), and every opcode makes
plain containers, a `Name` or a `Stub`, in time and memory proportional to its length:

- a name is never looked up, and a call is answered by a table of the reader's own (`Calls.call`);
- dictionaries keep printable strings and small integers as keys: nested tuples take exponential time to hash;
- sets become lists and byte arrays bytes, as nothing is looked up in them;
- the number of opcodes and the lengths of names and keys are limited.
"""

from __future__ import annotations

import mmap
import pickle
import pickletools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Protocol, cast

MAX_OPCODES = 2_000_000
"""Of one file. Published checkpoints take 5 000 to 100 000; the machine does 350 000 to 1.5 million a second."""

MAX_ORIGIN = 500
"""Characters of "module.name"."""

MAX_KEY = 500
"""Characters of a dictionary's key; longer ones are left out."""


@dataclass(frozen=True)
class Name:
    """A class or function that the file asked for, as "module.name"."""

    origin: str


@dataclass(eq=False, slots=True)
class Stub:
    """What an object of a foreign class becomes.

    Attributes:
        origin: module and name of the class or function that would have made it.
        state: what the file would have put into the object.
    """

    origin: str
    state: Any = None


class Calls(Protocol):
    """What a pickle's calls and persistent ids mean."""

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Return what a call of a name stands for; a Stub if it means nothing here."""

    def persistent(self, key: Any) -> Any:
        """Return what a persistent id stands for."""


def run(program: IO[bytes] | mmap.mmap, calls: Calls, opcodes: Iterator[int]) -> Any:
    """Return the tree that a pickle describes; the stream is left behind its end.

    Args:
        opcodes: counts them, over all pickles of a file.

    Raises:
        Exception: of any kind, for a program that makes no sense.
    """
    machine = _Machine(calls)
    for opcode, argument, _ in pickletools.genops(cast(IO[bytes], program)):
        if next(opcodes) > MAX_OPCODES:
            raise pickle.UnpicklingError(f"it is longer than {MAX_OPCODES} opcodes")
        if opcode.name in _LITERALS:
            machine.stack.append(argument)
        else:
            _OPCODES[opcode.name](machine, argument)
    return machine.stack.pop()


def set_items(target: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Put items into a dictionary, those with keys of no use left out; other targets must be stubs."""
    if isinstance(target, dict):
        target.update((key, value) for key, value in pairs if _is_key(key))
    elif not isinstance(target, Stub):
        raise pickle.UnpicklingError("items for something that is no dictionary")


@dataclass
class _Machine:
    calls: Calls
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def since_mark(self) -> list[Any]:
        mark = self.marks.pop()
        found = self.stack[mark:]
        del self.stack[mark:]
        return found

    def last(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise pickle.UnpicklingError("its stack is empty")
        found = self.stack[-count:]
        del self.stack[-count:]
        return found

    def call(self, called: Any, arguments: Any) -> None:
        if isinstance(called, Name) and isinstance(arguments, tuple):
            self.stack.append(self.calls.call(called.origin, arguments))
        elif isinstance(called, Stub):
            self.stack.append(Stub(called.origin))
        else:
            raise pickle.UnpicklingError("a call of something that is no function")


def _is_key(key: Any) -> bool:
    if type(key) is str:
        return len(key) <= MAX_KEY and key.isprintable()
    return type(key) is int and -(2**60) < key < 2**60


def _append(target: Any, values: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(values)
    elif not isinstance(target, Stub):
        raise pickle.UnpicklingError("elements for something that is no list")


def _pairs(flat: list[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _dict(flat: list[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    set_items(found, _pairs(flat))
    return found


def _ignore(machine: _Machine, argument: Any) -> None:
    pass


def _push(make: Callable[[_Machine], Any]) -> _Step:
    return lambda machine, _: machine.stack.append(make(machine))


def _put(machine: _Machine, argument: int | None) -> None:
    machine.memo[len(machine.memo) if argument is None else argument] = machine.stack[-1]


def _pop(machine: _Machine, _: Any) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.last(1)


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.since_mark()


def _get(machine: _Machine, argument: int) -> None:
    machine.stack.append(machine.memo[argument])


def _build(machine: _Machine, _: Any) -> None:
    target, state = machine.last(2)
    if isinstance(target, Stub):
        target.state = state
    machine.stack.append(target)


def _into_top(fill: Callable[[Any, list[Any]], None], take: Callable[[_Machine], list[Any]]) -> _Step:
    def step(machine: _Machine, _: Any) -> None:
        values = take(machine)
        fill(machine.stack[-1], values)

    return step


def _object(machine: _Machine, _: Any) -> None:
    called, *arguments = machine.since_mark()
    machine.call(called, tuple(arguments))


def _instance(machine: _Machine, argument: str) -> None:
    machine.call(_name(argument), tuple(machine.since_mark()))


def _new_with_keywords(machine: _Machine, _: Any) -> None:
    called, arguments, _keywords = machine.last(3)
    machine.call(called, arguments)


def _name(argument: str) -> Name:
    if len(argument) > MAX_ORIGIN:
        raise pickle.UnpicklingError(f"a class name of more than {MAX_ORIGIN} characters")
    return Name(argument.replace(" ", ".", 1))


def _stack_name(machine: _Machine) -> Name:
    module, name = machine.last(2)
    if not isinstance(module, str) or not isinstance(name, str):
        raise pickle.UnpicklingError("a name that is no text")
    if len(module) + len(name) >= MAX_ORIGIN:
        raise pickle.UnpicklingError(f"a class name of more than {MAX_ORIGIN} characters")
    return Name(f"{module}.{name}")


def _refuse(machine: _Machine, argument: Any) -> None:
    raise pickle.UnpicklingError("it uses copyreg's extension registry or out-of-band buffers")


_Step = Callable[[_Machine, Any], None]

_LITERALS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING"}
    | {"SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES"}
    | {"BINBYTES8", "BYTEARRAY8"}
)

_OPCODES: dict[str, _Step] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP", "READONLY_BUFFER"), _ignore),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4", "NEXT_BUFFER"), _refuse),
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_SET"), _push(lambda _: [])),
    **dict.fromkeys(("LIST", "FROZENSET"), _push(_Machine.since_mark)),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), _into_top(_append, _Machine.since_mark)),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda machine, _: machine.call(*machine.last(2))),
    "NONE": _push(lambda _: None),
    "NEWTRUE": _push(lambda _: True),
    "NEWFALSE": _push(lambda _: False),
    "EMPTY_DICT": _push(lambda _: {}),
    "EMPTY_TUPLE": _push(lambda _: ()),
    "TUPLE": _push(lambda machine: tuple(machine.since_mark())),
    "TUPLE1": _push(lambda machine: tuple(machine.last(1))),
    "TUPLE2": _push(lambda machine: tuple(machine.last(2))),
    "TUPLE3": _push(lambda machine: tuple(machine.last(3))),
    "DICT": _push(lambda machine: _dict(machine.since_mark())),
    "DUP": _push(lambda machine: machine.stack[-1]),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "APPEND": _into_top(_append, lambda machine: machine.last(1)),
    "SETITEM": _into_top(lambda target, flat: set_items(target, _pairs(flat)), lambda machine: machine.last(2)),
    "SETITEMS": _into_top(lambda target, flat: set_items(target, _pairs(flat)), _Machine.since_mark),
    "BUILD": _build,
    "GLOBAL": lambda machine, argument: machine.stack.append(_name(argument)),
    "STACK_GLOBAL": _push(_stack_name),
    "INST": _instance,
    "OBJ": _object,
    "NEWOBJ_EX": _new_with_keywords,
    "PERSID": lambda machine, argument: machine.stack.append(machine.calls.persistent(argument)),
    "BINPERSID": _push(lambda machine: machine.calls.persistent(machine.last(1)[0])),
}

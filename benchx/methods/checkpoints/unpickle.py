"""What the pickles of torch files mean: tensors, plain containers, and stubs for everything foreign.

`torch.load(weights_only=True)` is not used. It has run code in older releases (CVE-2025-32434, before torch 2.6), it
refuses the foreign classes of most published files, and a short file can keep it busy for years (nested tuples as a
key) or ask it for any amount of memory.
"""

from __future__ import annotations

import itertools
import math
import mmap
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import torch

from benchx.methods.checkpoints import pickle_machine
from benchx.methods.checkpoints.pickle_machine import Name, Stub, set_items
from benchx.methods.checkpoints.stored import MAX_AXES, Storages, StoredTensor

STORAGE_DTYPES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
    "torch.ComplexFloatStorage": torch.complex64,
    "torch.ComplexDoubleStorage": torch.complex128,
    "torch.QInt8Storage": torch.qint8,
    "torch.QUInt8Storage": torch.quint8,
    "torch.QInt32Storage": torch.qint32,
    "torch.UntypedStorage": torch.uint8,
    "torch.storage.UntypedStorage": torch.uint8,
}

DTYPES = {f"torch.{name}": value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}

MAX_ARGUMENTS = 16
"""Of a call that means something; torch's take at most 8. Others are stubs."""

MAX_PAIRS = 1_000_000
"""Pairs that go into dictionaries made from lists of pairs, over one file; one list may be named again and again."""

MAX_SIZE = 2**48
"""Elements of a tensor, a stride or an offset."""

REBUILD = "torch._utils._rebuild_"


@dataclass(frozen=True)
class StorageView:
    """A storage that a pickle refers to, or a part of it that began as a storage of its own.

    Attributes:
        start: first element of the part.
        numel: elements of the whole storage, as the pickle says.
    """

    key: str
    dtype: torch.dtype
    numel: int
    start: int = 0


@dataclass
class Meanings:
    """What the pickles of one file mean, and what was read of it so far.

    Attributes:
        views: the storages that the pickles refer to, by key.
        opcodes: counts the opcodes.
        pairs: that went into dictionaries made from lists.
    """

    storages: Storages
    views: dict[str, StorageView] = field(default_factory=dict)
    opcodes: Iterator[int] = field(default_factory=itertools.count)
    pairs: int = 0

    def persistent(self, key: Any) -> Any:
        """Return the storage, or the class of a module, that a persistent id stands for."""
        if not isinstance(key, tuple) or len(key) > MAX_ARGUMENTS:
            raise pickle.UnpicklingError("unknown persistent id")
        match key:
            case ("module", Name() as name, *_):
                return name
            case ("storage", Name(origin=kind), key, _, numel, *rest) if kind in STORAGE_DTYPES:
                view = rest[0] if rest else None
                start = view[1] if view is not None else 0
                if not isinstance(key, str) or not _are_sizes((numel, start)):
                    raise pickle.UnpicklingError("a storage is described wrongly")
                self.views.setdefault(key, StorageView(key, STORAGE_DTYPES[kind], numel))
                return StorageView(key, STORAGE_DTYPES[kind], numel, start)
        raise pickle.UnpicklingError("unknown persistent id")

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Return the tensor or container that a call makes; a Stub for calls of anything else."""
        if len(arguments) > MAX_ARGUMENTS:
            return Stub(name)
        match name:
            case "collections.OrderedDict" | "collections.defaultdict":
                return self._dict(arguments)
            case "builtins.set" | "__builtin__.set" | "builtins.frozenset" | "__builtin__.frozenset" | "torch.Size":
                return arguments[0] if arguments and isinstance(arguments[0], list | tuple) else []
            case "copyreg._reconstructor" | "copy_reg._reconstructor" if isinstance(arguments[0], Name):
                return self.call(arguments[0].origin, ())
            case "torch._tensor._rebuild_from_type_v2" if isinstance(arguments[0], Name):
                if arguments[0].origin == name:
                    raise pickle.UnpicklingError("a tensor is described wrongly")
                return self.call(arguments[0].origin, arguments[2])
        if not name.startswith(REBUILD):
            return Stub(name)
        match name.removeprefix(REBUILD):
            case "tensor" | "tensor_v2":
                return self._tensor(*arguments[:4], metadata=arguments[6:])
            case "tensor_v3":
                return self._tensor(*arguments[:4], metadata=arguments[7:], dtype=DTYPES[arguments[6].origin])
            case "parameter" | "parameter_with_state":
                return arguments[0]
            case "qtensor":
                return self._tensor(*arguments[:4], refused="quantized")
            case "sparse_tensor" | "sparse_csr_tensor":
                return self._sparse(arguments[1])
        return Stub(name)

    def _tensor(
        self,
        view: Any,
        offset: Any,
        shape: Any,
        stride: Any,
        *,
        metadata: tuple[Any, ...] = (),
        dtype: torch.dtype | None = None,
        refused: str = "",
    ) -> StoredTensor:
        """Describe a tensor, in the argument order of torch._utils._rebuild_tensor_v2."""
        sound = isinstance(view, StorageView) and len(shape) == len(stride) <= MAX_AXES
        if not sound or not _are_sizes((offset, *shape, *stride)) or math.prod(n for n in shape if n) >= MAX_SIZE:
            raise pickle.UnpicklingError("a tensor is described wrongly")
        if any(metadata):
            refused = "a conjugate or negative view"
        place = view.start + offset
        return StoredTensor(self.storages, view.key, dtype or view.dtype, place, tuple(shape), tuple(stride), refused)

    def _dict(self, arguments: tuple[Any, ...]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        pairs = next((one for one in arguments if isinstance(one, list)), [])
        self.pairs += len(pairs)
        if self.pairs > MAX_PAIRS:
            raise pickle.UnpicklingError(f"its dictionaries are made from more than {MAX_PAIRS} pairs")
        set_items(found, ((key, value) for key, value in pairs))
        return found

    def _sparse(self, arguments: Any) -> Any:
        if not isinstance(arguments, tuple) or len(arguments) > MAX_ARGUMENTS:
            raise pickle.UnpicklingError("a sparse tensor is described wrongly")
        values = next((one for one in arguments if isinstance(one, StoredTensor) and one.dtype.is_floating_point), None)
        tuples = [one for one in arguments if isinstance(one, tuple) and 0 < len(one) <= MAX_AXES]
        shape = next((one for one in tuples if _are_sizes(one)), ())
        dtype = torch.float32 if values is None else values.dtype
        return StoredTensor(self.storages, "", dtype, 0, shape, (), "sparse")


def read_tree(program: IO[bytes] | mmap.mmap, meanings: Meanings) -> Any:
    """Return the object tree of a torch pickle; the stream is left at its end.

    Returns:
        Plain containers that hold StoredTensor, Stub and plain values; sets are lists.

    Raises:
        Exception: of any kind, for a pickle that is damaged or hostile.
    """
    return pickle_machine.run(program, meanings, meanings.opcodes)


def _are_sizes(numbers: tuple[Any, ...]) -> bool:
    return all(type(number) is int and 0 <= number < MAX_SIZE for number in numbers)

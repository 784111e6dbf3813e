"""Read torch's zip files without running anything that they hold.

A pickle is a program: it names importable objects and calls them. Here every name that it may give becomes
an inert stub, except the handful that describe tensors; those become descriptions too, and a description
turns into a tensor only when somebody asks for it afterwards. While the program runs there is no object
in reach that does anything.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchx.errors import CheckpointError

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Stub:
    """What an object of a foreign class becomes: it keeps what it was given and does nothing.

    Attributes:
        origin: module and name of the class or function that the file asked for.
        state: what the file would have put into the object.
    """

    origin = ""
    state: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *args: Any, **kwargs: Any) -> Stub:
        """Answer a call with another stub."""
        return Stub()

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def extend(self, values: Any) -> None:
        """Take the elements of a foreign list, as the pickle machine asks for, and drop them."""

    append = add = extend


class _Inert:
    """Takes what a pickle's BUILD would write into it, and drops it."""

    def __setstate__(self, state: Any) -> None: ...


@dataclass(frozen=True)
class _StorageType(_Inert):
    dtype: torch.dtype


@dataclass(frozen=True)
class _Admitted(_Inert):
    """A function the file may call; fresh for every file, so that no file can leave anything behind in it."""

    make: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.make(*args)


@dataclass(frozen=True)
class _Storage(_Inert):
    archive: _Archive
    key: str
    dtype: torch.dtype


@dataclass(frozen=True)
class StoredTensor(_Inert):
    """A tensor that still lies in its file."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def load(self) -> torch.Tensor:
        """Return the tensor, mapped from the file.

        Raises:
            CheckpointError: its storage is not there, or is smaller than the tensor claims.
        """
        flat = self.storage.archive.values(self.storage.key, self.storage.dtype)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if 0 not in self.shape and last >= flat.numel():
            raise self.storage.archive.damaged(f"a tensor reaches beyond its storage '{self.storage.key}'")
        return flat.as_strided(self.shape, self.stride, flat.storage_offset() + self.offset)


class _Archive:
    """The uncompressed records of a torch zip file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            self.records = {record.filename: record for record in archive.infolist()}
        pickles = [name for name in self.records if name.endswith("/data.pkl") and name.count("/") == 1]
        if not pickles:
            raise self.damaged("the archive holds no data.pkl")
        self.root = pickles[0].removesuffix("data.pkl")
        self.whole = torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8)

    def bytes(self, name: str) -> torch.Tensor:
        """Return a record as uint8 [bytes]."""
        record = self.records.get(self.root + name)
        if record is None or record.compress_type != zipfile.ZIP_STORED:
            raise self.damaged(f"record '{name}' is absent or compressed")
        header = self.whole[record.header_offset : record.header_offset + 30].numpy().tobytes()
        # The local header's own lengths count: its extra field pads the data to 64 bytes.
        name_length, extra_length = struct.unpack_from("<HH", header, 26)
        start = record.header_offset + 30 + name_length + extra_length
        found = self.whole[start : start + record.file_size]
        if len(found) < record.file_size:
            raise self.damaged(f"record '{name}' reaches beyond the file")
        return found

    def values(self, key: str, dtype: torch.dtype) -> torch.Tensor:
        """Return a storage as a flat tensor."""
        found = self.bytes(f"data/{key}")
        found = found[: len(found) // dtype.itemsize * dtype.itemsize]
        return (found.clone() if found.storage_offset() % dtype.itemsize else found).view(dtype)

    def damaged(self, why: str) -> CheckpointError:
        """Build the error for an archive that contradicts itself."""
        return CheckpointError(f"{self.path} is not a sound torch file", why, "fetch the file again")


def read_zip(path: Path) -> Any:
    """Return the object tree of a zip-format torch file, with stubs for everything foreign.

    Returns:
        Plain containers holding StoredTensor, Stub and plain values.

    Raises:
        CheckpointError: the file is damaged, or its pickle asks for something that even stubs cannot do.
    """
    archive = _Archive(path)
    data = io.BytesIO(archive.bytes("data.pkl").numpy().tobytes())
    try:
        return _Unpickler(data, archive).load()
    except CheckpointError:
        raise
    except Exception as error:
        # Whatever a hostile or broken pickle provokes is the file's fault.
        raise archive.damaged(f"its pickle does not read: {error}") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: io.BytesIO, archive: _Archive) -> None:
        super().__init__(data, encoding="utf-8", errors="replace")
        self.archive = archive

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in STORAGES:
            return _StorageType(STORAGES[name])
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _Admitted(_stored_tensor)
        if module == "torch._utils" and name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
            return _Admitted(lambda data, *_: data)
        return type(name, (Stub,), {"origin": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", _StorageType(dtype=dtype), str(key), *_):
                return _Storage(self.archive, key, dtype)
        raise pickle.UnpicklingError("unknown persistent id")


def _stored_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    """Describe a tensor, in the argument order of torch._utils._rebuild_tensor_v2."""
    numbers = (offset, *shape, *stride)
    sound = isinstance(storage, _Storage) and len(shape) == len(stride)
    if not sound or not all(type(number) is int and 0 <= number < 2**48 for number in numbers):
        raise pickle.UnpicklingError("a tensor is described wrongly")
    return StoredTensor(storage, offset, tuple(shape), tuple(stride))

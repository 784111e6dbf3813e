"""Tensors that still lie in their file: described first, read only when somebody asks for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
import torch

from benchx.errors import CheckpointError

MAX_AXES = 64
"""Of a tensor, as in torch."""

LOADED = frozenset(
    {
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    }
)
"""The data types that are loaded. Weights in any other need more than a cast: scales, or their imaginary part."""


@dataclass(eq=False)
class Storages:
    """The storages of one checkpoint file: runs of bytes, by key.

    Attributes:
        places: first byte and number of bytes of each; within the file, and no two overlap.
    """

    path: Path
    places: dict[str, tuple[int, int]]
    _held: WeakValueDictionary[str, np.ndarray] = field(default_factory=WeakValueDictionary)
    _last: np.ndarray | None = None

    def read(self, key: str) -> np.ndarray:
        """Return a storage as uint8 [bytes].

        All tensors of a storage share one array, which is freed with the last of them: however many tensors a file
        claims, they take no more memory than its bytes. The latest is kept, for its next tensor.

        Raises:
            CheckpointError: the file has no such storage, or became shorter.
        """
        found = self._held.get(key)
        if found is None:
            if key not in self.places:
                raise unreadable(self.path, f"the storage '{key}' is absent or compressed")
            start, size = self.places[key]
            found = np.fromfile(self.path, np.uint8, size, offset=start)
            if len(found) < size:
                raise unreadable(self.path, f"the storage '{key}' reaches beyond the file")
            self._held[key] = found
        self._last = found
        return found


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor that still lies in its file.

    Attributes:
        key: of its storage.
        dtype: of its elements.
        offset, stride: in elements.
        refused: what it is, if it is a kind of tensor that is not loaded; else empty.
    """

    storages: Storages
    key: str
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    refused: str = ""

    def load(self) -> torch.Tensor:
        """Return the tensor, on the CPU.

        Raises:
            CheckpointError: its storage is not there or smaller than the tensor claims, or its kind is not loaded.
        """
        path = self.storages.path
        refused = self.refused or ("" if self.dtype in LOADED else f"of type {self.dtype}")
        if refused:
            raise CheckpointError(
                f"{path.name} holds a tensor {list(self.shape)} that is {refused}",
                "only dense tensors of floating, integer or boolean numbers are loaded",
                "save the weights as float32 or float16 with the method's own code",
            )
        if 0 in self.shape:
            return torch.empty(self.shape, dtype=self.dtype)
        whole = self.storages.read(self.key)
        flat = torch.from_numpy(whole[: len(whole) // self.dtype.itemsize * self.dtype.itemsize]).view(self.dtype)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if last >= flat.numel():
            raise unreadable(path, f"a tensor reaches beyond its storage '{self.key}'")
        return flat.as_strided(self.shape, self.stride, self.offset)


def unreadable(path: Path, why: str) -> CheckpointError:
    """Build the error for a file that is no sound checkpoint."""
    return CheckpointError(
        f"{path} does not read as a checkpoint ({path.stat().st_size} bytes)",
        why,
        "fetch the file again from the method's page",
    )

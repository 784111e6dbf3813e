"""Read torch's format before release 1.6: five pickles in a row, then the storages."""

from __future__ import annotations

import io
import mmap
import pickle
from pathlib import Path
from typing import Any

from benchx.errors import CheckpointError
from benchx.methods.checkpoints.modules import pickled_module, with_state_dicts
from benchx.methods.checkpoints.stored import Storages, unreadable
from benchx.methods.checkpoints.unpickle import Meanings, StorageView, read_tree

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


def is_legacy(head: bytes) -> bool:
    """Whether a file begins with the pickled magic number, in any pickle protocol."""
    return (head[:1] == b"\x80" and MAGIC.to_bytes(10, "little") in head[:32]) or head.startswith(b"L%dL" % MAGIC)


def read_legacy(path: Path) -> Any:
    """Return the object tree of a legacy torch file (see `unpickle.read_tree`); modules are state dicts.

    Raises:
        CheckpointError: the file is truncated, damaged or hostile.
    """
    storages = Storages(path, {})
    meanings = Meanings(storages)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            magic, protocol, system = (read_tree(content, meanings) for _ in range(3))
            if magic != MAGIC or protocol != PROTOCOL:
                raise pickle.UnpicklingError("its version of the format is unknown")
            if not isinstance(system, dict) or system.get("little_endian") is not True:
                raise pickle.UnpicklingError("it was written on a big-endian machine")
            tree = read_tree(content, meanings)
            keys = read_tree(content, meanings)
            storages.places |= _places(content, keys, meanings.views)
        return with_state_dicts(tree, pickled_module)
    except CheckpointError:
        raise
    except Exception as error:
        # Whatever a hostile or broken file provokes is the file's fault.
        raise unreadable(path, f"truncated, or its pickle does not read: {str(error)[:200]}") from error


def _places(content: mmap.mmap, keys: Any, views: dict[str, StorageView]) -> dict[str, tuple[int, int]]:
    """Return where the storages lie: each is its number of elements as int64, then the elements."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) < len(keys):
        raise pickle.UnpicklingError("its list of storages names no storages, or one twice")
    places = {}
    for key in keys:
        view = views[key]
        numel = int.from_bytes(content.read(8), "little")
        start, size = content.tell(), numel * view.dtype.itemsize
        if numel != view.numel or start + size > len(content):
            raise pickle.UnpicklingError(f"the storage '{key}' is not as long as it should be")
        content.seek(size, io.SEEK_CUR)
        places[key] = (start, size)
    return places

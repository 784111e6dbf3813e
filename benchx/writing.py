"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; its folder is made.

    Raises:
        OSError: it cannot be written, or a folder or a device stands there; what stood there is kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "it is there and no regular file", str(path))
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def is_partial(found: Path, path: Path) -> bool:
    """Whether a file is what a kill left of writing another one."""
    return found.name.startswith(f".{path.name}.") and found.name.endswith(".partial")


def partial_path(path: Path) -> Path:
    """Return where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.partial")

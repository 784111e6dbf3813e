"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

from benchx.errors import UsageError


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


def write_file(path: Path, content: bytes) -> None:
    """Write a file that a user has named, whole or not at all; its folder is made.

    Raises:
        UsageError: it cannot be written; what stood there is kept.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise UsageError(
            f"{path} could not be written", error.strerror or str(error), "name another file or free space"
        ) from error


def is_partial(found: Path, path: Path) -> bool:
    """Whether a file is what a kill left of writing another one."""
    return found.name.startswith(f".{path.name}.") and found.name.endswith(".partial")


def partial_path(path: Path) -> Path:
    """Return where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.partial")


def reserve(path: Path) -> None:
    """Claim the blocks of a file that is to be mapped: a full disk must be an error now, not a crash while writing.

    Raises:
        OSError: the disk is full.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)

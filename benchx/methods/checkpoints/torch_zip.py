"""Read torch's zip files: state dicts, whole modules and TorchScript archives."""

from __future__ import annotations

import io
import itertools
import struct
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from benchx.errors import CheckpointError
from benchx.methods.checkpoints.modules import pickled_module, with_state_dicts
from benchx.methods.checkpoints.stored import Storages, unreadable
from benchx.methods.checkpoints.torchscript import scripted_module
from benchx.methods.checkpoints.unpickle import Meanings, read_tree

MAX_SOURCE = 64 * 2**20
"""Bytes of TorchScript source that are unpacked; OpenAI CLIP has less than one million."""

DATA, BYTEORDER = "data.pkl", "byteorder"

LOCAL_HEADER = struct.Struct("<4s22xHH")


def read_zip(path: Path) -> Any:
    """Return the object tree of a zip-format torch file (see `unpickle.read_tree`); modules are state dicts.

    Raises:
        CheckpointError: the file is damaged, hostile, or an archive of other files.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = _root(archive, path)
            storages = Storages(path, _places(archive, path, root))
            sources = _sources(archive, root)
        program = io.BytesIO(storages.read(DATA).tobytes())
        if BYTEORDER in storages.places and storages.read(BYTEORDER).tobytes() != b"little":
            raise unreadable(path, "it was written on a big-endian machine")
        tree = read_tree(program, Meanings(storages))
        return with_state_dicts(tree, scripted_module(sources) if sources else pickled_module)
    except CheckpointError:
        raise
    except zipfile.BadZipFile as error:
        raise unreadable(path, f"its zip archive is truncated or damaged: {error}") from error
    except Exception as error:
        # Whatever a hostile or broken file provokes is the file's fault.
        raise unreadable(path, f"its pickle does not read: {str(error)[:200]}") from error


def _root(archive: zipfile.ZipFile, path: Path) -> str:
    """Return the folder of the archive in which torch's records lie."""
    names = archive.namelist()
    if len(set(names)) < len(names):
        raise unreadable(path, "its archive has two records of one name")
    if odd := [name for name in names if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts]:
        raise unreadable(path, f"its archive has a record outside its folder: {odd[0]!r}")
    roots = [name.removesuffix(DATA) for name in names if name.endswith(f"/{DATA}") and name.count("/") == 1]
    if len(roots) != 1:
        raise unreadable(path, f"it is an archive of other files ({', '.join(names[:3])}): unpack it first")
    return roots[0]


def _places(archive: zipfile.ZipFile, path: Path, root: str) -> dict[str, tuple[int, int]]:
    """Return where the uncompressed records lie: the pickle, the byte order, and the storages by key."""
    spans, places = [], {}
    size = path.stat().st_size
    with path.open("rb") as file:
        for record in archive.infolist():
            file.seek(record.header_offset)
            mark, name_length, extra_length = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
            # The local header's own lengths count: its extra field pads the data to 64 bytes.
            start = record.header_offset + LOCAL_HEADER.size + name_length + extra_length
            if mark != b"PK\3\4" or start + record.compress_size > size:
                raise unreadable(path, f"its record {record.filename!r} reaches beyond the file")
            spans.append((record.header_offset, start + record.compress_size))
            plain = record.compress_type == zipfile.ZIP_STORED and not record.flag_bits & 1
            if plain and record.file_size == record.compress_size and record.filename.startswith(root):
                places[record.filename.removeprefix(root).removeprefix("data/")] = (start, record.file_size)
    spans.sort()
    if any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
        raise unreadable(path, "records of its archive overlap")
    return places


def _sources(archive: zipfile.ZipFile, root: str) -> dict[str, str]:
    """Return the source of a TorchScript archive by module name; empty for other files."""
    if f"{root}constants.pkl" not in archive.namelist():
        return {}
    found, left = {}, MAX_SOURCE
    for record in archive.infolist():
        if record.filename.startswith(f"{root}code/") and record.filename.endswith(".py"):
            with archive.open(record) as file:
                text = file.read(left + 1)
            left -= len(text)
            if left < 0:
                raise zipfile.BadZipFile(f"more than {MAX_SOURCE} bytes of source")
            name = record.filename.removeprefix(f"{root}code/").removesuffix(".py").replace("/", ".")
            found[name] = text.decode(errors="replace")
    return found

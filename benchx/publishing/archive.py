"""The archive of a bundle: a zip that has exactly one form, read in memory and only after it was found harmless.

Members are stored, not compressed (predictions are compressed inside their own format), in the order of their names,
with one fixed date and mode, and nothing stands between, before or behind them. So the same content always gives the
same bytes, on every machine and with every version of zlib, and the bytes of an archive that was changed anywhere
differ from those of its own content packed again.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

MAX_FILES = 20_000
MAX_BYTES = 2 << 30
"""Of the whole archive; with stored members also of what is in it."""

MAX_DIRECTORY = 256 * MAX_FILES
"""Bytes of the list of members at the end of an archive."""

DATE = (1980, 1, 1, 0, 0, 0)
MODE = stat.S_IFREG | 0o644
_UNIX = 3
_ENCRYPTED = 0x1
_END = struct.Struct("<4s4H2LH")
_ENTRY_SIGNATURE, _END_SIGNATURE, _END64_LOCATOR_SIGNATURE = b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x07"
_END64_LOCATOR_SIZE = 20
_NAME = re.compile(
    r"manifest\.json|cells/[0-9a-f]{64}/(record\.json|predictions\.parquet|trials\.jsonl|reports[a-z0-9_-]*\.parquet)"
)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the one archive that holds some files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system, entry.external_attr = _UNIX, MODE << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def unpack(path: Path) -> tuple[dict[str, bytes], list[str]]:
    """Read an archive into memory; nothing is ever written to disk.

    Returns:
        The files by name, and what is wrong with the archive. Nothing is read from one that could do harm: names
        that lead elsewhere or are not those of a bundle, names twice, links, encrypted or compressed members, sizes
        or numbers beyond the limits. One that only has another form than `pack` gives is read, and that is said.

    Raises:
        OSError: the file cannot be read.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        return {}, [f"the file has {size} bytes, a bundle at most {MAX_BYTES}"]
    content = path.read_bytes()
    if problem := _directory_problem(content):
        return {}, [problem]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if dangers := _dangers(entries, len(content)):
                return {}, dangers
            files = {entry.filename: archive.read(entry) for entry in entries}
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        EOFError,
        RuntimeError,
        OSError,
        struct.error,
    ) as error:
        return {}, [f"it is not a readable zip archive: {error}"]
    if pack(files) != content:
        return files, ["its bytes are not those that its content gives: it was changed or packed by another program"]
    return files, []


def _directory_problem(content: bytes) -> str | None:
    """Say what is wrong with the end of an archive, before the zip module makes an object of every member it lists.

    The end record has to be the very end, and the list of members to stand right before it (PKWARE APPNOTE 4.3.16).
    """
    end = len(content) - _END.size
    if end < 0 or content[end : end + 4] != _END_SIGNATURE:
        return "it is not a readable zip archive: it does not end with the record that ends one"
    _, disk, first_disk, here, total, size, offset, comment = _END.unpack_from(content, end)
    if max(here, total) > MAX_FILES:
        return f"it holds {max(here, total)} files, a bundle at most {MAX_FILES}"
    locator = content[end - _END64_LOCATOR_SIZE : end][:4] if end >= _END64_LOCATOR_SIZE else b""
    if disk or first_disk or comment or offset + size != end or locator == _END64_LOCATOR_SIGNATURE:
        return "it is not a readable zip archive: its list of members is not where a bundle has it"
    if size > MAX_DIRECTORY or content.count(_ENTRY_SIGNATURE, offset, end) > MAX_FILES:
        return f"its list of members is longer than that of the {MAX_FILES} files that a bundle holds at most"
    return None


def _dangers(entries: Sequence[zipfile.ZipInfo], size: int) -> list[str]:
    names = Counter(entry.orig_filename for entry in entries)
    found = [f"the name {name!r} stands in it {count} times" for name, count in names.items() if count > 1]
    found += [f"{entry.orig_filename!r}: {reason}" for entry in entries for reason in _dangers_of(entry)]
    if (total := sum(entry.file_size for entry in entries)) > size:
        found.append(f"its members claim {total} bytes, more than the {size} of the archive")
    return found


def _dangers_of(entry: zipfile.ZipInfo) -> list[str]:
    name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
    reasons = {
        "an absolute path": name.startswith("/"),
        "a path that leads out of its folder": ".." in re.split(r"[/\\]", name),
        "a backslash in a name": "\\" in name,
        "a drive letter": bool(re.match(r"[A-Za-z]:", name)),
        "a link or another special file": kind not in (0, stat.S_IFREG),
        "an encrypted file": bool(entry.flag_bits & _ENCRYPTED),
        "a compressed file; a bundle stores its files": entry.compress_type != zipfile.ZIP_STORED,
        "its two sizes differ": entry.file_size != entry.compress_size,
    }
    found = [reason for reason, holds in reasons.items() if holds]
    return found or ([] if _NAME.fullmatch(name) else ["no file of a bundle has such a name"])

"""Content digests: the names by which files, settings and results are told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def digest_json(value: Any) -> str:
    """Return the sha256 (hex) of a JSON value with sorted keys and no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_lines(lines: Iterable[str]) -> str:
    """Return the sha256 (hex) of lines, each ended by one newline."""
    sha = hashlib.sha256()
    for line in lines:
        sha.update(line.encode())
        sha.update(b"\n")
    return sha.hexdigest()


def digest_file(path: Path) -> str:
    """Return the sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fraction_of_hash(*parts: object) -> float:
    """Map a tuple of names to a number in [0, 1), the same on every machine and for ever.

    The first 8 bytes of sha256 over the parts joined by '/', divided by 2^64.
    """
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

"""Python files that a card names: their digest becomes a part of the card, so that results tell code apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchx.digests import digest_file


def pinned(raw: Any, folder: Path) -> Any:
    """Return a card, as it was read, with the sha256 of the Python file that its encoder's factory names.

    Args:
        raw: the card as YAML gives it; returned as it is where it names no such file.
        folder: where the card lies.
    """
    match raw:
        case {"encoder": {"name": "module", "arguments": {"factory": str(factory), **others}, **rest}}:
            path = folder / factory.partition(":")[0]
            if path.suffix == ".py" and path.is_file():
                arguments = {"factory": factory, "sha256": digest_file(path), **others}
                return {**raw, "encoder": {**rest, "name": "module", "arguments": arguments}}
    return raw

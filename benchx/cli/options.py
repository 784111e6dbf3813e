"""What the commands share: where they print, options that recur, and how their texts are read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console

from benchx.errors import UsageError

if TYPE_CHECKING:
    from benchx.progress import Bars, Silent

WIDTH_IN_FILES = 200
out = Console(width=None if sys.stdout.isatty() else WIDTH_IN_FILES)
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
StoreDir = Annotated[Path, typer.Option("--store", help="Folder of the results.")]
DataRoot = Annotated[Path | None, typer.Option("--data-root", help="Folder with one folder per dataset.")]
Roots = Annotated[list[str], typer.Option("--root", metavar="DATASET=DIR", help="Folder of one dataset.")]


def bars_for(*, quiet: bool) -> Bars | Silent:
    """Return progress bars on the error stream, or silence."""
    from benchx.progress import Bars, Silent

    return Silent() if quiet else Bars(err)


def parse_pairs(values: list[str], option: str) -> Mapping[str, Path]:
    """Read NAME=PATH options."""
    pairs = {}
    for value in values:
        key, equals, path = value.partition("=")
        if not (key and equals and path):
            raise UsageError(f"{option} {value} is not NAME=PATH", "the '=' or a side of it is missing", "mend it")
        pairs[key] = Path(path)
    return pairs


def _number(text: str, option: str, convert: Callable[[str], float]) -> float:
    try:
        return convert(text)
    except ValueError:
        raise UsageError(f"{option} {text} is not a number", "expected e.g. 0.01 or 1%", "mend it") from None


def parse_fraction(text: str) -> float:
    """Read a label fraction: 0.01 or 1%."""
    if text.endswith("%"):
        return _number(text[:-1], "--fraction", float) / 100
    return _number(text, "--fraction", float)


Named = TypeVar("Named", bound=str)


def choice(text: str, option: str, known: Sequence[Named]) -> Named:
    """Return the known value that an option's text names."""
    for value in known:
        if value == text:
            return value
    raise UsageError(f"{option} {text} is not known", f"it is one of {', '.join(known)}", "choose one of them")


def parse_shard(text: str) -> tuple[int, int]:
    """Read I/N."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal()):
        raise UsageError(f"--shard {text} is not I/N", "expected e.g. 1/4", "mend it")
    return int(part), int(parts)

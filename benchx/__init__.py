"""A benchmark harness for medical vision-language pretraining."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from benchx.results.store import Store
    from benchx.runs import run

__all__ = ["Store", "run"]


def __getattr__(name: str) -> Any:
    if name == "run":
        from benchx.runs import run

        return run
    if name == "Store":
        from benchx.results.store import Store

        return Store
    raise AttributeError(f"module 'benchx' has no attribute '{name}'")

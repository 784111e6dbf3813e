"""Methods: cards, safe and strict loading, encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchx.methods.loading import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from benchx.methods.loading import load

        return load
    raise AttributeError(f"module 'benchx.methods' has no attribute '{name}'")

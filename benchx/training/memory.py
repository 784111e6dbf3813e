"""Running out of memory: telling so, halving what was tried, and giving the rest back."""

from __future__ import annotations

import torch

from benchx.errors import BenchxError

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory (of the GPU or the machine) ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def halved(size: int, error: Exception) -> int:
    """Return half a size that did not fit into memory; another error goes on as it is."""
    if not is_out_of_memory(error):
        raise error
    if size == 1:
        raise BenchxError(
            "out of memory with a single image",
            "the model and its gradients alone fill the memory",
            "free memory, use a larger device, or a smaller input size",
        ) from None
    return size // 2


def free() -> None:
    """Give memory of a failed pass back to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

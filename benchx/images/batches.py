"""Batches made ahead of their use by a few threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def prefetch(
    make_batch: Callable[[np.ndarray], T], batches: Sequence[np.ndarray], workers: int
) -> Generator[T, None, None]:
    """Yield `make_batch(indices)` for every batch, in order, made ahead by threads.

    Threads suffice because decoding, resizing and copying release the interpreter's lock. At most
    2 * workers batches are in the making or waiting, so memory is bounded.

    Args:
        make_batch: makes one batch; called from several threads at once.
        batches: the indices of each batch.
        workers: number of threads, at least 1.

    Yields:
        The batches in order. An exception of `make_batch` is raised at its batch's turn. A consumer
        that stops early ends the threads after the batches in the making.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
    waiting: deque[Future[T]] = deque()
    try:
        for indices in batches:
            waiting.append(pool.submit(make_batch, indices))
            if len(waiting) == 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

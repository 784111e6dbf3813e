"""Prefetching: order, bounded memory, errors and early stops."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from benchx.images.batches import prefetch

BATCHES = [np.array([number]) for number in range(40)]


def prefetch_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_batches_come_in_order_although_some_take_longer(workers: int) -> None:
    def make(indices: np.ndarray) -> int:
        time.sleep(0.004 if indices[0] % 3 == 0 else 0)
        return int(indices[0])

    assert list(prefetch(make, BATCHES, workers)) == list(range(40))
    assert list(prefetch(make, [], workers)) == []
    assert not prefetch_threads()


def test_look_ahead_is_bounded() -> None:
    made = []
    batches = prefetch(lambda indices: made.append(indices[0]), BATCHES, 2)
    next(batches)
    time.sleep(0.05)
    assert len(made) <= 4
    batches.close()


def test_an_error_arrives_at_its_batch() -> None:
    def make(indices: np.ndarray) -> int:
        if indices[0] == 7:
            raise KeyError("seven")
        return int(indices[0])

    received: list[int] = []
    with pytest.raises(KeyError, match="seven"):
        received.extend(prefetch(make, BATCHES, 3))
    assert received == list(range(7))
    assert not prefetch_threads()


def test_stopping_early_ends_the_threads() -> None:
    made: list[int] = []
    release = threading.Event()

    def make(indices: np.ndarray) -> None:
        made.append(int(indices[0]))
        if indices[0] > 0:
            release.wait(5)

    batches = prefetch(make, BATCHES, 2)
    next(batches)
    while len(made) < 3:  # Both threads are now inside a batch, and one more batch waits.
        time.sleep(0.001)
    threading.Timer(0.05, release.set).start()
    batches.close()
    assert sorted(made) == [0, 1, 2]
    assert not prefetch_threads()


def test_batches_are_made_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=5)
    assert len(list(prefetch(lambda indices: both.wait(), BATCHES[:2], 2))) == 2

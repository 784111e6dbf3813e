"""Time retrieval of 50,000 queries in a gallery of 50,000, 512 wide, in CPU seconds, and show its peak memory.

python benchmarks/retrieval_speed.py [ITEMS] [DEVICE]

The matrix product alone is timed beside it, in the same chunks and precision, and a loop that sorts every query's
similarities, extrapolated from a few chunks; ranks must agree.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import torch

from benchx.metrics.retrieval.positives import Positives
from benchx.metrics.retrieval.search import match_classes, rank_positives
from benchx.metrics.retrieval.similarity import similarity_chunks

WIDTH, CELLS, COMPARED = 512, 2**24, 3


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    device = sys.argv[2] if len(sys.argv) > 2 else "cpu"
    rng = np.random.default_rng(0)
    images = rng.standard_normal((items, WIDTH), np.float32)
    texts = images + 8 * rng.standard_normal((items, WIDTH), np.float32)
    held = _peak()

    started = time.process_time()
    pairs = Positives.listed(np.arange(items)[:, None])
    ranking = rank_positives(images, texts, pairs, device=device)
    ours = time.process_time() - started
    print(f"{items} x {items} x {WIDTH} on {device}: ranks and first items in {ours:.1f} s")
    print(f"  median rank {np.median(ranking.ranks):.0f}, peak memory {_peak():.2f} GiB, {held:.2f} before")

    started = time.process_time()
    labels = np.eye(5)[np.arange(items) % 5]
    match_classes(images, texts, labels, labels, own=pairs, device=device)
    print(f"  matches of 5 classes in {time.process_time() - started:.1f} s, peak memory {_peak():.2f} GiB")

    started = time.process_time()
    for _ in similarity_chunks(images, texts, CELLS, device):
        pass
    if device != "cpu":
        torch.cuda.synchronize()
        print(f"  peak memory of the device {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
    print(f"  the similarities alone in {time.process_time() - started:.1f} s")

    started, found = time.process_time(), 0
    for number, (first, stop, similarity) in enumerate(similarity_chunks(images, texts, CELLS, device)):
        if number == COMPARED:
            break
        own = similarity.gather(1, torch.arange(first, stop, device=similarity.device)[:, None])
        ranks = items - torch.searchsorted(similarity.sort(dim=1).values, own)[:, 0]
        assert ranks.cpu().numpy().tolist() == ranking.ranks[first:stop].tolist()
        found = stop
    loop = (time.process_time() - started) * items / found
    print(f"  sorting every query {loop:.0f} s (extrapolated from {found} queries, same ranks): {loop / ours:.1f} x")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()

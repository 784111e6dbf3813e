"""How much faster an epoch runs over the pixel store than over the files.

Run: python benchmarks/epoch_speed.py [--images 192]
Both sides make the same augmented batches at 224 through `prefetch` with the same number of workers;
one cuts them from the store, the other decodes 1024 x 1024 PNGs first. Wanted: 10 x or more with a
store of short side 256. Short side 512 is shown for comparison.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from pixel_store import write_pngs

from benchx.images.augment import augment
from benchx.images.batches import prefetch
from benchx.images.decode import read, to_uint8
from benchx.images.spec import Augmentation, InputSpec
from benchx.images.store import build

SPEC = InputSpec(size=224, resize="stretch", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
RECIPE = Augmentation(scale=(0.3, 1.0), ratio=(0.75, 4 / 3), horizontal_flip=0.5)
BATCH = 32


def images_per_second(
    load: Callable[[np.ndarray], Sequence[np.ndarray]], images: int, epochs: int, workers: int
) -> float:
    """Time the augmented batches of some epochs."""
    order = np.concatenate([np.random.default_rng(epoch).permutation(images) for epoch in range(epochs)])
    batches = np.split(order, range(BATCH, len(order), BATCH))
    start = time.perf_counter()
    for _ in prefetch(lambda rows: augment(load(rows), SPEC, RECIPE, np.random.default_rng(rows)), batches, workers):
        pass
    return len(order) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as place:
        paths = write_pngs(Path(place), arguments.images)
        items = [(path.stem, path) for path in paths]
        stores = {side: build(items, side, Path(place) / f"store{side}") for side in (256, 512)}

        def decode(rows: np.ndarray) -> list[np.ndarray]:
            return [to_uint8(read(paths[row])) for row in rows]

        floor, speeds = 0.0, dict.fromkeys(stores, 0.0)
        # The sides take turns, so that other load on the machine meets both.
        for _ in range(arguments.rounds):
            floor = max(floor, images_per_second(decode, len(paths), 1, arguments.workers))
            for side, store in stores.items():
                speeds[side] = max(speeds[side], images_per_second(store.images, len(paths), 5, arguments.workers))
    print(f"best of {arguments.rounds} rounds, {arguments.workers} workers")
    print(f"decoded every epoch      {floor:8.1f} images/s")
    for side, speed in speeds.items():
        print(f"store, short side {side}    {speed:8.1f} images/s  ratio {speed / floor:.1f}")
    print("wanted: a ratio of 10 or more at short side 256")


if __name__ == "__main__":
    main()

"""How much faster two workers build a pixel store than one core decodes the same files.

Run: python benchmarks/pixel_store.py [--images 384]
The floor is a plain loop of read + to_uint8 over 1024 x 1024 PNGs; the build does the same work and
also shrinks, hashes and writes. Wanted: two workers at 1.6 x the floor or more, both in one run.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchx.images.decode import read, to_uint8
from benchx.images.store import build

SHARED = Path(__file__).resolve().parents[2] / "shared/data/nih-1024/images"


def write_pngs(folder: Path, count: int) -> list[Path]:
    """Write PNGs of 1024 x 1024: real radiographs repeated where they are at hand, else smooth and noisy."""
    originals = sorted(SHARED.glob("*.png"))
    rng = np.random.default_rng(0)
    paths = [folder / f"{number:05d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        if originals:
            shutil.copyfile(originals[number % len(originals)], path)
            continue
        smooth = cv2.resize(rng.uniform(30, 220, (12, 12)), (1024, 1024), interpolation=cv2.INTER_CUBIC)
        noisy = smooth + rng.normal(0, 1.2, (1024, 1024))
        cv2.imwrite(str(path), noisy.clip(0, 255).astype(np.uint8))
    return paths


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    floors, builds = [], []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = write_pngs(folder, arguments.images)
        items = [(path.stem, path) for path in paths]
        for repeat in range(arguments.repeats):
            floors.append(seconds(lambda: [to_uint8(read(path)) for path in paths]))
            target = folder / f"store{repeat}"
            builds.append(seconds(partial(build, items, 256, target, workers=2)))
        megabytes = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
    for name, times in (("one core, decode only", floors), ("build, two workers", builds)):
        print(f"{name:24s} {arguments.images / min(times):7.1f} images/s (best of {len(times)})")
    ratio = min(floors) / min(builds)
    print(f"{len(paths)} PNGs of {megabytes:.2f} MB; ratio {ratio:.2f} (wanted: 1.6 or more)")


if __name__ == "__main__":
    main()

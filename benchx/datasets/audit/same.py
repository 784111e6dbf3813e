"""Which pictures are the same radiograph, within and across datasets?

Two pictures are the same when their files or their stored pixels are equal, or when they are alike in two steps:
the product of their descriptions is at least `ALIKE` in size (all such pairs are found, see `neighbours`), and then
the correlation of their fine structure, one laid over the other, is at least `SAME`. Pictures that show nothing
are never the same.

The thresholds were chosen on 854 real images (441 NIH ChestX-ray14, 306 covid-chestxray, 107 VQA-RAD; 364 231
pairs, 292 of them two radiographs of one NIH patient). 55 pairs are at least `ALIKE`; the four at or above `SAME` are
true: covid-chestxray holds four radiographs twice, as patients 97 and 178. The next is 0.85, of NIH 0.78, both two
radiographs of one patient. Of each image's copies (`benchmarks/audit_speed.py recall`) these are found:

    every one: short side 128 to 1024 and back, stretched, gamma 0.6 to 1.6, negative, padded by 5 and 20 %
    99 % or more: JPEG quality 75 (99.9) and 30 (99.4), equalised (99.6), border cropped by 1 % (99.8)
    less: contrast clipped 98.9, noise of 5 grey levels 97.8, border cropped by 2 % 94.4, 16 grey levels 89.8,
    CLAHE 80.4, cropped by 3 % 67.7, by 5 % 7.4, mirrored 0.1

Simulated radiographs of one patient share a rigid skeleton and are sometimes joined (up to 0.97); those of different
patients are not (up to 0.85).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchx.datasets.audit.alignment import similarity
from benchx.datasets.audit.descriptors import grey_ranks
from benchx.datasets.audit.groups import join, join_equal, several
from benchx.datasets.audit.looking import CONSTANT, Look
from benchx.datasets.audit.neighbours import pairs_alike

ALIKE = 0.80
SAME = 0.90

_AT_ONCE = 512


def same_pictures(looks: Sequence[Look], files: Sequence[str], on_progress: Callable[[int], None]) -> list[np.ndarray]:
    """Group the pictures that are the same radiograph.

    A group holds all that are linked by such pairs, so that n equal pictures are one group and not n² pairs.

    Args:
        looks: of all datasets, one after the other.
        files: the checksum of each picture's file.
        on_progress: called with the pictures compared with all others.

    Returns:
        The groups of two or more, each a sorted int array of positions.
    """
    group = np.arange(len(looks))
    shown = [place for place, look in enumerate(looks) if look.deviation >= CONSTANT]
    join_equal(group, shown, [files[place] for place in shown])
    join_equal(group, shown, [looks[place].digest for place in shown])
    leaders = [place for place in shown if group[place] == place]
    owners = np.array([place for place in leaders for _ in looks[place].vectors], int)
    thumbnails = [face for place in leaders for face in looks[place].thumbnails]
    vectors = np.array([vector for place in leaders for vector in looks[place].vectors], np.float32)
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def alike(pair: np.ndarray) -> bool:
            first, second = (grey_ranks(thumbnails[face]) for face in pair)
            return similarity(first, second, SAME) >= SAME

        for begun, pairs in pairs_alike(vectors, ALIKE) if len(owners) else ():
            while len(pairs := pairs[group[owners[pairs[:, 0]]] != group[owners[pairs[:, 1]]]]):
                pairs, tried = pairs[_AT_ONCE:], pairs[:_AT_ONCE]
                found = [pair for pair, yes in zip(tried, pool.map(alike, tried), strict=True) if yes]
                join(group, [(owners[first], owners[second]) for first, second in found])
            on_progress(int(owners[begun - 1]) + 1)
    on_progress(len(looks))
    return several(group)

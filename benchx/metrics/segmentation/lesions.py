"""Lesions found, missed and invented: components of the truth matched with components of the prediction.

A lesion is a component of connected pixels, diagonal neighbours included. Truth and prediction are matched one to one:
two components may be a pair when their IoU is at least 0.1, and as many pairs as possible are formed.

One to one with a cutoff of IoU is what Metrics Reloaded (Maier-Hein et al. 2024, instance segmentation) asks of counts
of lesions; 0.1 is the cutoff of nnDetection (Baumgartner et al. 2021), for tasks in which finding a lesion matters more
than its exact outline. The largest matching, not a greedy one, as masks carry no confidence to order candidates by; its
size does not depend on the order of components or on equal IoUs. So a lesion predicted in two pieces is found once and
invented once, and one blob over two lesions finds one and misses one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from benchx.metrics.segmentation.counting import counts, f1

MATCH_IOU = 0.1
"""Smallest IoU of a truth lesion and the predicted component that finds it."""


def lesion_counts(truth: np.ndarray, prediction: np.ndarray) -> tuple[int, int, int]:
    """Return the lesions found, the predicted components that match none, and the lesions missed (tp, fp, fn).

    Args:
        truth, prediction: uint8 [H, W] of 0 and 1.
    """
    lesions, lesion = cv2.connectedComponents(truth, connectivity=8)
    claims, claim = cv2.connectedComponents(prediction, connectivity=8)
    shared = (truth & prediction).view(bool)
    places = lesion[shared], claim[shared]
    overlap = coo_array((np.ones(len(places[0])), places), shape=(lesions, claims)).tocsr().tocoo()
    sizes = np.bincount(lesion.ravel())[overlap.row] + np.bincount(claim.ravel())[overlap.col]
    fits = overlap.data / (sizes - overlap.data) >= MATCH_IOU
    edges = coo_array((np.ones(fits.sum(), bool), (overlap.row[fits], overlap.col[fits])), shape=overlap.shape)
    found = int(np.count_nonzero(maximum_bipartite_matching(edges.tocsr()) >= 0))
    return found, claims - 1 - found, lesions - 1 - found


def lesion_f1(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> np.ndarray:
    """Return the F1 of lesions, 2 tp / (2 tp + fp + fn), from counts summed over a test set, 0 to 1.

    NaN where no lesion is there and none is predicted: unlike an image, a test set without lesions says nothing
    about finding them.

    Args:
        tp, fp, fn: lesions, of shapes that broadcast.

    Raises:
        ValueError: a count is negative or NaN.
    """
    found, invented, missed = counts(tp, fp, fn)
    return f1(found, invented, missed, empty=np.nan)

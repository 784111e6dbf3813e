"""The 5x200 subset: 200 images for each of five findings that have this one finding alone.

Huang et al. (GLoRIA, ICCV 2021) draw it from CheXpert: frontal images that are positive for exactly one of the
five competition findings. The public code of MGCA (Wang et al., NeurIPS 2022), which rebuilds it, also requires
every other observation but `No Finding` to be absent or not mentioned, which rules out uncertain ones; so does this.
It draws single images with a random seed; here the 200 are those of lowest hash of the study, one image per study, so
that no random generator decides. Frontal means PA or AP.

The ids that BenchX published for MIMIC-CXR (May 2025) come without labels and are another draw; they cannot be
rebuilt from labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchx.datasets.samples import Samples
from benchx.digests import fraction_of_hash

FINDINGS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
PER_FINDING = 200


def five_by_200(samples: Samples, parts: Sequence[str] = ("train", "val", "test")) -> tuple[np.ndarray, dict[str, int]]:
    """Choose the 5x200 images of CheXpert or MIMIC-CXR.

    Args:
        samples: with CheXpert's 14 observations as labels. Uncertain ones may count as anything where `uncertain`
            says which they are, else they must be unknown (NaN).
        parts: official parts to choose from. The official test parts are too small for 200 of every finding.

    Returns:
        Row numbers, int [<= 1000], finding by finding in the order of `FINDINGS`; and how many rows each finding
        has: 200, or as many as there are.
    """
    table = samples.table
    others = [name != "No Finding" for name in samples.classes]
    alone = (samples.labels[:, others] == 1).sum(1) == 1
    alone &= (samples.labels[:, others] == 0).sum(1) == sum(others) - 1
    if samples.uncertain is not None:
        alone &= ~samples.uncertain[:, others].any(1)
    usable = alone & table["view"].isin(("PA", "AP")).to_numpy() & table["official"].isin(list(parts)).to_numpy()
    chosen, counts = [], {}
    for name in FINDINGS:
        rows = np.flatnonzero(usable & (samples.class_labels((name,))[:, 0] == 1))
        first = table.iloc[rows].sort_values("sample", kind="stable").drop_duplicates("study")
        order = sorted(first.index, key=lambda row: fraction_of_hash("5x200", samples.dataset, table.at[row, "study"]))
        chosen += order[:PER_FINDING]
        counts[name] = min(len(order), PER_FINDING)
    return np.array(chosen, dtype=int), counts

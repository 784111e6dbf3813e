"""The 14 observations of CheXpert and their values, as CheXpert and MIMIC-CXR-JPG publish them.

The values are 1.0 (present), 0.0 (absent), -1.0 (uncertain) and blank (not mentioned in the report). A blank
counts as absent, as Irvin et al. (CheXpert, AAAI 2019) train; -1.0 is unknown (NaN) until a policy is chosen,
see `Samples.count_uncertain_as`. For `No Finding`, which is published as 1.0 or blank, blank is therefore 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchx.datasets.files import refuse_others

OBSERVATIONS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""In the order of CheXpert's published header."""

_VALUES = {"1.0": 1, "0.0": 0, "-1.0": -1, "1": 1, "0": 0, "-1": -1}
_BLANK = 0


class Observed(NamedTuple):
    """Labels of N rows.

    Attributes:
        labels: float32 [N, 14], 1 present, 0 absent or not mentioned, NaN uncertain.
        uncertain: bool [N, 14], where the source says -1.
    """

    labels: np.ndarray
    uncertain: np.ndarray


def read_observations(rows: pd.DataFrame, path: Path) -> Observed:
    """Turn the published columns (texts, null where blank) into labels.

    Args:
        rows: holds the 14 columns, in any order; its index counts the rows of the file from 0.
        path: of the file, for errors.

    Raises:
        DatasetError: a value is none of 1, 0, -1 and blank.
    """
    values = np.empty((len(rows), len(OBSERVATIONS)), np.float32)
    for number, name in enumerate(OBSERVATIONS):
        codes, texts = pd.factorize(rows[name])
        if not set(texts) <= _VALUES.keys():
            refuse_others(rows[name].dropna(), _VALUES, path)
        values[:, number] = np.array([*(_VALUES[text] for text in texts), _BLANK], np.float32)[codes]
    uncertain = values == -1
    return Observed(np.where(uncertain, np.float32(np.nan), values), uncertain)

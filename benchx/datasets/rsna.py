"""RSNA Pneumonia Detection Challenge, stage 2 (Shih et al., Radiology: AI 2019), as published on Kaggle.

Layout: `stage_2_train_images/<patientId>.dcm`, `stage_2_train_labels.csv` (one row per box). The test
images of the challenge have no public labels and are not used. Despite its name, `patientId` identifies
an image: no patient id is published with the files, so the unit of intervals is the image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import find_images, is_phantom, read_csv, refuse_blanks, refuse_others
from benchx.datasets.samples import Dataset, Samples
from benchx.errors import DatasetError

CLASSES = ("Pneumonia",)
TABLE = "stage_2_train_labels.csv"
FOLDER = "stage_2_train_images"


def read(root: Path) -> Samples:
    """Read the RSNA stage 2 training set; the label is `Target` (an opacity suspicious of pneumonia).

    Raises:
        DatasetError: a file, column or the image folder is missing, or `Target` is not 0/1 or differs
            between the rows of one image.
    """
    path = root / TABLE
    rows = read_csv(path, ("patientId", "x", "y", "width", "height", "Target"))
    refuse_blanks(rows, ("patientId",), path)
    refuse_others(rows["Target"], ("0", "1"), path)
    targets = rows.groupby("patientId", sort=False)["Target"]
    conflicting = targets.nunique()
    conflicting = conflicting[conflicting > 1]
    if len(conflicting):
        raise DatasetError(
            f"{path} gives {len(conflicting)} ids both Target 0 and 1, first '{conflicting.index[0]}'",
            "which label holds is undecidable",
            "use the file as published",
        )
    labels = targets.first()
    names = pd.Series(labels.index.to_numpy(dtype=object))
    present = find_images(root, (FOLDER,), (".dcm",))
    files = names + ".dcm"
    table = pd.DataFrame({"sample": names, "image": FOLDER + "/" + files, "official": ""})
    for column in ("patient", "study", "view", "sex", "age"):
        table[column] = None
    return Samples(
        "rsna",
        root,
        table,
        labels.to_numpy().astype(np.float32)[:, None],
        CLASSES,
        tuple(names[~files.isin(present.keys())]),
        is_phantom(root),
        publishes_split=False,
    )


DATASET = Dataset(
    name="rsna",
    title="RSNA Pneumonia Detection Challenge (stage 2)",
    licence="RSNA challenge terms: non-commercial research, no redistribution",
    source="kaggle.com/c/rsna-pneumonia-detection-challenge",
    citation="Shih et al., Radiology: Artificial Intelligence 2019",
    size="26 684 images, 4 GB",
    tasks=("classification",),
    family="nih",
    classes=CLASSES,
    read=read,
)

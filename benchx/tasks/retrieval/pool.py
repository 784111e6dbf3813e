"""What is compared: the test images that have a report, the reports, and which belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchx.datasets.five_by_200 import FINDINGS, PER_FINDING, five_by_200
from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.metrics.retrieval.positives import Positives
from benchx.tasks.report_texts import text_of


@dataclass(frozen=True)
class Pool:
    """Images and reports. Both are queries, and each is the whole gallery of the other.

    Attributes:
        images: int [I], row numbers in the samples.
        folds: int8 [I], in whose test part each stands.
        texts: of the R reports.
        names: of the reports: `text:` and the study, or the report's first image where no study is known.
        first: int [R], the place in `images` of each report's first image.
        to_reports: of every image the reports with its text. A text that several studies share is right wherever it
            stands, since nothing tells its copies apart.
        to_images: of every report the images with its text.
        without_text: how many images were left out for want of a text.
    """

    images: np.ndarray
    folds: np.ndarray
    texts: tuple[str, ...]
    names: tuple[str, ...]
    first: np.ndarray
    to_reports: Positives
    to_images: Positives
    without_text: int


def candidate_rows(samples: Samples, folds: Sequence[Fold], candidates: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to compare, int [N], and the fold of each, int8 [N].

    `pairs`: the test parts of all folds together, since nothing is trained. `5x200`: the images of
    `benchx.datasets.five_by_200`, of all parts, because test parts are too small for them; their fold is 0.

    Raises:
        NotApplicable: the dataset has no such images.
    """
    if candidates == "pairs":
        rows = np.concatenate([fold.test for fold in folds])
        return rows, np.repeat(np.arange(len(folds), dtype=np.int8), [len(fold.test) for fold in folds])
    if lacking := [name for name in FINDINGS if name not in samples.classes]:
        raise NotApplicable(
            f"'{samples.dataset}' has no 5x200 images",
            f"these are chosen by CheXpert's observations, and it has no {lacking[0]}",
            "use candidates: pairs",
        )
    rows, counts = five_by_200(samples)
    if empty := [name for name, count in counts.items() if count == 0]:
        raise NotApplicable(
            f"'{samples.dataset}' has no image of {empty[0]} alone",
            f"5x200 takes up to {PER_FINDING} frontal images for each of {', '.join(FINDINGS)}",
            "use the whole dataset, or candidates: pairs",
        )
    return rows, np.zeros(len(rows), np.int8)


def gather(samples: Samples, rows: np.ndarray, folds: np.ndarray, sections: Sequence[str]) -> Pool:
    """Pair images with their reports.

    A report is that of a study; where the source names no study, the text of a patient (or of an image, where no
    patient is known): images of one patient with the same text share one report.

    Args:
        rows: int [N], row numbers in `samples`.
        folds: int8 [N].
        sections: of a report, joined in this order; blanks and line breaks become single spaces.

    Raises:
        NotApplicable: no image has a text.
    """
    table = samples.table
    texts = [text_of(samples.reports.get(name), sections) for name in table["sample"].to_numpy()[rows]]
    kept = np.flatnonzero([text != "" for text in texts])
    if len(kept) == 0:
        raise NotApplicable(
            f"no test image of '{samples.dataset}' has a text",
            f"none of the {len(rows)} has a report with {' or '.join(sections)}",
            "use other sections, or another dataset",
        )
    images, own = rows[kept], [texts[place] for place in kept]
    names, studies, clusters = (
        table["sample"].to_numpy()[images],
        table["study"].to_numpy()[images],
        samples.clusters[images],
    )
    first: dict[tuple[str, ...], int] = {}
    for place, (study, cluster, text) in enumerate(zip(studies, clusters, own, strict=True)):
        first.setdefault((cluster, text) if pd.isna(study) else (str(study),), place)
    places = np.array(list(first.values()))
    reports = tuple(own[place] for place in places)
    return Pool(
        images,
        folds[kept],
        reports,
        tuple(f"text:{names[place] if pd.isna(studies[place]) else studies[place]}" for place in places),
        places,
        Positives.sharing(own, reports),
        Positives.sharing(reports, own),
        len(rows) - len(kept),
    )

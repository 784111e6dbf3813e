"""The 5x200 subset on made-up labels of CheXpert's form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchx.datasets.five_by_200 import FINDINGS, five_by_200
from benchx.datasets.readers.chexpert_labels import OBSERVATIONS
from benchx.datasets.samples import Samples


def _samples(positive: list[tuple[str, ...]], **columns: list) -> Samples:
    """One image per entry, positive for these names; a name that begins with `?` is uncertain."""
    count = len(positive)
    table = pd.DataFrame(
        {
            "sample": [f"i{row:05d}" for row in range(count)],
            "study": [f"s{row}" for row in range(count)],
            "view": "PA",
            "image": "x.jpg",
            "official": "train",
        }
        | columns
    )
    for name in ("patient", "sex", "age"):
        table[name] = None
    labels = np.zeros((count, len(OBSERVATIONS)), np.float32)
    for row, names in enumerate(positive):
        for name in names:
            labels[row, OBSERVATIONS.index(name.removeprefix("?"))] = np.nan if name.startswith("?") else 1
    return Samples("chexpert", Path("root"), table, labels, OBSERVATIONS, uncertain=np.isnan(labels))


def test_only_images_with_one_finding_and_nothing_uncertain_count():
    samples = _samples(
        [
            ("Edema",),
            ("Edema", "Support Devices"),
            ("Edema", "?Pneumonia"),
            ("Edema", "Atelectasis"),
            ("?Edema",),
            ("Edema", "No Finding"),
            ("Lung Opacity",),
            (),
            ("Atelectasis",),
        ]
    )
    rows, counts = five_by_200(samples)
    assert rows.tolist()[0] == 8
    assert sorted(rows.tolist()[1:]) == [0, 5]
    assert counts == {
        "Atelectasis": 1,
        "Cardiomegaly": 0,
        "Consolidation": 0,
        "Edema": 2,
        "Pleural Effusion": 0,
    }


@pytest.mark.parametrize("policy", ["positive", "negative"])
def test_uncertain_labels_stay_uncertain_whatever_they_count_as(policy):
    samples = _samples([("?Edema",), ("Edema", "?Pneumonia"), ("Edema",)])
    assert five_by_200(samples.count_uncertain_as(policy))[0].tolist() == [2]


def test_one_frontal_image_per_study():
    samples = _samples([("Edema",)] * 4, study=["a", "a", "a", "b"], view=["LATERAL", "AP", "PA", "LATERAL"])
    assert five_by_200(samples)[0].tolist() == [1]


def test_parts_can_be_chosen():
    samples = _samples([("Edema",)] * 3, official=["train", "val", "test"])
    assert five_by_200(samples, ("test",))[0].tolist() == [2]
    assert len(five_by_200(samples)[0]) == 3


def test_two_hundred_of_each_whatever_the_order_of_the_rows():
    samples = _samples([(name,) for name in FINDINGS for _ in range(230)])
    rows, counts = five_by_200(samples)
    assert counts == dict.fromkeys(FINDINGS, 200)
    assert len(set(rows.tolist())) == 1000
    assert [OBSERVATIONS[column] for column in samples.labels[rows[::200]].argmax(1)] == list(FINDINGS)
    shuffled = samples.take(np.random.default_rng(0).permutation(len(samples.table)))
    again, _ = five_by_200(shuffled)
    assert shuffled.table["sample"][again].tolist() == samples.table["sample"][rows].tolist()

"""The whole chain at the size of BenchX's NIH test set: real patients and labels, simulated scores of ten methods."""

from __future__ import annotations

import importlib.util
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchx.datasets.readers.nih import CLASSES
from benchx.reporting.building.families import Scores, corrected, differences, letters
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.bootstrap import macro_auroc_replicates
from benchx.statistics.case_error import holders, of_macro, pool
from benchx.statistics.delong import macro_delong
from benchx.statistics.resampling import draw_clusters
from benchx.statistics.variance import mean_estimate

pytestmark = pytest.mark.slow

SKILLS = [1.4, 1.4, 1.2, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.4]
"""Of ten methods, best first: how far positives lie above negatives, in standard deviations of an image's score."""

EQUAL = {(a, b) for a, b in combinations(range(10), 2) if SKILLS[a] == SKILLS[b]}
REPLICATES = 1000


@pytest.fixture(scope="module")
def test_set(shared: Path) -> tuple[np.ndarray, list[str]]:
    """Labels [22433, 14] and patients of the listed images."""
    found = importlib.util.find_spec("torchxrayvision")
    if found is None or not found.submodule_search_locations:
        pytest.skip("torchxrayvision, which ships the table, is not installed")
    entries = pd.read_csv(Path(found.submodule_search_locations[0]) / "data" / "Data_Entry_2017_v2020.csv.gz")
    listed = (shared / "splits" / "benchx-2024" / "NIH_Chest_Xray" / "test.txt").read_text().split()
    rows = entries.set_index("Image Index").loc[listed]
    labels = rows["Finding Labels"].str.get_dummies("|")[list(CLASSES)].to_numpy(float)
    return labels, rows["Patient ID"].astype(str).tolist()


@pytest.fixture(scope="module")
def scores(test_set) -> np.ndarray:
    """Scores [10, 22433, 14]: what is special of a patient is common to all methods, that of an image half so."""
    labels, patients = test_set
    rng = np.random.default_rng(0)
    _, member = np.unique(patients, return_inverse=True)
    patient = rng.normal(size=(member.max() + 1, labels.shape[1]))[member]
    image = rng.normal(size=labels.shape)
    own = [rng.normal(size=labels.shape) for _ in SKILLS]
    return np.stack([0.7 * patient + image + noise + skill * labels for skill, noise in zip(SKILLS, own, strict=True)])


@pytest.fixture(scope="module")
def methods(test_set, scores) -> list[Scores]:
    """The ten methods as a board has them, one draw each."""
    labels, patients = test_set
    draws = draw_clusters(patients, REPLICATES, 0, labels)
    held, pooled, clusters = holders(labels, draws.member), pool(labels, draws.member), len(set(patients))
    found = []
    for number, one in enumerate(scores):
        value = np.array([roc_auc_score(labels, one, average="macro")])
        by_class = auroc_replicates(one, labels, draws)
        replicates = by_class.mean(axis=1)[None]
        estimate = mean_estimate(value, replicates, of_macro(by_class, held, pooled, clusters))
        found.append(
            Scores(str(number), ("deterministic",), value, replicates, by_class, held, pooled, clusters, estimate)
        )
    return found


def test_the_labels_are_those_of_the_listed_images(test_set):
    labels, patients = test_set
    assert labels.shape == (22_433, 14)
    assert 0.001 < labels.mean(axis=0).min() < 0.005  # hernia
    assert labels.mean(axis=0).max() > 0.15  # infiltration
    assert len(set(patients)) < len(patients) / 2


def test_errors_agree_with_delongs_by_patient(test_set, scores, methods):
    labels, patients = test_set
    for one, other in ((0, 1), (0, 9), (3, 6)):
        gap = macro_delong(scores[one], scores[other], labels, patients)
        boot = (methods[one].replicates - methods[other].replicates).std(ddof=1)
        assert boot == pytest.approx((gap.high - gap.low) / 2 / 1.959964, rel=0.1)  # Monte Carlo error 2.2 %


def test_images_as_if_they_were_patients_give_too_narrow_an_interval(test_set, scores, methods):
    labels, _ = test_set
    draws = draw_clusters([str(case) for case in range(len(labels))], 300, 0, labels)
    assert macro_auroc_replicates(scores[0], labels, draws).std() < 0.9 * methods[0].replicates.std()


def test_ten_methods_fall_into_their_groups(methods):
    (pairs,) = corrected([differences(methods, 0.95)], correction="holm", family="column", level=0.95, margin=None)
    for pair in pairs:
        assert pair.different == ((int(pair.a), int(pair.b)) not in EQUAL)
    assert list(letters([one.method for one in methods], pairs).values()) == [*"aabcccdeff"]

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from benchx.datasets.audit import audit
from benchx.datasets.audit.drift import drift, holm
from benchx.datasets.splits import Fold


def test_a_patient_and_a_study_in_two_parts_are_leaks(radiographs, open_dataset, silent):
    images = dict(zip("abcd", radiographs[:4], strict=True))
    table = {"patient": ["1", "2", "2", "3"], "study": ["1_0", "2_0", "2_0", None]}
    one = open_dataset(images, {"train": ["a", "b"], "val": ["c"], "test": ["d"]}, table=table)
    report = audit([one], silent)
    assert report.leaks
    assert {f.kind: (f.severity, f.detail["ids"]) for f in report.findings} == {
        "patients in two parts": ("leak", ["2"]),
        "studies in two parts": ("leak", ["2_0"]),
    }


def test_unknown_patients_are_no_one(radiographs, open_dataset, silent):
    images = dict(zip("ab", radiographs[:2], strict=True))
    table = {"patient": [None, np.nan]}
    assert not audit([open_dataset(images, {"train": ["a"], "test": ["b"]}, table=table)], silent).leaks


def test_an_image_in_two_parts_is_a_leak(radiographs, open_dataset, silent):
    one = open_dataset(dict(zip("ab", radiographs[:2], strict=True)), {"train": ["a", "b"], "test": ["b"]})
    assert [(f.kind, f.detail["ids"]) for f in audit([one], silent).findings] == [("images in two parts", ["b"])]


@pytest.fixture
def population(open_dataset):
    """Make 400 samples without pixels, 200 to train and 200 to test on."""

    one = open_dataset({})

    def make(labels, sex, age):
        table = one.samples.table.reindex(range(400))
        table["sample"] = [str(n) for n in range(400)]
        table["sex"], table["age"] = sex, age
        samples = replace(one.samples, table=table, labels=np.array(labels, np.float32)[:, None])
        return replace(one, samples=samples, folds=(Fold(np.arange(200), np.zeros(0, int), np.arange(200, 400)),))

    return make


def test_drift_of_label_sex_and_age_is_remarked_with_scipys_p(population):
    labels = np.r_[np.arange(200) % 2, np.arange(200) % 5 == 0]
    sex = ["F"] * 150 + ["M"] * 50 + ["F"] * 50 + ["M"] * 150
    (finding,) = drift(population(labels, sex, np.arange(400.0)))
    assert finding.severity == "remark"
    assert finding.examples == ("label Mass", "sex", "age, train against test")
    label = finding.detail["tests"][0]
    assert label["p"] == pytest.approx(chi2_contingency([[100, 160], [100, 40]]).pvalue)
    assert label["shares"] == {"train": {"0.0": 0.5, "1.0": 0.5}, "test": {"0.0": 0.8, "1.0": 0.2}}


def test_equal_parts_and_unknown_values_are_not_remarked(population):
    rng = np.random.default_rng(0)
    assert drift(population(rng.integers(0, 2, 400), rng.choice(["F", "M"], 400), rng.normal(50, 9, 400))) == []
    assert drift(population(np.full(400, np.nan), None, None)) == []


def test_holm_multiplies_by_the_tests_that_are_left():
    assert holm(np.array([0.02, 0.001, 0.03, 0.9])) == pytest.approx([0.06, 0.004, 0.06, 0.9])
    assert holm(np.zeros(0)).tolist() == []

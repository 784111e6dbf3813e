"""Which images and reports are compared, and which of them belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchx.datasets.five_by_200 import FINDINGS
from benchx.datasets.samples import COLUMNS, Report, Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.phantom.writers import write
from benchx.tasks.retrieval.pool import candidate_rows, gather
from benchx.workspace import get_dataset


def _samples(*rows: tuple[str, str | None, str | None, str | None]) -> Samples:
    """Rows of sample, patient, study and findings."""
    table = pd.DataFrame([dict.fromkeys(COLUMNS) | {"sample": name, "image": name} for name, *_ in rows])
    table["patient"], table["study"] = [row[1] for row in rows], [row[2] for row in rows]
    reports = {name: Report(findings=text) for name, _, _, text in rows if text is not None}
    return Samples("made", Path(), table, np.zeros((len(rows), 0), np.float32), (), reports=reports)


def _gathered(samples: Samples):
    return gather(samples, np.arange(len(samples.table)), np.zeros(len(samples.table), np.int8), ("findings",))


def test_images_of_a_study_share_their_report_and_studies_of_one_text_are_right_for_each_other() -> None:
    pool = _gathered(
        _samples(
            ("a", "1", "s1", "clear"),
            ("b", "1", "s1", "clear"),
            ("c", "2", "s2", "effusion"),
            ("d", "3", "s3", " clear\n"),
            ("e", "4", "s4", None),
            ("f", "4", "s5", "  "),
        )
    )
    assert pool.images.tolist() == [0, 1, 2, 3]
    assert pool.texts == ("clear", "effusion", "clear")
    assert pool.names == ("text:s1", "text:s2", "text:s3")
    assert pool.first.tolist() == [0, 2, 3]
    assert [pool.to_reports.rows[one] for one in (0, 1, 4)] == [0, 2, 1]
    assert pool.to_reports.counts.tolist() == [2, 2, 1, 2]
    assert pool.to_images.counts.tolist() == [3, 1, 3]
    assert pool.without_text == 2


def test_without_studies_a_patients_text_is_one_report_and_anothers_copy_is_another() -> None:
    rows = (("a", "1", None, "same"), ("b", "1", None, "same"), ("c", "1", None, "later"), ("d", "2", None, "same"))
    pool = _gathered(_samples(*rows))
    assert pool.names == ("text:a", "text:c", "text:d")
    assert pool.to_reports.counts.tolist() == [2, 2, 1, 2]
    unknown = _gathered(_samples(*((name, None, None, text) for name, _, _, text in rows)))
    assert unknown.names == ("text:a", "text:b", "text:c", "text:d")


def test_sections_are_joined_as_asked_and_blanks_are_single() -> None:
    samples = _samples(("a", "1", "s", None), ("b", "2", "t", None))
    reports = {"a": Report("Lungs \n clear.", "Normal. "), "b": Report(None, "Effusion.")}
    samples = Samples(samples.dataset, samples.root, samples.table, samples.labels, (), reports=reports)
    rows, folds = np.arange(2), np.zeros(2, np.int8)
    assert gather(samples, rows, folds, ("findings", "impression")).texts == ("Lungs clear. Normal.", "Effusion.")
    assert gather(samples, rows, folds, ("impression", "findings")).texts == ("Normal. Lungs clear.", "Effusion.")
    assert gather(samples, rows, folds, ("findings",)).texts == ("Lungs clear.",)


def test_nobody_with_a_text_is_not_applicable_and_no_text_is_shown() -> None:
    with pytest.raises(NotApplicable, match=r"no test image of 'made' has a text(.|\n)*2 has a report with findings"):
        _gathered(_samples(("a", "1", "s", None), ("b", "2", "t", " \n")))


def test_the_test_parts_of_all_folds_are_one_pool() -> None:
    samples = _samples(*((name, name, name, "x") for name in "abcdef"))
    folds = (
        Fold(np.array([0, 1]), np.array([2]), np.array([3, 4])),
        Fold(np.array([3, 4]), np.array([2]), np.array([1])),
    )
    rows, numbers = candidate_rows(samples, folds, "pairs")
    assert rows.tolist() == [3, 4, 1]
    assert numbers.tolist() == [0, 0, 1]


def test_5x200_needs_the_observations_of_chexpert(tmp_path) -> None:
    with pytest.raises(NotApplicable, match=r"has no 5x200 images(.|\n)*no Atelectasis"):
        candidate_rows(_samples(("a", "1", "s", "x")), (), "5x200")
    write("mimic-cxr", tmp_path, 12, 0, 64, lambda done, total: None)
    samples = get_dataset("mimic-cxr").read(tmp_path)
    with pytest.raises(NotApplicable, match="has no image of .* alone"):
        candidate_rows(samples, (), "5x200")


def test_5x200_takes_images_of_one_finding_from_all_parts() -> None:
    classes = (*FINDINGS, "No Finding", "Fracture")
    rows = [
        (f"{finding}-{number}", f"p{finding}{number}", f"s{finding}{number}", "x")
        for finding in range(5)
        for number in range(4)
    ]
    samples = _samples(*rows, ("both", "q", "q", "x"), ("other", "r", "r", "x"), ("lateral", "t", "t", "x"))
    labels = np.zeros((len(samples.table), 7), np.float32)
    labels[np.arange(20), np.repeat(np.arange(5), 4)] = 1
    labels[20, :2], labels[21, [0, 6]], labels[22, 0] = 1, 1, 1
    table = samples.table.assign(view="PA", official=["train", "val", "test", "train"] * 5 + ["test"] * 3)
    table.loc[22, "view"] = "LATERAL"
    samples = replace(samples, table=table, labels=labels, classes=classes)
    chosen, folds = candidate_rows(samples, (), "5x200")
    assert sorted(chosen.tolist()) == list(range(20))
    assert set(folds.tolist()) == {0}

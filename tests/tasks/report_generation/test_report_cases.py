"""Which studies are cases, in which order their images stand, and what a fraction leaves of them."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_reports import cell, samples, studies

from benchx.datasets.samples import Report
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.tasks.report_generation.cases import read_cases
from benchx.tasks.report_generation.problem import pose

HEART = Report(findings="The heart is large.", impression="Cardiomegaly.")


def test_frontal_images_come_first_and_the_rest_is_left_out():
    views = ["LATERAL", None, "AP", "PA", "LL", "AP AXIAL"]
    rows = [{"sample": f"i{n}", "study": "s", "patient": "p", "view": view} for n, view in enumerate(views)]
    found = samples(rows, {"i0": HEART})
    assert read_cases(found, ["findings"], 1).rows.tolist() == [[3]]
    assert read_cases(found, ["findings"], 2).rows.tolist() == [[3, 2]]
    assert read_cases(found, ["findings"], 7).rows.tolist() == [[3, 2, 1, 5, 0, 4, -1]]


def test_reports_are_their_sections_joined_and_empty_ones_are_counted():
    rows = [{"sample": f"i{n}", "study": f"s{n}", "patient": "p"} for n in range(6)]
    reports = {
        "i0": HEART,
        "i1": Report(impression="Normal."),
        "i2": Report(findings=" ... "),
        "i3": Report(findings=""),
        "i4": Report(),
    }
    found = samples(rows, reports)
    both = read_cases(found, ["findings", "impression"], 1)
    assert both.reports == ("The heart is large. Cardiomegaly.", "Normal.")
    assert both.names.tolist() == ["s0", "s1"]
    assert both.without_report == 4
    assert read_cases(found, ["impression", "findings"], 1).reports[0] == "Cardiomegaly. The heart is large."
    assert read_cases(found, ["findings"], 1).names.tolist() == ["s0"]


def test_without_studies_every_image_is_a_case():
    found = samples([{"sample": "b"}, {"sample": "a"}], {"a": HEART, "b": HEART})
    cases = read_cases(found, ["findings"], 2)
    assert cases.names.tolist() == cases.clusters.tolist() == ["a", "b"]
    assert cases.rows.tolist() == [[1, -1], [0, -1]]


def test_studies_of_the_same_name_are_told_apart_by_patient():
    rows = [{"sample": f"i{n}", "study": "study1", "patient": f"p{n}"} for n in range(2)]
    cases = read_cases(samples(rows, {"i0": HEART, "i1": HEART}), ["findings"], 1)
    assert cases.names.tolist() == ["p0/study1", "p1/study1"]
    assert cases.clusters.tolist() == ["p0", "p1"]


def fold_of(found, **changes):
    patients = found.table["patient"].str[1:].astype(int).to_numpy()
    parts = [np.flatnonzero((patients % 10 >= low) & (patients % 10 < high)) for low, high in ((0, 6), (6, 8), (8, 10))]
    return Fold(**(dict(zip(("train", "val", "test"), parts, strict=True)) | changes))


def test_fractions_take_whole_patients_and_are_nested():
    found = studies(120)
    cases = read_cases(found, ["findings"], 2)
    sizes, before = [], set()
    for fraction in (0.1, 0.5, 1.0):
        (draw,) = pose(cell(fraction=fraction), found, [fold_of(found)], cases)
        patients = set(cases.clusters[draw.train])
        assert all((cases.clusters[draw.train] == patient).sum() == 2 for patient in patients)
        assert before <= patients
        before = patients
        sizes.append((len(draw.train), len(draw.val), len(draw.test)))
    assert sizes == [(8, 2, 24), (36, 12, 24), (72, 24, 24)]
    whole = cell(fraction=0.1, settings={"smallest_fraction": 0.1, "cut_validation": False})
    assert len(pose(whole, found, [fold_of(found)], cases)[0].val) == 24


def test_a_published_subset_is_taken_as_it_is():
    found = studies(40)
    cases = read_cases(found, ["findings"], 2)
    rows = np.flatnonzero(found.table["study"].isin(["s000", "s003"]))
    (draw,) = pose(cell(fraction=0.1), found, [fold_of(found, subsets={0.1: rows})], cases)
    assert cases.names[draw.train].tolist() == ["s000", "s003"]
    assert len(draw.val) == len(cases.among(fold_of(found).val))


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_part_without_reports_is_not_applicable(part):
    found = studies(40)
    cases = read_cases(found, ["findings"], 2)
    with pytest.raises(NotApplicable, match="has a report"):
        pose(cell(), found, [fold_of(found, **{part: np.empty(0, np.int64)})], cases)


def test_no_report_at_all_is_not_applicable():
    found = studies(40)
    with pytest.raises(NotApplicable, match="no test study"):
        pose(cell(), found, [fold_of(found)], read_cases(found, ["impression"], 2))

"""covid-chestxray: labels of both forms of `finding`, images listed twice, and the real files where they are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from benchx.datasets.readers import covid_chestxray
from benchx.errors import DatasetError

HEADER = "patientid,offset,sex,age,finding,view,modality,folder,filename,clinical_notes"
ROWS = (
    "1,0,M,54,Pneumonia/Viral/COVID-19,AP,X-ray,images,a.jpg,a secret",
    "1,,M,54,Pneumonia/Viral/COVID-19,L,X-ray,images,b.PNG,",
    '2,,,,"COVID-19, ARDS",PA,X-ray,images,c.jpeg,',
    "3,7,F,64.5,No Finding,PA,X-ray,images,d.jpg,",
    "4,,F,30,todo,PA,X-ray,images,e.jpg,",
    "4,,F,30,ARDS,AP Supine,X-ray,images,f.jpg,",
    "5,,M,,Tuberculosis,PA,X-ray,images,g.jpg,",
    "6,,M,,Streptococcus,PA,X-ray,images,h.jpg,",
    "7,,M,,,PA,X-ray,images,i.jpg,",
    "7,,M,,Pneumonia/Viral/COVID-19,Axial,CT,volumes,7.nii.gz,",
)
NAN = float("nan")


def _root(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    (tmp_path / "metadata.csv").write_text("\n".join((header, *(rows or ROWS))) + "\n")
    (tmp_path / "images").mkdir()
    for row in rows or ROWS:
        name = row.split(",")[-2]
        if name and "/" not in name:
            (tmp_path / "images" / name).touch()
    return tmp_path


def test_both_forms_of_a_finding_give_the_same_labels(tmp_path):
    samples = covid_chestxray.read(_root(tmp_path))
    by_name = dict(zip(samples.table["sample"], samples.labels.tolist(), strict=True))
    expected = {
        "a.jpg": [1, 1],
        "b.PNG": [1, 1],
        "c.jpeg": [1, 1],
        "d.jpg": [0, 0],
        "e.jpg": [NAN, NAN],
        "f.jpg": [0, NAN],
        "g.jpg": [0, 0],
        "h.jpg": [0, 1],
        "i.jpg": [NAN, NAN],
    }
    np.testing.assert_equal(by_name, expected)
    assert samples.notes == (
        "1 rows are not X-rays (CT) and are not used",
        "1 images have a finding of which it is not said whether it is a pneumonia",
        "1 images have clinical notes: descriptions of cases, which stand for reports",
    )


def test_patients_views_and_ages_are_the_published_ones(tmp_path):
    samples = covid_chestxray.read(_root(tmp_path))
    table = samples.table.set_index("sample")
    assert samples.unit == "patient"
    assert list(table["patient"][:3]) == ["1", "1", "2"]
    assert table["view"]["f.jpg"] == "AP Supine"
    assert table["age"]["d.jpg"] == 64.5
    assert table["study"].isna().all()
    assert pd.isna(table["sex"]["c.jpeg"])
    assert not samples.publishes_split


def test_case_descriptions_stand_for_reports_and_are_not_shown(tmp_path):
    samples = covid_chestxray.read(_root(tmp_path))
    assert {name: vars(report) for name, report in samples.reports.items()} == {
        "a.jpg": {"findings": "a secret", "impression": None}
    }
    assert "secret" not in repr(samples)
    assert {"retrieval", "report_generation"} <= set(covid_chestxray.DATASET.tasks)


def test_a_release_without_clinical_notes_has_no_reports(tmp_path):
    header, rows = HEADER.rpartition(",")[0], [row.rpartition(",")[0] for row in ROWS]
    (tmp_path / "images").mkdir()
    (tmp_path / "metadata.csv").write_text("\n".join([header, *rows]) + "\n")
    samples = covid_chestxray.read(tmp_path)
    assert samples.reports == {}
    assert not any("clinical notes" in note for note in samples.notes)


def test_a_file_under_two_patients_is_one_image_of_one_patient(tmp_path):
    rows = (
        "285,30,F,64,Pneumonia,PA,X-ray,images,a.jpg,",
        "285,40,F,64,Pneumonia,PA,X-ray,images,b.jpg,",
        "339,30,F,64,Pneumonia,PA,X-ray,images,a.jpg,another",
        "339,50,F,64,Pneumonia,PA,X-ray,images,c.jpg,",
    )
    samples = covid_chestxray.read(_root(tmp_path, *rows))
    assert list(samples.table["sample"]) == ["a.jpg", "b.jpg", "c.jpg"]
    assert set(samples.table["patient"]) == {"285"}
    assert samples.notes == (
        "1 rows name a file again and are left out",
        "1 patient ids are taken for others with whom they share a file",
    )


def test_a_mask_is_lung_from_255_and_laterals_have_none(tmp_path):
    root = _root(tmp_path)
    (root / covid_chestxray.MASKS).mkdir(parents=True)
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, :3], mask[1, 1] = 255, 127
    for name in ("a.jpg", "b.PNG"):
        (root / covid_chestxray.MASKS / name).write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    samples = covid_chestxray.read(root)
    assert set(samples.regions) == {"a.jpg"}
    np.testing.assert_array_equal(samples.masks("a.jpg", 4, 6), [mask == 255])
    np.testing.assert_array_equal(samples.masks("a.jpg", 8, 12)[0], np.kron(mask == 255, np.ones((2, 2))))
    assert any("1 lateral images have a mask file" in note for note in samples.notes)


def test_a_missing_and_a_surplus_image_are_told(tmp_path):
    root = _root(tmp_path)
    (root / "images" / "a.jpg").rename(root / "images" / "z.jpg")
    samples = covid_chestxray.read(root)
    assert samples.missing == ("a.jpg",)
    assert "1 images on disk stand on no X-ray row and are not used" in samples.notes


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("3,,F,64,No Finding,PA,X-ray,images,a.jpg,", "gives 1 files more than one finding, first 'a.jpg'"),
        ("3,,F,old,No Finding,PA,X-ray,images,k.jpg,", "line 12: age is 'old'"),
        ("3,,woman,4,No Finding,PA,X-ray,images,k.jpg,", "line 12: sex is 'woman'"),
        (",,F,4,No Finding,PA,X-ray,images,k.jpg,", "line 12: 'patientid' is empty"),
        ("3,,F,4,No Finding,PA,X-ray,images,,", "line 12: 'filename' is empty"),
        ("3,,F,4,No Finding,PA,X-ray,volumes,k.jpg,", "line 12: folder is 'volumes'"),
        ("3,,F,4,No Finding,PA,,images,k.jpg,", "line 12: 'modality' is empty"),
    ],
)
def test_rows_that_are_not_as_published_are_refused(tmp_path, row, says):
    with pytest.raises(DatasetError, match=says):
        covid_chestxray.read(_root(tmp_path, *ROWS, row))


def test_a_wrong_root_and_renamed_columns_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"metadata\.csv is not in"):
        covid_chestxray.read(tmp_path)
    with pytest.raises(DatasetError, match="has no column 'finding'"):
        covid_chestxray.read(_root(tmp_path, header=HEADER.replace("finding", "label")))


def test_the_real_files(shared):
    samples = covid_chestxray.read(shared / "data" / "covid-chestxray")
    assert len(samples.table) == 306
    assert samples.missing == ()
    assert samples.table["patient"].nunique() == 156 - 2  # two patients are listed under two ids
    covid, pneumonia = samples.labels.T
    assert np.nansum(covid) == 201 + 9
    assert np.isnan(pneumonia).sum() == 4
    assert len(samples.regions) == 210 - 12
    assert {"5 rows name a file again and are left out"} <= set(samples.notes)
    assert len(samples.reports) == 214
    assert len({" ".join(report.findings.split()) for report in samples.reports.values()}) == 177  # 179 as written


def test_real_masks_stretch_over_their_images(shared):
    samples = covid_chestxray.read(shared / "data" / "covid-chestxray")
    views = samples.table.set_index("sample")["view"]
    for name in sorted(samples.regions)[::40]:
        height, width = cv2.imread(str(samples.root / "images" / name), cv2.IMREAD_GRAYSCALE).shape
        mask = samples.masks(name, height, width)
        assert mask.shape == (1, height, width)
        assert 0.1 < mask.mean() < 0.6
        assert views[name] != "L"

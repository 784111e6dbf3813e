"""Montgomery and Shenzhen: labels from names, people from free text, lungs from two places."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from benchx.datasets.readers import montgomery, shenzhen
from benchx.errors import DatasetError

MONTGOMERY = {
    "MCUCXR_0001_0": "Patient's Sex: F \nPatient's Age: 027Y\nnormal\n",
    "MCUCXR_0080_0": "Patient's Sex: O \nPatient's Age: 005Y\nnormal\n",
    "MCUCXR_0113_1": "Patient's Sex: M \nPatient's Age: 084Y\nhidden words, 6M ago\n",
    "MCUCXR_0117_1": "Patient's Sex: M \nPatient's Age: 085Y\nstable (same pt as MCUCXR_0113_1)\n",
}
SHENZHEN = {
    "CHNCXR_0001_0": ("male 45yrs\nnormal\n", "M", 45),
    "CHNCXR_0002_0": ("Female, 30yrs\nnormal\n", "F", 30),
    "CHNCXR_0003_0": ("femal 32yrs\nnormal\n", "F", 32),
    "CHNCXR_0004_1": ("female24yrs\nleft PTB\n", "F", 24),
    "CHNCXR_0005_1": ("male , 29yrs  \t\nbilateral secondary PTB\n", "M", 29),
    "CHNCXR_0006_0": ("male 16month\nnormal\n", "M", 16 / 12),
    "CHNCXR_0007_0": ("female 64days\nnormal\n", "F", 64 / 365.25),
    "CHNCXR_0008_0": ("male 42\nmild 3 years\n", "M", None),
    "CHNCXR_0009_1": ("male 45 moderate\n", "M", None),
    "CHNCXR_0010_1": ("female 20 diffuse\n", "F", None),
    "CHNCXR_0011_0": ("Male 31 Yr, normal\n", "M", 31),
    "CHNCXR_0012_0": ("female 3 mths\nnormal\n", "F", 0.25),
}


def _write(folder: Path, readings: dict[str, str]) -> None:
    for name in ("CXR_png", "ClinicalReadings"):
        (folder / name).mkdir(parents=True)
    for name, text in readings.items():
        (folder / "CXR_png" / f"{name}.png").touch()
        (folder / "ClinicalReadings" / f"{name}.txt").write_text(text)


def _write_mask(path: Path, columns: slice) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, columns] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), mask)


@pytest.fixture
def mc(tmp_path: Path) -> Path:
    _write(tmp_path / "MontgomerySet", MONTGOMERY)
    return tmp_path


@pytest.fixture
def sz(tmp_path: Path) -> Path:
    _write(tmp_path / "ChinaSet_AllFiles", {name: text for name, (text, _, _) in SHENZHEN.items()})
    return tmp_path


def test_montgomery_gives_label_sex_and_age(mc):
    samples = montgomery.read(mc)
    assert list(samples.table["sample"]) == list(MONTGOMERY)
    assert samples.table["image"][0] == "MontgomerySet/CXR_png/MCUCXR_0001_0.png"
    assert samples.labels.tolist() == [[0], [0], [1], [1]]
    assert list(samples.table["sex"]) == ["F", "O", "M", "M"]
    assert list(samples.table["age"]) == [27, 5, 84, 85]
    assert samples.notes == ()
    assert not samples.publishes_split


@pytest.mark.parametrize("age", ["45\nmiliary", "45 moderate", "45\n\nY"])
def test_an_age_whose_unit_is_another_word_is_not_read(mc, age):
    path = mc / "MontgomerySet" / "ClinicalReadings" / "MCUCXR_0001_0.txt"
    path.write_text(f"Patient's Sex: F \nPatient's Age: {age}\n")
    samples = montgomery.read(mc)
    assert samples.table["sex"][0] == "F"
    assert pd.isna(samples.table["age"][0])


def test_montgomery_images_that_a_reading_calls_the_same_patient_are(mc):
    samples = montgomery.read(mc)
    assert samples.unit == "patient"
    assert list(samples.table["patient"][1:]) == ["MCUCXR_0080_0", "MCUCXR_0113_1", "MCUCXR_0113_1"]


def test_montgomery_lungs_are_united(mc):
    for side, columns in (("left", slice(0, 3)), ("right", slice(5, 8))):
        _write_mask(mc / "MontgomerySet" / "ManualMask" / f"{side}Mask" / "MCUCXR_0001_0.png", columns)
    samples = montgomery.read(mc)
    assert set(samples.regions) == {"MCUCXR_0001_0"}
    expected = np.zeros((1, 8, 8), np.uint8)
    expected[0, 2:6, [0, 1, 2, 5, 6, 7]] = 1
    np.testing.assert_array_equal(samples.masks("MCUCXR_0001_0", 8, 8), expected)


def test_montgomery_with_one_lung_only_is_refused(mc):
    _write_mask(mc / "MontgomerySet" / "ManualMask" / "leftMask" / "MCUCXR_0001_0.png", slice(0, 3))
    with pytest.raises(DatasetError, match=r"leftMask/MCUCXR_0001_0\.png has no counterpart"):
        montgomery.read(mc)


def test_shenzhen_readings_in_all_their_spellings(sz):
    samples = shenzhen.read(sz)
    assert list(samples.table["sex"]) == [sex for _, sex, _ in SHENZHEN.values()]
    np.testing.assert_allclose(samples.table["age"].astype(float), [age or np.nan for _, _, age in SHENZHEN.values()])
    assert samples.labels.ravel().tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0]
    assert samples.notes == ("3 readings give no age that can be read",)
    assert samples.unit == "image"


@pytest.mark.parametrize("folder", ["mask", "masks", "mask/mask", "ChinaSet_AllFiles/mask"])
def test_shenzhen_masks_are_found_where_people_put_them(sz, folder):
    _write_mask(sz / folder / "CHNCXR_0002_0_mask.png", slice(0, 3))
    samples = shenzhen.read(sz)
    assert set(samples.regions) == {"CHNCXR_0002_0"}
    assert samples.masks("CHNCXR_0002_0", 8, 8).sum() == 12


def test_without_masks_nothing_is_outlined(mc):
    assert montgomery.read(mc).regions == {}


def test_the_set_may_be_the_root_itself(mc, tmp_path):
    inner = montgomery.read(mc / "MontgomerySet")
    outer = montgomery.read(mc)
    pd.testing.assert_frame_equal(inner.table.drop(columns="image"), outer.table.drop(columns="image"))
    assert inner.table["image"][0] == "CXR_png/MCUCXR_0001_0.png"


def test_a_reading_without_its_image_is_a_missing_image(mc):
    (mc / "MontgomerySet" / "CXR_png" / "MCUCXR_0080_0.png").unlink()
    samples = montgomery.read(mc)
    assert samples.missing == ("MCUCXR_0080_0",)
    assert samples.table["image"][1] == "MontgomerySet/CXR_png/MCUCXR_0080_0.png"


def test_an_image_without_its_reading_keeps_its_label(sz):
    (sz / "ChinaSet_AllFiles" / "ClinicalReadings" / "CHNCXR_0004_1.txt").write_bytes(b"\xff\xfe nonsense")
    (sz / "ChinaSet_AllFiles" / "ClinicalReadings" / "CHNCXR_0005_1.txt").unlink()
    samples = shenzhen.read(sz)
    assert samples.labels.ravel().tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0]
    assert samples.table["sex"][3:5].isna().all()
    assert samples.notes == (
        "1 images have no reading, so sex and age are not known",
        "1 readings give no sex that can be read",
        "4 readings give no age that can be read",
    )


def test_the_text_of_a_reading_is_not_kept(mc):
    samples = montgomery.read(mc)
    assert samples.reports == {}
    assert "hidden" not in repr(samples) + " ".join(samples.notes)


@pytest.mark.parametrize("name", ["MCUCXR_0009_2.png", "CHNCXR_0001_0.png", "MCUCXR_0009.png"])
def test_a_name_that_gives_no_label_is_refused(mc, name):
    (mc / "MontgomerySet" / "CXR_png" / name).touch()
    with pytest.raises(DatasetError, match=f"CXR_png/{name}: the name is not one of this dataset"):
        montgomery.read(mc)


def test_a_wrong_root_and_a_link_out_of_it_are_refused(sz, tmp_path):
    with pytest.raises(DatasetError, match="no folder CXR_png or MontgomerySet/CXR_png in"):
        montgomery.read(sz)
    outside = tmp_path / "outside.png"
    outside.touch()
    (sz / "ChinaSet_AllFiles" / "CXR_png" / "CHNCXR_0099_1.png").symlink_to(outside)
    with pytest.raises(DatasetError, match="is a link to"):
        shenzhen.read(sz / "ChinaSet_AllFiles")

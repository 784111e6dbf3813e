"""MIMIC-CXR-JPG's official tables and reports, hand-made."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from benchx.datasets.readers import mimic_cxr
from benchx.datasets.samples import Report
from benchx.errors import DatasetError

SPLIT = "dicom_id,study_id,subject_id,split\n"
METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning\n"
)
CHEXPERT = (
    "subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
    "Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices\n"
)
TABLES = {
    "split": SPLIT
    + "02aa-e4,50414267,10000032,train\n0174-e5,50414267,10000032,train\nfffa-e6,5,11000001,validate\n"
    + "fffb-e6,6,19000001,test\n",
    "metadata": METADATA
    + "".join(
        f"{name},{patient},{study},CHEST,{view},10,10,2180,1.5,CHEST,,Erect\n"
        for name, patient, study, view in (
            ("02aa-e4", 10000032, 50414267, "PA"),
            ("0174-e5", 10000032, 50414267, "LATERAL"),
            ("fffa-e6", 11000001, 5, ""),
            ("fffb-e6", 19000001, 6, "AP"),
        )
    ),
    "chexpert": CHEXPERT + "11000001,5,,,,,,,,,1.0,,,,,\n10000032,50414267,-1.0,1.0,,,,,,,,0.0,,,,\n",
}
STUDY = "p10/p10000032/s50414267"


def _root(root: Path, packed: bool = True, **changed: str) -> Path:
    (root / "files").mkdir(parents=True, exist_ok=True)
    for name, text in (TABLES | changed).items():
        if packed:
            (root / f"mimic-cxr-2.0.0-{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (root / f"mimic-cxr-2.0.0-{name}.csv").write_text(text)
    return root


def _write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("packed", [True, False])
def test_tables_become_samples(tmp_path, packed):
    root = _root(tmp_path, packed)
    _write(root / "files" / STUDY / "02aa-e4.jpg")
    samples = mimic_cxr.read(root)
    table = samples.table
    assert table["sample"].tolist() == ["02aa-e4", "0174-e5", "fffa-e6", "fffb-e6"]
    assert table["patient"].tolist() == ["10000032", "10000032", "11000001", "19000001"]
    assert table["official"].tolist() == ["train", "train", "val", "test"]
    assert table["view"].fillna("").tolist() == ["PA", "LATERAL", "", "AP"]
    assert table["image"].tolist()[::3] == [f"files/{STUDY}/02aa-e4.jpg", "files/p19/p19000001/s6/fffb-e6.jpg"]
    assert samples.missing == ("0174-e5", "fffa-e6", "fffb-e6")
    assert samples.unit == "patient"


def test_labels_are_those_of_the_study(tmp_path):
    samples = mimic_cxr.read(_root(tmp_path))
    by_name = dict(zip(samples.classes, samples.labels.T, strict=True))
    np.testing.assert_array_equal(by_name["Cardiomegaly"], [1, 1, 0, np.nan])
    np.testing.assert_array_equal(by_name["Atelectasis"], [np.nan, np.nan, 0, np.nan])
    np.testing.assert_array_equal(by_name["No Finding"], [0, 0, 1, np.nan])
    assert samples.uncertain.sum(1).tolist() == [1, 1, 0, 0]
    assert samples.notes[0] == "1 studies have no row in mimic-cxr-2.0.0-chexpert.csv.gz; their labels are unknown"


@pytest.mark.parametrize("folder", ["files", "mimic-cxr-reports/files", "mimic-cxr-reports"])
def test_reports_are_read_when_asked_for(tmp_path, folder):
    root = _root(tmp_path)
    _write(root / folder / f"{STUDY}.txt", "FINAL REPORT\n FINDINGS: clear\n\n IMPRESSION: normal")
    _write(root / folder / "p11/p11000001/s5.txt")
    samples = mimic_cxr.read(root)
    assert set(samples.reports) == {"02aa-e4", "0174-e5", "fffa-e6"}
    assert samples.reports["02aa-e4"] == samples.reports["0174-e5"] == Report("clear", "normal")
    assert "1 studies have no report file" in samples.notes
    with pytest.raises(DatasetError, match=r"s5\.txt is empty"):
        samples.reports["fffa-e6"]


def test_a_report_is_read_from_the_first_place_that_has_it(tmp_path):
    root = _root(tmp_path)
    (root / "mimic-cxr-reports" / "files").mkdir(parents=True)
    _write(root / "files" / f"{STUDY}.txt", "FINDINGS: first")
    assert mimic_cxr.read(root).reports["02aa-e4"] == Report("first")
    _write(root / "mimic-cxr-reports" / "files" / f"{STUDY}.txt", "FINDINGS: second")
    _write(root / "mimic-cxr-reports" / "files" / "p11/p11000001/s5.txt", "FINDINGS: second")
    _write(root / "mimic-cxr-reports" / "p11/p11000001/s5.txt", "FINDINGS: third")
    _write(root / "mimic-cxr-reports" / "p19/p19000001/s6.txt", "FINDINGS: third")
    reports = mimic_cxr.read(root).reports
    assert [reports[name].findings for name in ("02aa-e4", "fffa-e6", "fffb-e6")] == ["first", "second", "third"]


def test_tables_without_the_ids_of_others_are_read(tmp_path):
    chexpert = "".join(line.split(",", 1)[1] + "\n" for line in TABLES["chexpert"].splitlines())
    metadata = TABLES["metadata"].replace("study_id", "study")
    assert len(mimic_cxr.read(_root(tmp_path, chexpert=chexpert, metadata=metadata)).table) == 4


def test_absent_reports_are_a_note(tmp_path):
    samples = mimic_cxr.read(_root(tmp_path))
    assert len(samples.reports) == 0
    assert "unpack mimic-cxr-reports.zip in the root" in samples.notes[1]


def test_images_that_no_table_lists_are_counted(tmp_path):
    root = _root(tmp_path)
    _write(root / "files/p10/p10000099/s1/abc.jpg")
    assert (
        "1 images are on disk but not in mimic-cxr-2.0.0-split.csv.gz; they are not used" in mimic_cxr.read(root).notes
    )


@pytest.mark.parametrize(
    ("table", "old", "new", "says"),
    [
        ("split", "fffa-e6", "02aa-e4", r"split\.csv\.gz lists 1 ids more than once.*lines 2, 4"),
        ("split", "validate", "valid", "line 4: split is 'valid'.*must be one of: train, validate, test"),
        ("split", ",5,", ",,", "line 4: 'study_id' is empty"),
        ("split", ",5,", ",../5,", r"line 4: study_id is '\.\./5'"),
        ("split", "fffa-e6", "fffa/e6", "line 4: dicom_id is 'fffa/e6'"),
        ("split", "subject_id", "patient", r"has no column 'subject_id'.*found: dicom_id, study_id, patient, split"),
        ("metadata", "fffb-e6", "fffc-e6", r"split\.csv\.gz, line 5: 'fffb-e6' is not in mimic-cxr-2\.0\.0-metadata"),
        ("metadata", "fffb-e6", "fffa-e6", r"metadata\.csv\.gz lists 1 ids more than once"),
        ("chexpert", ",5,", ",50414267,", r"chexpert\.csv\.gz lists 1 .* more than once, first '50414267'"),
        (
            "metadata",
            "fffb-e6,19000001,6",
            "fffb-e6,19000001,7",
            r"metadata\.csv\.gz, line 5: study_id is '7'.*split\.csv\.gz, line 5 says '6'; 1 rows",
        ),
        (
            "chexpert",
            "11000001,5",
            "11000002,5",
            r"chexpert\.csv\.gz, line 2: subject_id is '11000002'.*split\.csv\.gz, line 4 says '11000001'",
        ),
        ("chexpert", "10000032,", "10000032.0,", r"line 3: subject_id is '10000032\.0'.*line 2 says.*; 2 rows"),
        (
            "chexpert",
            ",50414267,",
            ",50414267.0,",
            r"chexpert\.csv\.gz has no row for 2 of the 3 studies.*line 2 has '5'",
        ),
        ("chexpert", "-1.0", "0.5", r"chexpert\.csv\.gz, line 3: Atelectasis is '0\.5'"),
        ("chexpert", "Pneumonia", "pneumonia", r"chexpert\.csv\.gz has no column 'Pneumonia'"),
    ],
)
def test_a_malformed_table_is_named(tmp_path, table, old, new, says):
    with pytest.raises(DatasetError, match=f"(?s){says}") as caught:
        mimic_cxr.read(_root(tmp_path, **{table: TABLES[table].replace(old, new)}))
    assert caught.value.todo


def test_a_wrong_root_a_missing_folder_and_a_link_out_are_explained(tmp_path):
    with pytest.raises(DatasetError, match=r"mimic-cxr-2\.0\.0-split\.csv\.gz is not in"):
        mimic_cxr.read(tmp_path)
    root = _root(tmp_path / "root")
    (root / "files" / "p10").symlink_to(tmp_path)
    with pytest.raises(DatasetError, match="is a link to"):
        mimic_cxr.read(root)
    (root / "files" / "p10").unlink()
    (root / "files").rmdir()
    with pytest.raises(DatasetError, match="no folder files or mimic-cxr-reports in"):
        mimic_cxr.read(root)

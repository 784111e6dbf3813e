"""The CheXpert phantom: its files by plain csv and Pillow, and through the reader against what was drawn."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchx.datasets.readers import chexpert as reader
from benchx.datasets.readers.chexpert_labels import OBSERVATIONS
from benchx.phantom.findings import NIH_FINDINGS, Finding
from benchx.phantom.patients import ImageSpec, make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import chexpert, studies
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 14, 1, 64


def _write(root: Path, patients: int = PATIENTS) -> Path:
    write_layouts(chexpert.LAYOUTS, {"chexpert": root}, patients, SEED, SIZE, lambda done, total: None)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("chexpert"))


def _rows(root: Path, part: str) -> list[dict[str, str]]:
    with (root / f"{part}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _image(finding: str, severity: float, objects: tuple[str, ...] = ()) -> ImageSpec:
    findings = (Finding(finding, severity, "left", 0.5, 0),) if finding else ()
    return ImageSpec("PA", 0, 0, 0, 400, (0, 0), 1, 1, 0, findings, objects)


def test_the_header_is_the_published_one():
    found = importlib.util.find_spec("torchxrayvision")
    if found is None or found.origin is None:
        pytest.skip("torchxrayvision, which carries the published table, is not installed")
    published = pd.read_csv(Path(found.origin).parent / "data" / "chexpert_train.csv.gz", nrows=1)
    assert ",".join(published.columns) == chexpert.HEADER


def test_tables_and_images_are_of_the_published_form(root):
    train, valid = _rows(root, "train"), _rows(root, "valid")
    assert {row["AP/PA"] for row in train + valid if row["Frontal/Lateral"] == "Frontal"} == {"PA", "AP"}
    assert {row["AP/PA"] for row in train + valid if row["Frontal/Lateral"] == "Lateral"} == {""}
    assert {row[name] for row in train for name in OBSERVATIONS} == {"1.0", "0.0", "-1.0", ""}
    assert {row[name] for row in valid for name in OBSERVATIONS} == {"1.0", "0.0"}
    on_disk = {f"CheXpert-v1.0-small/{path.relative_to(root).as_posix()}" for path in root.rglob("*.jpg")}
    assert on_disk == {row["Path"] for row in train + valid}
    with Image.open(root / "train/patient00001/study1/view1_frontal.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "L", (SIZE, SIZE))
        drawn = render(make_patient(SEED, 1), 0, SIZE).pixels >> 4
        assert np.abs(np.asarray(image).astype(int) - drawn).mean() < 3


def test_the_reader_gives_what_was_drawn(root):
    samples = reader.read(root)
    assert samples.phantom
    assert (samples.missing, samples.notes) == ((), ())
    rows = iter(zip(samples.sorted().table.itertuples(), samples.sorted().labels, strict=True))
    for index in range(1, PATIENTS + 1):
        patient = make_patient(SEED, index)
        test = index % 9 in (4, 8)
        for study in studies.studies(patient):
            for number in study:
                row, labels = next(rows)
                spec = patient.images[number]
                assert (row.patient, row.view, row.sex, row.age) == (
                    f"patient{index:05d}",
                    spec.view,
                    patient.sex,
                    patient.age,
                )
                assert row.official == ("test" if test else "train")
                faint = {f.name for f in spec.findings if f.severity < studies.UNCERTAIN_BELOW}
                for finding, name in studies.OBSERVED_AS.items():
                    same = {f.name for f in spec.findings if studies.OBSERVED_AS.get(f.name) == name}
                    label = labels[OBSERVATIONS.index(name)]
                    if same and same <= faint and not test:
                        assert np.isnan(label)
                    else:
                        assert label == bool(same), finding
                assert labels[OBSERVATIONS.index("No Finding")] == (not spec.findings)
    assert next(rows, None) is None
    assert samples.uncertain.any()


@pytest.mark.parametrize(
    ("image", "certain", "said"),
    [
        (_image("Mass", 0.5), False, {"Lung Lesion": 1.0}),
        (_image("Mass", 0.1), False, {"Lung Lesion": -1.0}),
        (_image("Mass", 0.1), True, {"Lung Lesion": 1.0}),
        (_image("Hernia", 0.5), False, {}),
        (_image("Hernia", 0.5, ("coin",)), False, {}),
        (_image("Hernia", 0.5, ("pacemaker",)), False, {"Support Devices": 1.0}),
        (
            _image("", 0),
            False,
            {"No Finding": 1.0, "Consolidation": 0.0, "Pneumothorax": 0.0, "Pleural Effusion": 0.0},
        ),
    ],
)
def test_what_is_said_of_a_study(image, certain, said):
    assert studies.observations([image], certain=certain) == said


def test_one_sure_finding_outweighs_a_faint_one_of_the_same_observation():
    both = (Finding("Mass", 0.1, "left", 0.5, 0), Finding("Nodule", 0.9, "left", 0.5, 0))
    for findings in (both, both[::-1]):
        image = ImageSpec("PA", 0, 0, 0, 400, (0, 0), 1, 1, 0, findings, ())
        assert studies.observations([image], certain=False) == {"Lung Lesion": 1.0}


def test_the_names_are_those_of_the_reader_and_the_simulator():
    assert studies.OBSERVATIONS == OBSERVATIONS
    assert set(studies.OBSERVED_AS.values()) < set(OBSERVATIONS)
    assert set(NIH_FINDINGS) - set(studies.OBSERVED_AS) == {"Emphysema", "Fibrosis", "Hernia"}


def test_fewer_patients_are_the_first_of_more(root, tmp_path):
    few = _write(tmp_path / "few", 4)
    for path in few.rglob("*.jpg"):
        assert path.read_bytes() == (root / path.relative_to(few)).read_bytes()
    lines = (few / "train.csv").read_text().splitlines()
    assert (root / "train.csv").read_text().splitlines()[: len(lines)] == lines

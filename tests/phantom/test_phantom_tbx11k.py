"""Phantom TBX11K folders in both forms: the files, parsed plainly and by the reader, agree with what was rendered."""

from __future__ import annotations

import ast
import csv
import json

import numpy as np
import pytest
from PIL import Image

from benchx.datasets.readers import tbx11k as reader
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import tbx11k
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 12, 6, 64
TB = {"Consolidation", "Fibrosis"}


def _write(roots, patients=PATIENTS):
    write_layouts(tbx11k.LAYOUTS, roots, patients, SEED, SIZE, lambda done, total: None)


def _contents(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    base = tmp_path_factory.mktemp("tbx11k")
    roots = {name: base / name for name in tbx11k.LAYOUTS}
    _write(roots)
    return roots


@pytest.fixture(scope="module")
def truth():
    """The image of every patient by its sample id, as (radiograph, boxes, part)."""
    known = {}
    for patient in (make_patient(SEED, index) for index in range(1, PATIENTS + 1)):
        ill = [n for n in patient.frontal if TB & {f.name for f in patient.images[n].findings}]
        radiograph = render(patient, (ill or patient.frontal[-1:])[0], SIZE)
        boxes = [(name, *box) for name, *box in radiograph.boxes if name in TB]
        prefix = "tb" if boxes else "s" if radiograph.labels else "h"
        part = "test" if patient.index % 9 in (4, 8) else "train"
        known[f"{prefix}{patient.index:04d}"] = (radiograph, boxes, part)
    assert {name.rstrip("0123456789") for name in known} == {"h", "s", "tb"}
    return known


@pytest.mark.parametrize("form", sorted(tbx11k.LAYOUTS))
def test_the_reader_gives_back_labels_split_and_boxes(roots, truth, form):
    samples = reader.read(roots[form])
    assert sorted(samples.table["sample"]) == sorted(truth)
    assert (samples.missing, samples.notes, samples.phantom) == ((), (), True)
    for row, name in enumerate(samples.table["sample"]):
        radiograph, boxes, part = truth[name]
        assert samples.labels[row, 0] == name.startswith("tb")
        assert samples.table["official"][row] == part
        assert [(b.x, b.y, b.width, b.height) for b in samples.regions[name]] == [tuple(box[1:]) for box in boxes]
        mask = np.zeros((SIZE, SIZE), np.uint8)
        for _, x, y, width, height in boxes:
            mask[y : y + height, x : x + width] = 1
        drawn = samples.masks(name, SIZE, SIZE)[0]
        np.testing.assert_array_equal(drawn, mask)
        finding = np.logical_or.reduce([radiograph.masks[box[0]] for box in boxes] or [np.zeros_like(mask)])
        assert (finding & (drawn == 1)).sum() > 0.8 * finding.sum() or not boxes


def test_both_forms_are_read_alike(roots):
    forms = {name: reader.read(root).sorted() for name, root in roots.items()}
    simple, full = forms["tbx11k"], forms["tbx11k-full"]
    columns = ["sample", "official"]
    assert simple.table[columns].equals(full.table[columns])
    np.testing.assert_array_equal(simple.labels, full.labels)
    for name in simple.table["sample"]:
        np.testing.assert_array_equal(simple.masks(name, SIZE, SIZE), full.masks(name, SIZE, SIZE))


def test_the_simplified_table_is_the_original_s(roots, truth):
    with (roots["tbx11k"] / "data.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    header = "fname,image_height,image_width,source,bbox,target,tb_type,image_type"
    assert ",".join(rows[0]) == header
    assert {row["fname"] for row in rows} == {path.name for path in (roots["tbx11k"] / "images").iterdir()}
    seen = []
    for row in rows:
        _, boxes, part = truth[row["fname"].removesuffix(".png")]
        assert (row["image_height"], row["image_width"]) == (str(SIZE), str(SIZE))
        assert row["source"] == {"train": "train", "test": "val"}[part]
        if not boxes:
            kind = {"h": "healthy", "s": "sick_but_no_tb"}[row["fname"][0]]
            assert (row["bbox"], row["target"], row["tb_type"], row["image_type"]) == ("none", "no_tb", "none", kind)
            continue
        box = ast.literal_eval(row["bbox"])
        assert list(box) == ["xmin", "ymin", "width", "height"]
        finding = {"active_tb": "Consolidation", "latent_tb": "Fibrosis"}[row["tb_type"]]
        seen.append((finding, *box.values()))
        assert (row["target"], row["image_type"]) == ("tb", "tb")
    assert sorted(seen) == sorted(box for _, boxes, _ in truth.values() for box in boxes)


def test_the_full_form_has_the_fields_of_the_real_sample(roots, shared):
    real = json.loads((shared / "data" / "tbx11k-sample" / "annotations" / "json" / "TBX11K_train.json").read_text())
    ours = json.loads((roots["tbx11k-full"] / "annotations" / "json" / "TBX11K_trainval.json").read_text())
    assert list(ours) == list(real)
    assert ours["categories"] == real["categories"]
    for table in ("images", "annotations"):
        assert list(ours[table][0]) == list(real[table][0])


def test_the_full_form_s_lists_boxes_and_folders_agree(roots, truth):
    root = roots["tbx11k-full"]
    images = {str(path.relative_to(root / "imgs")) for path in root.glob("imgs/*/*.png")}
    lists = {name: (root / "lists" / f"TBX11K_{name}.txt").read_text().split() for name in ("train", "val", "trainval")}
    assert sorted(lists["train"] + lists["val"]) == sorted(lists["trainval"]) == sorted(images)
    for name, listed in lists.items():
        content = json.loads((root / "annotations" / "json" / f"TBX11K_{name}.json").read_text())
        files = {image["id"]: image["file_name"] for image in content["images"]}
        assert list(files.values()) == listed
        found = {file: [] for file in listed}
        for annotation in content["annotations"]:
            category = {1: "Consolidation", 2: "Fibrosis"}[annotation["category_id"]]
            found[files[annotation["image_id"]]].append((category, *annotation["bbox"]))
        for file, boxes in found.items():
            folder, stem = file.removesuffix(".png").split("/")
            assert folder == {"h": "health", "s": "sick", "t": "tb"}[stem[0]]
            assert boxes == truth[stem][1]


@pytest.mark.parametrize("form", sorted(tbx11k.LAYOUTS))
def test_the_images_are_grey_in_three_channels(roots, truth, form):
    for path in roots[form].rglob("*.png"):
        with Image.open(path) as image:
            assert image.mode == "RGB"
            for channel in range(3):
                np.testing.assert_array_equal(np.asarray(image)[..., channel], truth[path.stem][0].pixels >> 4)


def test_a_second_run_and_fewer_patients_write_the_same_bytes(roots, tmp_path):
    few = {name: tmp_path / name for name in roots}
    _write(few, 4)
    before = {name: _contents(root) for name, root in few.items()}
    for name, contents in before.items():
        images = {path: data for path, data in contents.items() if path.endswith(".png")}
        assert len(images) == 4
        assert all((roots[name] / path).read_bytes() == data for path, data in images.items())
    _write(few, 4)
    assert {name: _contents(root) for name, root in few.items()} == before

"""A whole phantom data root: every dataset of benchx is there, reads, and checks sound."""

from __future__ import annotations

import pytest

from benchx.availability import states
from benchx.datasets import DATASETS
from benchx.datasets.check import check
from benchx.phantom import writers
from benchx.phantom.writers import LAYOUTS


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("all")
    steps = []
    writers.write_all(out, 24, 0, 64, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (24, 24)
    return out


def test_every_dataset_has_a_layout_and_every_layout_a_reader():
    assert {layout.dataset for layout in LAYOUTS.values()} == set(DATASETS)
    assert set(DATASETS) <= set(LAYOUTS)


def test_a_data_root_holds_every_dataset(root):
    found = states(None, root, {})
    assert {one.dataset: one.state for one in found} == dict.fromkeys(DATASETS, "verified")
    assert all(one.phantom for one in found)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_dataset_checks_sound_and_keeps_its_word(name, root):
    samples = DATASETS[name].read(root / name)
    report = check(samples, lambda done, total: None)
    assert report.sound, report
    assert samples.dataset == name
    assert samples.classes == DATASETS[name].classes
    assert samples.mask_classes == DATASETS[name].mask_classes
    assert report.counts["train"]["images"] > report.counts["test"]["images"] > 0
    if "segmentation" in DATASETS[name].tasks:
        assert report.outlines["with something"] > 0
    if "report_generation" in DATASETS[name].tasks:
        assert report.reports["findings"] > 0
    for image in samples.table["image"]:
        assert (samples.root / image).is_file()


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - set(DATASETS)))
def test_every_further_form_checks_sound(layout, tmp_path):
    writers.write(layout, tmp_path, 24, 0, 64, lambda done, total: None)
    samples = DATASETS[LAYOUTS[layout].dataset].read(tmp_path)
    assert check(samples, lambda done, total: None).sound
    assert samples.phantom

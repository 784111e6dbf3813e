"""COVIDx CXR-4: whole names and every line by default, BenchX's two faults on request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchx.datasets.readers import covidx
from benchx.errors import DatasetError

LISTS = {
    "train": (
        "3 SARS-10.1148rg.2421-day0.jpeg positive cohen\n"
        "419639-000082 MIDRC-RICORD-1C-440808-000012-8.458-0.png positive ricord\n"
        "419639-000082 MIDRC-RICORD-1C-440808-000012-8.281-0.png negative ricord\n"
        "3 one image.png negative bimcv\n"
    ),
    "val": "47c7 47c7.png negative rsna\nA20 DX.1.2.png positive stonybrook\nA21 DX.1.3.png negative stonybrook\n",
    "test": "S1 47c7.png negative rsna\nS2 S2.png positive ricord\n",
}


def _root(tmp_path: Path, without: str = "", **lists: str) -> Path:
    for part, text in (LISTS | lists).items():
        (tmp_path / f"{part}.txt").write_bytes(text.encode())
        (tmp_path / part).mkdir(exist_ok=True)
        for line in LISTS[part].splitlines():
            name = line.split(" ", 1)[1].rsplit(" ", 2)[0]
            if name != without:
                (tmp_path / part / name).touch()
    return tmp_path


def test_every_line_is_an_image_under_its_whole_name(tmp_path):
    samples = covidx.read(_root(tmp_path))
    table = samples.table.set_index("sample")
    assert list(table.index[:4]) == [
        "train/SARS-10.1148rg.2421-day0.jpeg",
        "train/MIDRC-RICORD-1C-440808-000012-8.458-0.png",
        "train/MIDRC-RICORD-1C-440808-000012-8.281-0.png",
        "train/one image.png",
    ]
    assert (table["image"] == table.index).all()
    assert table["official"].value_counts().to_dict() == {"train": 4, "val": 3, "test": 2}
    assert samples.labels.ravel().tolist() == [1, 1, 0, 0, 0, 1, 0, 0, 1]
    assert samples.missing == ()
    assert samples.notes == ("2 images of source rsna have no known patient; each counts as one of its own",)
    assert samples.publishes_split


def test_a_patient_number_belongs_to_its_source(tmp_path):
    samples = covidx.read(_root(tmp_path))
    assert samples.unit == "patient"
    assert samples.table["patient"][0] == "cohen/3"
    assert samples.table["patient"][3] == "bimcv/3"


def test_one_name_in_two_parts_is_two_images(tmp_path):
    names = set(covidx.read(_root(tmp_path)).table["sample"])
    assert {"val/47c7.png", "test/47c7.png"} <= names


def test_byte_order_mark_and_crlf_are_read(tmp_path):
    samples = covidx.read(_root(tmp_path, val="\ufeff" + LISTS["val"].replace("\n", "\r\n")))
    assert list(samples.table["patient"][4:7]) == ["rsna/47c7", "stonybrook/A20", "stonybrook/A21"]


def test_a_missing_and_a_surplus_image_are_told(tmp_path):
    root = _root(tmp_path, without="S2.png")
    (root / "test" / "S9.png").touch()
    samples = covidx.read(root)
    assert samples.missing == ("test/S2.png",)
    assert samples.table["image"].iloc[-1] == "test/S2.png"
    assert samples.notes[0] == "1 images on disk stand in no list and are not used"


def test_as_benchx_first_lines_go_and_the_last_of_the_colliding_names_holds(tmp_path):
    samples = covidx.read_benchx_2024(_root(tmp_path))
    assert list(samples.table["sample"]) == [
        "train/MIDRC-RICORD-1C-440808-000012-8.png",
        "train/one image.png",
        "val/DX.png",
        "test/S2.png",
    ]
    assert list(samples.table["image"]) == [
        "train/MIDRC-RICORD-1C-440808-000012-8.281-0.png",
        "train/one image.png",
        "val/DX.1.3.png",
        "test/S2.png",
    ]
    assert samples.labels.ravel().tolist() == [0, 0, 0, 1]
    assert "4 lines share 2 cut file names" in samples.notes[0]


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ("3 a.png positive\n", r"train\.txt, entry 1: not four fields"),
        ("3 a.png positive cohen\n\n4 b.png 1 cohen\n", r"train\.txt, entry 2: the class is '1'"),
        ("3 a.png positive cohen surplus\n", "entry 1: the class is 'cohen'"),
        ("3 a.png positive x\n4 b.png positive x\n5 a.png negative x\n", r"first 'a\.png'"),
        ("", r"train\.txt holds no lines"),
    ],
)
def test_lists_that_are_not_as_published_are_refused(tmp_path, train, says):
    with pytest.raises(DatasetError, match=says):
        covidx.read(_root(tmp_path, train=train))


def test_the_entries_of_a_file_that_is_listed_twice_are_named(tmp_path):
    with pytest.raises(DatasetError) as raised:
        covidx.read(_root(tmp_path, val="1 a.png positive x\n2 b.png positive x\n3 a.png negative x\n"))
    assert "entry 1, 3" in raised.value.why


def test_a_missing_list_or_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"train\.txt is not in"):
        covidx.read(tmp_path)
    root = _root(tmp_path)
    (root / "val").rename(root / "validation")
    with pytest.raises(DatasetError, match="no folder val in"):
        covidx.read(root)


def test_a_link_out_of_the_root_is_refused(tmp_path):
    (tmp_path / "root").mkdir()
    root = _root(tmp_path / "root")
    (tmp_path / "outside.png").touch()
    (root / "val" / "link.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(DatasetError, match=r"link\.png is a link to"):
        covidx.read(root)


def test_the_lists_of_benchx_have_the_form_of_its_ids(shared):
    folder = shared / "splits" / "benchx-2024" / "COVIDx"
    lines = {part: (folder / f"{part}.txt").read_text().split() for part in covidx.PARTS}
    assert sum(map(len, lines.values())) == 84_818 - len(covidx.PARTS)
    for part, names in lines.items():
        assert all(re.fullmatch(rf"{part}/[^/.]+\.png", name) for name in names)
    repeated = {part: len(names) - len(set(names)) for part, names in lines.items()}
    assert repeated == {"train": 413 - 96, "val": 39 - 5, "test": 0}

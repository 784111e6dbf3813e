"""Files under a root are found by name; links and names that do not fit are refused or passed over."""

from __future__ import annotations

import os

import pytest

from benchx.datasets.files import read_csv, read_json, read_list
from benchx.datasets.folders import by_stem, find_images, find_paths, first_of
from benchx.errors import DatasetError


def test_images_are_found_by_name_whatever_the_case_of_the_suffix(tmp_path):
    for path in ("images_001/images/a.png", "images_002/images/b.PNG", "images_002/images/c.txt", "other/deep/d.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    found = find_images(tmp_path, ("images", "images_*/images"), (".png",))
    assert found == {"a.png": "images_001/images/a.png", "b.PNG": "images_002/images/b.PNG"}
    assert set(find_images(tmp_path, ("other*",), (".png",), deep=True)) == {"d.png"}


def test_one_name_in_two_folders_or_with_two_suffixes_is_refused(tmp_path):
    for folder, name in (("a", "x.png"), ("b", "x.png"), ("c", "y.png"), ("c", "y.jpg")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).touch()
    with pytest.raises(DatasetError, match="x.png stands in two folders .*: a/x.png and b/x.png"):
        find_images(tmp_path, ("a", "b"), (".png",))
    with pytest.raises(DatasetError, match="'y' is there with two suffixes: c/y.jpg and c/y.png"):
        by_stem(find_images(tmp_path, ("c",), (".png", ".jpg")))


def test_links_out_of_the_root_are_refused_and_links_inside_are_followed(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "images").mkdir(parents=True)
    outside.mkdir()
    (outside / "a.png").touch()
    (root / "images" / "own.png").touch()
    (root / "images" / "again.png").symlink_to(root / "images" / "own.png")
    assert set(find_images(root, ("images",), (".png",))) == {"own.png", "again.png"}
    (root / "images" / "a.png").symlink_to(outside / "a.png")
    with pytest.raises(DatasetError, match=r"a.png is a link to .*outside/a.png, outside .*root"):
        find_images(root, ("images",), (".png",))
    (root / "more").symlink_to(outside)
    with pytest.raises(DatasetError, match="more is a link to"):
        find_images(root, ("more",), (".png",))
    (root / "deep" / "inner").mkdir(parents=True)
    (root / "images_001").symlink_to(outside)
    (outside / "images").mkdir()
    with pytest.raises(DatasetError, match="images_001/images is a link to .*outside"):
        find_images(root, ("images_*/images",), (".png",))
    (root / "deep" / "loop").symlink_to(root / "deep")
    with pytest.raises(DatasetError, match="loop is a link to a folder"):
        find_images(root, ("deep",), (".png",), deep=True)
    (outside / "t.csv").write_text("id\na\n")
    for name, read in (("t.csv", lambda path: read_csv(path, ("id",))), ("t.txt", read_list), ("t.json", read_json)):
        (root / name).symlink_to(outside / "t.csv")
        with pytest.raises(DatasetError, match=f"{name} is a link to"):
            read(root / name)
    linked = tmp_path / "linked"
    linked.symlink_to(outside)
    assert find_images(linked, ("images",), (".png",)) == {}


def test_files_that_no_table_can_name_are_passed_over(tmp_path):
    (tmp_path / "images").mkdir()
    for name in (b"a.png", b"._a.png", b"\xff.png"):
        (tmp_path / "images" / os.fsdecode(name)).touch()
    assert set(find_images(tmp_path, ("images",), (".png",))) == {"a.png"}
    assert find_paths(tmp_path, ("images",), (".png",)) == {"images/a.png"}


def test_the_first_form_that_is_there_is_taken(tmp_path):
    (tmp_path / "b.csv").touch()
    assert first_of(tmp_path, ("a.csv", "b.csv")).name == "b.csv"
    assert first_of(tmp_path, ("a.csv", "c.csv")).name == "a.csv"

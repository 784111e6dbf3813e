"""A user's own dataset as a CSV and a folder of images."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from benchx.datasets.check import check
from benchx.datasets.description import read_description
from benchx.datasets.samples import Samples
from benchx.datasets.splits import make_folds
from benchx.errors import DatasetError, UsageError
from benchx.images.decode import read as read_image

BASE: dict[str, Any] = {
    "name": "mine",
    "title": "My radiographs",
    "licence": "private",
    "source": "our archive",
    "citation": "none",
    "size": "3 images",
    "tasks": ["classification"],
    "table": {"file": "labels.csv", "images": "images"},
    "columns": {"image": "file", "label": "finding"},
    "classes": ["Pneumonia", "Effusion"],
    "separator": "|",
    "negative": "No Finding",
}
ROWS = "file,finding\na.png,Pneumonia|Effusion\nb.png,No Finding\nsub/c.jpg,\n"
COLUMNS = {"image": "file", "labels": ["pneu", "eff"]}
PLAIN = {"separator": None, "negative": []}


def describe(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(BASE | changes))
    return path


def make_root(tmp_path: Path, rows: str, images: tuple[str, ...] = ("a.png", "b.png", "sub/c.jpg")) -> Path:
    root = tmp_path / "root"
    for number, name in enumerate(images):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 8), number + 1, np.uint8))
    root.mkdir(exist_ok=True)
    (root / "labels.csv").write_bytes(rows.encode())
    return root


def read(tmp_path: Path, rows: str = ROWS, **changes: Any) -> Samples:
    root = tmp_path / "root"
    if not root.exists():
        make_root(tmp_path, rows)
    return read_description(describe(tmp_path, **changes)).read(root)


def test_classes_in_one_column(tmp_path):
    samples = read(tmp_path)
    assert samples.dataset == "mine"
    assert list(samples.table["sample"]) == ["a", "b", "c"]
    assert list(samples.table["image"]) == ["images/a.png", "images/b.png", "images/sub/c.jpg"]
    np.testing.assert_array_equal(samples.labels, [[1, 1], [0, 0], [np.nan, np.nan]])
    assert samples.classes == ("Pneumonia", "Effusion")
    assert samples.missing == ()
    assert samples.uncertain is None
    assert samples.unit == "image"
    assert not samples.publishes_split
    assert set(samples.table["official"]) == {""}


def test_a_column_per_class_with_unknown_and_uncertain(tmp_path):
    rows = "file,pneu,eff\na,1,0.0\nb,-1,\nsub/c,0,1.0\n"
    samples = read(tmp_path, rows, columns=COLUMNS, **PLAIN)
    np.testing.assert_array_equal(samples.labels, [[1, 0], [np.nan, np.nan], [0, 1]])
    assert samples.uncertain is not None
    assert samples.uncertain.tolist() == [[False, False], [True, False], [False, False]]
    assert samples.count_uncertain_as("positive").labels[1, 0] == 1
    assert list(samples.table["image"]) == ["images/a.png", "images/b.png", "images/sub/c.jpg"]


def test_all_columns_bom_and_crlf(tmp_path):
    rows = (
        "\ufefffile,finding,pid,exam,v,s,years,part,text\r\na.png,Effusion,p1,e1,PA,F,61.5,fit,Small effusion.\r\n"
        "b.png,No Finding,p1,e1,LATERAL,F,61.5,fit,\r\nsub/c.jpg,Pneumonia,p2,e2,AP,,,eval,Opacity.\r\n"
    )
    roles = {"patient": "pid", "study": "exam", "view": "v", "sex": "s", "age": "years", "split": "part"}
    columns = {"image": "file", "label": "finding", "report": "text", **roles}
    samples = read(tmp_path, rows, columns=columns, splits={"fit": "train", "eval": "test"})
    assert list(samples.table["patient"]) == ["p1", "p1", "p2"]
    assert list(samples.table["study"]) == ["e1", "e1", "e2"]
    assert list(samples.table["view"]) == ["PA", "LATERAL", "AP"]
    assert list(samples.table["sex"].isna()) == [False, False, True]
    np.testing.assert_array_equal(samples.table["age"], [61.5, 61.5, np.nan])
    assert list(samples.table["official"]) == ["train", "train", "test"]
    assert samples.publishes_split
    assert samples.unit == "patient"
    assert {name: report.findings for name, report in samples.reports.items()} == {
        "a": "Small effusion.",
        "c": "Opacity.",
    }
    assert "effusion" not in repr(samples)
    (fold,) = make_folds(samples, "official")
    assert fold.test.tolist() == [2]


def test_same_file_names_in_two_folders_get_their_paths_as_ids(tmp_path):
    make_root(tmp_path, "file,finding\np1/x.png,Effusion\np2/x.png,No Finding\n", ("p1/x.png", "p2/x.png", "z.png"))
    samples = read(tmp_path)
    assert list(samples.table["sample"]) == ["p1/x.png", "p2/x.png"]
    assert samples.notes == ("1 images are on disk but not in labels.csv; they are not used",)


def test_missing_images_are_listed_and_never_an_error(tmp_path):
    make_root(tmp_path, ROWS, ("a.png",))
    samples = read(tmp_path)
    assert samples.missing == ("b", "c")
    assert samples.table["image"][1] == "images/b.png"


def test_blanks_around_names_and_the_case_of_suffixes_do_not_count(tmp_path):
    make_root(tmp_path, "file,finding\n a.png ,Effusion\nb.png,\nc.jpeg,\n", ("a.png", "b.PNG", "c.JPEG"))
    samples = read(tmp_path)
    assert samples.missing == ()
    assert list(samples.table["sample"]) == ["a", "b", "c"]
    assert list(samples.table["image"]) == ["images/a.png", "images/b.PNG", "images/c.JPEG"]


def test_a_suffix_that_fits_two_files_is_not_guessed(tmp_path):
    make_root(tmp_path, "file,finding\na.Png,Effusion\n", ("a.png", "a.PNG"))
    assert read(tmp_path).missing == ("a",)


@pytest.mark.parametrize(
    ("name", "image", "says"),
    [
        ("a.png", "sub/a.png", "the first row asks for 'images/a.png', there is 'images/sub/a.png'"),
        ("images/a.png", "a.png", "the first row asks for 'images/images/a.png', there is 'images/a.png'"),
        ("a.png", "notes.txt", "the first row asks for 'images/a.png', images holds no images"),
        ("The heart is large.", "a.png", "asks for a path with blanks or special characters, there is 'images/a.png'"),
    ],
)
def test_where_no_image_is_found_a_note_tells_what_was_looked_for_and_what_is_there(tmp_path, name, image, says):
    make_root(tmp_path, f"file,finding\n{name},Effusion\n", (f"{Path(image).stem}.png",))
    target = tmp_path / "root" / "images" / image
    target.parent.mkdir(exist_ok=True)
    (tmp_path / "root" / "images" / f"{target.stem}.png").rename(target)
    samples = read(tmp_path)
    assert len(samples.missing) == 1
    assert samples.notes[0].startswith("no row's image is on disk: ")
    assert samples.notes[0].endswith(says)
    assert "heart" not in samples.notes[0]


def test_images_may_lie_beside_the_table(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "labels.csv").write_text("file,finding\na.png,Effusion\n")
    cv2.imwrite(str(root / "a.png"), np.zeros((8, 8), np.uint8))
    samples = read(tmp_path, table={"file": "labels.csv", "images": "."})
    assert list(samples.table["image"]) == ["a.png"]
    assert samples.missing == ()


def test_the_rest_of_benchx_reads_it_like_any_other(tmp_path):
    dataset = read_description(describe(tmp_path))
    assert dataset.name == dataset.family == "mine"
    assert dataset.classes == ("Pneumonia", "Effusion")
    samples = pickle.loads(pickle.dumps(dataset)).read(make_root(tmp_path, ROWS))
    report = check(samples, lambda done, total: None)
    assert report.unreadable == {}
    assert report.counts["all"]["Effusion"] == 1
    assert read_image(samples.root / samples.table["image"][0])[0, 0] == 1


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("file,findings\na.png,Effusion\n", "labels.csv has no column 'finding'\nwhy: found: file, findings"),
        ("file,finding\na.png,Effusion\nb.png,Flu\n", "labels.csv, line 3: finding: 'Flu' is not in the class list"),
        ("file,finding\na.png,Effusion|No Finding\n", "line 2: finding: 'Effusion, No Finding' says both"),
        ("file,finding\na.png,Effusion\n,Effusion\n", "line 3: 'file' is empty"),
        ("file,finding\na.png,Effusion\n  ,Effusion\n", "line 3: 'file' is empty"),
        ("file,finding\na.png,Effusion\nb.png,\na.png,Pneumonia\n", "'images/a.png' stands more than once in 'file': "),
        ("file,finding\na.png,Effusion\na,Pneumonia\n", "'images/a.png' stands more than once in 'file': "),
        ("file,finding\n../a.png,Effusion\n", "line 2: file is '../a.png'"),
        ("file,finding\n/etc/a.png,Effusion\n", "line 2: file is '/etc/a.png'"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, rows, says):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, rows)
    assert says in str(caught.value)
    assert caught.value.todo


@pytest.mark.parametrize(
    ("rows", "columns", "says"),
    [
        ("file,pneu,eff\na,1,0\nb,2,0\n", COLUMNS, "line 3: pneu is '2'"),
        ("file,pneu,eff\na,1,yes\n", COLUMNS, "line 2: eff is 'yes'"),
        ("file,pneu,eff,age\na,1,0,old\n", COLUMNS | {"age": "age"}, "line 2: age is 'old'"),
        ("file,pneu,eff,p\na,1,0,\n", COLUMNS | {"patient": "p"}, "line 2: 'p' is empty"),
        ("file,pneu,eff,s\na,1,0,dev\n", COLUMNS | {"split": "s"}, "line 2: s is 'dev'"),
        ("file,pneu,eff,s\na,1,0,\n", COLUMNS | {"split": "s"}, "line 2: s is empty"),
        ("file,pneu,eff,i\na,1,0,7\nb,1,0,7\n", COLUMNS | {"sample": "i"}, "'7' stands more than once in 'i'"),
    ],
)
def test_a_malformed_cell_is_named(tmp_path, rows, columns, says):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, rows, columns=columns, **PLAIN)
    assert says in str(caught.value)


def test_an_id_with_two_suffixes_is_refused(tmp_path):
    make_root(tmp_path, "file,finding\na,Effusion\n", ("a.png", "a.jpg"))
    with pytest.raises(DatasetError, match="'images/a' is there with two suffixes"):
        read(tmp_path)


def test_a_wrong_root_says_what_is_expected_and_found(tmp_path):
    (tmp_path / "root").mkdir()
    with pytest.raises(DatasetError, match="labels.csv is not in"):
        read(tmp_path)
    (tmp_path / "root" / "labels.csv").write_text(ROWS)
    with pytest.raises(DatasetError, match="no folder images in"):
        read(tmp_path)


@pytest.mark.parametrize("link", ["images", "images/b.png", "images/sub"])
def test_a_link_out_of_the_root_is_refused(tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.png").write_bytes(b"")
    root = make_root(tmp_path, ROWS, ("a.png",) if link != "images" else ())
    (root / link).symlink_to(outside / "b.png" if link.endswith("png") else outside)
    with pytest.raises(DatasetError, match="is a link to"):
        read(tmp_path)


def test_a_report_taken_for_a_label_is_not_shown(tmp_path):
    text = "The heart is enlarged. " * 5
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, f"file,finding\na.png,{text}\n")
    assert "heart" not in str(caught.value)


@pytest.mark.parametrize(
    "rows",
    [
        "file,finding,text\na.png,Heart enlarged.,x\n",
        "file,finding,text\n../Heart enlarged.,Effusion,x\n",
        "file,finding,text\nHeart enlarged.,Effusion,x\nHeart enlarged.,Effusion,x\n",
        "file,finding,text\nHeart enlarged.,Effusion|No Finding,x\n",
    ],
)
def test_with_reports_even_a_short_cell_is_not_shown(tmp_path, rows):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, rows, columns={"image": "file", "label": "finding", "report": "text"})
    assert "eart" not in str(caught.value)


def test_a_sentence_taken_for_a_label_is_not_shown_without_reports_either(tmp_path):
    text = "The heart is mildly enlarged now."
    with pytest.raises(DatasetError, match=f"a text of {len(text)} characters is not in the class list"):
        read(tmp_path, f"file,finding\na.png,{text}\n")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lable": "x"}, "lable"),
        ({"seperator": ","}, "did you mean 'separator'?"),
        ({"columns": {"image": "file", "lable": "finding"}}, "did you mean 'label'?"),
        ({"columns": {"image": "file"}}, "either 'label' (one column) or 'labels'"),
        ({"columns": {"image": "f", "label": "a", "labels": ["b", "c"]}}, "either 'label' (one column) or 'labels'"),
        ({"columns": {"image": "f", "labels": ["b"]}, **PLAIN}, "1 label columns for 2 classes"),
        ({"columns": COLUMNS}, "belong to 'columns.label'"),
        ({"classes": ["A", "A"]}, "a class stands there twice"),
        ({"classes": []}, "classes"),
        ({"negative": "Effusion"}, "'Effusion' is both a class and a word for none"),
        ({"huggingface": "data"}, "either 'table' or 'huggingface'"),
        ({"table": {"file": "../labels.csv", "images": "."}}, "table.file"),
        ({"splits": {"fit": "training"}}, "splits.fit"),
        ({"name": "My Data"}, "name"),
        ({"name": "nih"}, "a dataset named 'nih'"),
        ({"access": "secret"}, "access"),
    ],
)
def test_a_wrong_description_says_where_and_why(tmp_path, changes, says):
    with pytest.raises(UsageError) as caught:
        read_description(describe(tmp_path, **changes))
    assert says in str(caught.value)
    assert caught.value.todo


def test_no_file_and_no_yaml_are_told(tmp_path):
    with pytest.raises(UsageError, match="no dataset description"):
        read_description(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [b\n")
    with pytest.raises(UsageError, match="is not YAML"):
        read_description(tmp_path / "bad.yaml")

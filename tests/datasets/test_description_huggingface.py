"""A user's own dataset as Hugging Face `datasets` writes it: Parquet files, or folders saved to disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import yaml
from PIL import Image as Pillow

from benchx.datasets.check import check
from benchx.datasets.description import read_description
from benchx.datasets.samples import Samples
from benchx.errors import DatasetError
from benchx.images.decode import read as read_image
from benchx.images.store import build

datasets = pytest.importorskip("datasets")
datasets.disable_progress_bars()

NAMES = ["NORMAL", "PNEUMONIA", "EFFUSION"]
BASE: dict[str, Any] = {
    "name": "mine",
    "title": "My radiographs",
    "licence": "private",
    "source": "our archive",
    "citation": "none",
    "size": "3 images",
    "tasks": ["classification"],
    "huggingface": "data",
    "columns": {"image": "image", "label": "label"},
    "classes": NAMES[1:],
    "negative": ["NORMAL"],
}


ONE_COLUMN = {"columns": {"image": "image", "labels": ["label"]}, "classes": ["PNEUMONIA"], "negative": []}


def pixels(number: int) -> np.ndarray:
    return np.full((8, 8), number + 1, np.uint8)


def make(labels: Sequence[Any], feature: Any, start: int = 0, **columns: Any) -> Any:
    """Return a `datasets.Dataset` of images that hold their number."""
    images = [Pillow.fromarray(pixels(start + number)) for number in range(len(labels))]
    given = {"image": datasets.Image(), "label": feature}
    features = datasets.Features(given | {name: datasets.Value("string") for name in columns})
    return datasets.Dataset.from_dict({"image": images, "label": list(labels), **columns}, features=features)


def one_class(labels: Sequence[int], start: int = 0, **columns: Any) -> Any:
    return make(labels, datasets.ClassLabel(names=NAMES), start, **columns)


def read(root: Path, **changes: Any) -> Samples:
    path = root.parent / "mine.yaml"
    path.write_text(yaml.safe_dump(BASE | changes))
    return read_description(path).read(root)


def values(samples: Samples) -> list[int]:
    return [int(read_image(samples.root / image)[0, 0]) for image in samples.table["image"]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "data"
    folder.mkdir(parents=True)
    return folder


def test_parquet_parts_become_the_official_split(data):
    one_class([1, 0]).to_parquet(data / "train-00000-of-00002.parquet")
    one_class([2, -1], 2).to_parquet(data / "train-00001-of-00002.parquet")
    one_class([2], 4).to_parquet(data / "validation-00000-of-00001.parquet")
    one_class([1], 5).to_parquet(data / "test-00000-of-00001-0123456789abcdef.parquet")
    samples = read(data.parent)
    table = samples.table
    assert list(table["sample"]) == [
        "test/000000",
        "train/000000",
        "train/000001",
        "train/000002",
        "train/000003",
        "validation/000000",
    ]
    assert list(table["official"]) == ["test", "train", "train", "train", "train", "val"]
    assert samples.publishes_split
    assert values(samples) == [6, 1, 2, 3, 4, 5]
    assert table["image"][4] == "data/train-00001-of-00002.parquet/image/1"
    nan = np.nan
    np.testing.assert_array_equal(samples.labels, [[1, 0], [1, 0], [0, 0], [0, 1], [nan, nan], [0, 1]])
    assert table["patient"].isna().all()
    assert samples.missing == ()


@pytest.mark.parametrize("several", [False, True])
def test_folders_saved_to_disk(data, several):
    data.rmdir()
    train, test = one_class([1, 0, 2]), one_class([0, 1], 3)
    if several:
        datasets.DatasetDict({"train": train, "test": test}).save_to_disk(data)
    else:
        train.save_to_disk(data, num_shards=2)
    samples = read(data.parent)
    assert values(samples) == ([1, 2, 3, 4, 5] if several else [1, 2, 3])
    assert samples.publishes_split is several
    assert samples.labels[:3].tolist() == [[1, 0], [0, 0], [0, 1]]
    assert list(samples.table["sample"][:2]) == (["train/000000", "train/000001"] if several else ["000000", "000001"])


def test_what_benchx_does_with_files_works_inside_files(data, tmp_path):
    one_class([1, 0, 2]).to_parquet(data / "all.parquet")
    samples = read(data.parent)
    assert check(samples, lambda done, total: None).unreadable == {}
    items = [(name, samples.root / path) for name, path in samples.table[["sample", "image"]].itertuples(index=False)]
    store = build(items, 32, tmp_path / "store", workers=2)
    for number, image in enumerate(store.images([0, 1, 2])):
        np.testing.assert_array_equal(image, pixels(number))


@pytest.mark.parametrize(
    ("labels", "feature"),
    [
        ([[1, 2], [0], [], None], lambda: datasets.Sequence(datasets.ClassLabel(names=NAMES))),
        ([["PNEUMONIA", "EFFUSION"], ["NORMAL"], [], None], lambda: datasets.Sequence(datasets.Value("string"))),
        (["PNEUMONIA|EFFUSION", "NORMAL", "NORMAL", ""], lambda: datasets.Value("string")),
    ],
)
def test_several_classes_of_an_image(data, labels, feature):
    make(labels, feature()).to_parquet(data / "all.parquet")
    samples = read(data.parent, separator="|")
    np.testing.assert_array_equal(samples.labels, [[1, 1], [0, 0], [0, 0], [np.nan, np.nan]])


def test_numbers_without_names_count_in_the_description(data):
    make([1, 0], datasets.Value("int64")).to_parquet(data / "all.parquet")
    assert read(data.parent).labels.tolist() == [[0, 1], [1, 0]]


def test_columns_of_ones_and_zeros_and_of_metadata(data):
    columns = {"p": ["7", "8"], "part": ["fit", "eval"], "text": ["Clear.", None], "years": ["51", None]}
    make([True, False], datasets.Value("bool"), **columns).to_parquet(data / "train.parquet")
    roles = {"sample": "p", "patient": "p", "split": "part", "report": "text", "age": "years"}
    described = {
        "columns": {"image": "image", "labels": ["label"], **roles},
        "splits": {"fit": "train", "eval": "test"},
        "classes": ["PNEUMONIA"],
        "negative": [],
    }
    samples = read(data.parent, **described)
    assert samples.labels.tolist() == [[1], [0]]
    assert list(samples.table["sample"]) == ["7", "8"]
    assert samples.unit == "patient"
    assert list(samples.table["official"]) == ["train", "test"]
    assert samples.reports["7"].findings == "Clear."
    assert list(samples.reports) == ["7"]


def test_a_part_without_a_test_part_is_no_split(data):
    one_class([1, 0]).to_parquet(data / "train-00000-of-00001.parquet")
    samples = read(data.parent)
    assert not samples.publishes_split
    assert set(samples.table["official"]) == {""}
    assert samples.notes == ("of the published split only train is there, so the files count as not split",)


def write(path: Path, images: Sequence[dict[str, Any] | None], labels: Sequence[int]) -> None:
    """Write a Parquet file by hand, with the metadata that `datasets` leaves, in row groups of two."""
    features = {"image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}
    table = pa.table(
        {
            "image": pa.array(images, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "label": pa.array(labels, pa.int64()),
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(table, path, row_group_size=2)


def png(folder: Path, number: int) -> bytes:
    Pillow.fromarray(pixels(number)).save(folder / "one.png")
    return (folder / "one.png").read_bytes()


def test_images_beside_the_parquet_file_and_absent_ones(data, tmp_path):
    (data / "more").mkdir()
    Pillow.fromarray(pixels(1)).save(data / "more" / "b.png")
    Pillow.fromarray(pixels(2)).save(data.parent / "c.png")
    images = [
        {"bytes": png(tmp_path, 0), "path": "a.png"},
        {"bytes": None, "path": "more/b.png"},
        {"bytes": None, "path": "c.png"},
        {"bytes": None, "path": "d.png"},
    ]
    write(data / "all.parquet", images, [1, 1, 1, 1])
    samples = read(data.parent)
    assert list(samples.table["sample"]) == ["a", "b", "c", "d"]
    assert list(samples.table["image"]) == ["data/all.parquet/image/0", "data/more/b.png", "c.png", "data/d.png"]
    assert samples.missing == ("d",)
    assert values(samples.take(np.arange(3))) == [1, 2, 3]


def test_a_null_image_is_missing_and_an_empty_one_unreadable(data, tmp_path):
    images = [{"bytes": png(tmp_path, 0), "path": None}, None, {"bytes": b"", "path": None}]
    write(data / "all.parquet", images, [1, 1, 1])
    samples = read(data.parent)
    assert samples.missing == ("all/000001",)
    report = check(samples, lambda done, total: None)
    assert report.unreadable == {"all/000002": "the file has zero bytes"}


@pytest.mark.parametrize("path", ["/elsewhere/a.png", "../a.png"])
def test_an_image_outside_the_root_is_refused(data, path):
    write(data / "all.parquet", [{"bytes": None, "path": path}], [1])
    with pytest.raises(DatasetError, match="row 0: the image is the file"):
        read(data.parent)


def test_a_link_out_of_the_root_is_refused(data, tmp_path):
    one_class([1]).to_parquet(tmp_path / "outside.parquet")
    (data / "all.parquet").symlink_to(tmp_path / "outside.parquet")
    with pytest.raises(DatasetError, match="is a link to"):
        read(data.parent)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"columns": {"image": "scan", "label": "label"}},
            "all.parquet has no column 'scan'\nwhy: found: image, label",
        ),
        ({"columns": {"image": "label", "label": "label"}}, "column 'label' holds int64, not images"),
        ({"columns": {"image": "image", "label": "image"}}, "column 'image' holds struct"),
        ({"negative": []}, "all.parquet, row 1: label: 'NORMAL' is not in the class list"),
        ({"huggingface": "nothing"}, "nothing holds no Parquet files"),
    ],
)
def test_a_description_that_does_not_fit_is_told(data, changes, says):
    one_class([1, 0]).to_parquet(data / "all.parquet")
    with pytest.raises(DatasetError) as caught:
        read(data.parent, **changes)
    assert says in str(caught.value)
    assert caught.value.todo


def test_a_class_number_without_a_name_is_named(data):
    write(data / "all.parquet", [None, None], [1, 3])
    with pytest.raises(DatasetError, match=r"all.parquet, row 1: label is 3"):
        read(data.parent)


@pytest.mark.parametrize("names", [["present", "absent"], ["1", "0"], ["no", "yes"]])
def test_named_classes_are_not_read_as_ones_and_zeros(data, names):
    make([0, 1], datasets.ClassLabel(names=names)).to_parquet(data / "all.parquet")
    with pytest.raises(DatasetError) as caught:
        read(data.parent, **ONE_COLUMN)
    assert f"column 'label' holds the numbers of named classes: {', '.join(names)}" in caught.value.what
    assert "use columns.label" in caught.value.todo


def test_classes_that_are_called_0_and_1_are_ones_and_zeros(data):
    make([0, 1, -1], datasets.ClassLabel(names=["0", "1"])).to_parquet(data / "all.parquet")
    samples = read(data.parent, **ONE_COLUMN)
    np.testing.assert_array_equal(samples.labels, [[0], [1], [np.nan]])
    assert samples.uncertain is not None
    assert not samples.uncertain.any()


def test_two_columns_of_one_name_are_refused(data):
    image = pa.array([None], pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    table = pa.Table.from_arrays([image, pa.array([1]), pa.array([2])], ["image", "label", "label"])
    parquet.write_table(table, data / "all.parquet")
    with pytest.raises(DatasetError, match=r"all.parquet has more than one column 'label'"):
        read(data.parent)


@pytest.mark.parametrize(("role", "column"), [("report", "text"), ("label", "text"), ("image", "image")])
def test_text_that_is_not_utf8_is_told_but_not_shown(data, role, column):
    raw = pa.array([b"Heart", b"Heart \xff"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    good = pa.array(["a", "b"])
    image = pa.StructArray.from_arrays(
        [pa.array([b"", b""]), text if role == "image" else good], names=["bytes", "path"]
    )
    table = pa.table({"image": image, "label": [1, 1], "text": good if role == "image" else text})
    parquet.write_table(table, data / "all.parquet")
    with pytest.raises(DatasetError) as caught:
        read(data.parent, columns={"image": "image", "label": "label", role: column})
    assert f"all.parquet, row 1: the text in column '{column}' is not UTF-8" in caught.value.what
    assert "Heart" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_row_group_that_arrow_cannot_read_is_told(data, monkeypatch):
    one_class([1]).to_parquet(data / "all.parquet")

    def fail(*asked: Any, **options: Any) -> None:
        raise pa.ArrowNotImplementedError("Nested data conversions not implemented")

    monkeypatch.setattr(parquet.ParquetFile, "read", fail)
    with pytest.raises(DatasetError, match=r"all.parquet cannot be read\nwhy: Nested data"):
        read(data.parent)


def test_what_macos_leaves_beside_a_file_is_skipped(data):
    one_class([1]).to_parquet(data / "train.parquet")
    (data / "._train.parquet").write_bytes(b"attributes")
    (data / "._test.parquet").write_bytes(b"attributes")
    assert list(read(data.parent).table["image"]) == ["data/train.parquet/image/0"]


def test_unknown_parts_and_missing_shards_are_told(data):
    one_class([1]).to_parquet(data / "train-00000-of-00002.parquet")
    with pytest.raises(DatasetError, match="of part 'train' in .*, 1 of 2 files are there"):
        read(data.parent)
    (data / "train-00000-of-00002.parquet").rename(data / "train.parquet")
    one_class([1]).to_parquet(data / "exam.parquet")
    with pytest.raises(DatasetError) as caught:
        read(data.parent)
    assert "not 'exam'" in caught.value.why
    samples = read(data.parent, splits={"train": "train", "exam": "test"})
    assert list(samples.table["official"]) == ["test", "train"]


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_truncated_parquet_file_is_told(data, keep):
    path = data / "all.parquet"
    one_class([1, 0]).to_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(DatasetError, match=r"all.parquet cannot be read"):
        read(data.parent)


@pytest.mark.parametrize("cut", [1, 8, 200])
def test_a_truncated_arrow_file_is_told(data, cut):
    data.rmdir()
    one_class([1, 0]).save_to_disk(data)
    path = data / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DatasetError, match=r"arrow cannot be read\nwhy: truncated Arrow stream"):
        read(data.parent)
    path.unlink()
    with pytest.raises(DatasetError, match="arrow is missing"):
        read(data.parent)

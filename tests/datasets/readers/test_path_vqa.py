"""PathVQA: hand-made Parquet files as Hugging Face `datasets` writes them, lists as JSON, and the refused pickles."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from benchx.datasets.check import check
from benchx.datasets.readers import path_vqa
from benchx.datasets.splits import make_folds
from benchx.errors import DatasetError
from benchx.images.decode import read as read_image

PIXELS = [np.full((8, 8), value, np.uint8) for value in (10, 120, 240)]
IMAGES = [cv2.imencode(".png", pixels)[1].tobytes() for pixels in PIXELS]


def shard(root: Path, name: str, rows: list[tuple[int | None, Any, Any]]) -> None:
    (root / "data").mkdir(exist_ok=True)
    images = [None if image is None else {"bytes": IMAGES[image], "path": None} for image, _, _ in rows]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "image": pa.array(images, kind),
        "question": pa.array([row[1] for row in rows], pa.string()),
        "answer": pa.array([row[2] for row in rows], pa.string()),
    }
    parquet.write_table(pa.table(columns), root / "data" / name)


def hugging_face(root: Path) -> Path:
    shard(root, "train-00000-of-00002.parquet", [(0, "what is it?", "liver"), (0, "is it liver?", "yes")])
    shard(root, "train-00001-of-00002.parquet", [(1, "How are cells?", "red"), (0, "stain?", "blue")])
    shard(root, "validation-00000-of-00001.parquet", [(1, "where is it?", "left")])
    shard(root, "test-00000-of-00001.parquet", [(2, "is it dead?", "No")])
    return root


def test_images_are_known_by_their_bytes_and_read_from_the_file(tmp_path):
    samples = path_vqa.read(hugging_face(tmp_path))
    assert len(samples.table) == 3
    first, second, third = samples.table["sample"]
    assert samples.questions[["question", "sample", "answer", "closed", "kind", "official"]].to_numpy().tolist() == [
        ["test-00001", first, "No", True, "yes/no", "test"],
        ["train-00001", second, "liver", False, "what", "train"],
        ["train-00002", second, "yes", True, "yes/no", "train"],
        ["train-00003", third, "red", False, "how", "train"],
        ["train-00004", second, "blue", False, "other", "train"],
        ["val-00001", third, "left", False, "where", "val"],
    ]
    assert samples.table["official"].tolist() == ["test", "train", ""]
    assert samples.missing == ()
    for image, pixels in zip(samples.table["image"], (PIXELS[2], PIXELS[0], PIXELS[1]), strict=True):
        np.testing.assert_array_equal(read_image(samples.root / image), pixels)


def lists(root: Path, folder: str) -> Path:
    (root / "images" / "train").mkdir(parents=True)
    (root / "images" / "train" / "train_0000.jpg").touch()
    (root / folder).mkdir(exist_ok=True)
    for part in ("train", "val", "test"):
        entries = [{"image": f"{part}_0000", "question": "why?", "answer": "fire"}]
        (root / folder / f"{part}_qas.json").write_text(json.dumps(entries))
    return root


@pytest.mark.parametrize("folder", ["qas", ""])
def test_lists_as_json_are_read(tmp_path, folder):
    samples = path_vqa.read(lists(tmp_path, folder))
    assert samples.table["image"].tolist() == [f"images/{part}/{part}_0000.jpg" for part in ("train", "val", "test")]
    assert samples.missing == ("val_0000", "test_0000")
    assert samples.questions["kind"].tolist() == ["other"] * 3


def test_an_image_of_two_lists_is_one_image_and_leaves_the_unseen_split(tmp_path):
    """The first list names an image that lies in the folder of another part."""
    root = lists(tmp_path, "qas")
    (root / "images" / "test").mkdir()
    (root / "images" / "test" / "test_0000.jpg").touch()
    entries = json.loads((root / "qas" / "train_qas.json").read_text())
    entries.append({"image": "test_0000", "question": "how?", "answer": "so"})
    (root / "qas" / "train_qas.json").write_text(json.dumps(entries))
    samples = path_vqa.read(root)
    assert samples.missing == ("val_0000",)
    assert check(samples, lambda done, total: None).shared == ("images/test/test_0000.jpg",)
    cases = samples.cases
    (official,), (unseen,) = (make_folds(cases, kind) for kind in ("official", "official-unseen"))
    names = cases.table["sample"].to_numpy()
    assert names[official.train].tolist() == ["train-00001", "train-00002"]
    assert names[unseen.train].tolist() == ["train-00001"]
    assert names[unseen.test].tolist() == ["test-00001"]


def test_pickles_are_refused_and_not_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("exploded").touch, ())

    (tmp_path / "qas" / "train").mkdir(parents=True)
    (tmp_path / "qas" / "train" / "train_qa.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DatasetError, match=r"qas/train/train_qa\.pkl in .* is a pickle"):
        path_vqa.read(tmp_path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((None, "secret?", "x"), "names no image"),
        ((0, None, "x"), "has no text"),
        ((0, "secret?", None), "row 1: question 'train-00002' has no answer"),
    ],
)
def test_a_malformed_row_is_named_and_not_shown(tmp_path, row, says):
    shard(tmp_path, "train-0.parquet", [(0, "secret?", "x"), row])
    with pytest.raises(DatasetError, match=says) as caught:
        path_vqa.read(tmp_path)
    assert "secret" not in str(caught.value)


def test_files_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"neither data/\*\.parquet nor qas/train_qas\.json"):
        path_vqa.read(tmp_path)
    shard(tmp_path, "holdout-0.parquet", [(0, "what?", "x")])
    with pytest.raises(DatasetError, match="is of the part 'holdout-0.parquet'"):
        path_vqa.read(tmp_path)
    (tmp_path / "data" / "holdout-0.parquet").unlink()
    (tmp_path / "data" / "train-0.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="cannot be read"):
        path_vqa.read(tmp_path)


TEXTS = pa.array(["secret?"], pa.string())
STRUCT = pa.array([{"bytes": IMAGES[0], "path": None}], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"image": pa.array([IMAGES[0]], pa.binary())}, r"the column 'image' of .*train-0\.parquet is of type binary"),
        ({"image": pa.array(["a.jpg"])}, "is of type string"),
        ({"image": pa.array([{"path": "a.jpg"}])}, r"is of type struct<path: string>"),
        ({"image": pa.array([{"bytes": "a.jpg"}])}, r"is of type struct<bytes: string>"),
        ({"image": STRUCT, "answer": None}, r"train-0\.parquet has no column 'answer'"),
        ({"image": None, "question": None}, r"has no column 'image', 'question'"),
    ],
)
def test_columns_of_another_kind_are_named_with_what_is_wanted(tmp_path, columns, says):
    (tmp_path / "data").mkdir()
    whole = {"image": STRUCT, "question": TEXTS, "answer": TEXTS} | columns
    table = pa.table({name: values for name, values in whole.items() if values is not None})
    parquet.write_table(table, tmp_path / "data" / "train-0.parquet")
    with pytest.raises(DatasetError, match=says) as caught:
        path_vqa.read(tmp_path)
    assert caught.value.why == "it needs 'image', 'question', 'answer', and of every image a struct with its 'bytes'"
    assert "secret" not in str(caught.value)


def test_large_binary_images_are_read(tmp_path):
    (tmp_path / "data").mkdir()
    image = pa.array([{"bytes": IMAGES[0]}], pa.struct([("bytes", pa.large_binary())]))
    parquet.write_table(
        pa.table({"image": image, "question": TEXTS, "answer": TEXTS}), tmp_path / "data" / "train-0.parquet"
    )
    samples = path_vqa.read(tmp_path)
    np.testing.assert_array_equal(read_image(samples.root / samples.table["image"][0]), PIXELS[0])

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchx.datasets.readers import tbx11k
from benchx.datasets.regions import Box
from benchx.errors import DatasetError
from benchx.images.decode import read

HEADER = "fname,image_height,image_width,source,bbox,target,tb_type,image_type\n"
BOX = "\"{'xmin': 10.5, 'ymin': 20.25, 'width': 30.0, 'height': 40.0}\""
ROWS = (
    "h0001.png,512,512,train,none,no_tb,none,healthy\n"
    f"tb0003.png,512,512,val,{BOX},tb,active_tb,tb\n"
    "s0002.png,512,512,train,none,no_tb,none,sick_but_no_tb\n"
    "tb0003.png,512,512,val,\"{'xmin': 1, 'ymin': 2, 'width': 3, 'height': 4}\",tb,active_tb,tb\n"
)


def _simplified(root: Path, rows: str = ROWS, images: tuple[str, ...] = ()) -> Path:
    (root / "images").mkdir()
    for name in images:
        (root / "images" / name).touch()
    (root / "data.csv").write_text(HEADER + rows)
    return root


def _coco(**changes: object) -> dict[str, object]:
    images = [
        {"id": 1, "file_name": "tb/tb0005.png", "width": 512, "height": 512},
        {"id": 2, "file_name": "health/h0001.png", "width": 512, "height": 512},
    ]
    annotations = [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [10.5, 20.5, 30.0, 40.0]}]
    return {"images": images, "annotations": annotations, "categories": [], **changes}


def _full(root: Path, train: object, val: object | None = None) -> Path:
    for folder in ("imgs/health", "imgs/sick", "imgs/tb", "annotations/json"):
        (root / folder).mkdir(parents=True)
    for name, content in (("train", train), ("val", val)):
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            (root / "annotations" / "json" / f"TBX11K_{name}.json").write_text(text)
    return root


def test_several_boxes_are_one_image_and_the_validation_list_is_the_test_part(tmp_path):
    samples = tbx11k.read(_simplified(tmp_path, images=("h0001.png", "tb0003.png", "other.png")))
    assert list(samples.table["sample"]) == ["h0001", "tb0003", "s0002"]
    assert list(samples.table["official"]) == ["train", "test", "train"]
    assert list(samples.table["image"]) == ["images/h0001.png", "images/tb0003.png", "images/s0002.png"]
    assert samples.labels.tolist() == [[0.0], [1.0], [0.0]]
    assert samples.missing == ("s0002",)
    assert samples.notes == ("1 images on disk are in no list and are not used",)
    assert samples.regions == {
        "h0001": (),
        "s0002": (),
        "tb0003": (
            Box("Tuberculosis", 10.5, 20.25, 30, 40, "data.csv, line 3", (512, 512)),
            Box("Tuberculosis", 1, 2, 3, 4, "data.csv, line 5", (512, 512)),
        ),
    }
    assert samples.unit == "image"


def test_benchx_cuts_boxes_down_to_integers(tmp_path):
    rows = ROWS.replace("'width': 3,", "'width': 0.9,")
    samples = tbx11k.read_benchx_2024(_simplified(tmp_path, rows))
    mask = np.zeros((512, 512), np.uint8)
    mask[20:60, 10:40] = 1
    np.testing.assert_array_equal(samples.masks("tb0003", 512, 512)[0], mask)


def test_an_image_of_tuberculosis_without_a_box_has_an_unknown_outline(tmp_path):
    samples = tbx11k.read(_simplified(tmp_path, "tb1199.png,512,512,train,none,tb,active_tb,tb\n"))
    assert samples.labels.tolist() == [[1.0]]
    assert samples.regions == {}
    assert samples.notes == ("1 images of tuberculosis have no box, so their outlines are not known",)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    root = _simplified(tmp_path)
    (root / "data.csv").write_bytes(b"\xef\xbb\xbf" + (HEADER + ROWS).replace("\n", "\r\n").encode())
    assert len(tbx11k.read(root).table) == 3


HEALTHY = "h0001.png,512,512,train,none,no_tb,none,healthy\n"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (HEALTHY.replace("train", "test"), "line 2: source is 'test'"),
        (HEALTHY.replace("no_tb,", "maybe,"), "line 2: target is 'maybe'"),
        (HEALTHY.replace("healthy", "tb"), "line 2: target is 'no_tb', image_type 'tb'"),
        (HEALTHY.replace("train,none", f"train,{BOX}"), "line 2: target is 'no_tb', .* and bbox given"),
        (HEALTHY + HEALTHY.replace("train", "val"), "line 2: 'h0001.png' has two values of 'source'"),
        (HEALTHY.replace("512,512", "512,wide"), "line 2: image_width is 'wide'"),
        (HEALTHY.replace("train,none", "train,"), "line 2: 'bbox' is empty"),
        (HEALTHY + "tb1.png,9,9,train,\"{'xmin': 1}\",tb,x,tb\n", "line 3: bbox cannot be read"),
        (HEALTHY + "tb1.png,9,9,train,(1,tb,x,tb\n", "line 3: bbox cannot be read"),
        (HEALTHY + f"tb1.png,9,9,train,{BOX.replace('30.0', 'None')},tb,x,tb\n", "line 3: bbox cannot be read"),
        (HEALTHY + f"tb1.png,9,9,train,{BOX.replace('30.0', '1e999')},tb,x,tb\n", "line 3: bbox cannot be read"),
        (HEALTHY + f"tb1.png,0,9,train,{BOX},tb,x,tb\n", "line 3: bbox cannot be read"),
    ],
)
def test_malformed_rows_are_refused_by_their_line(tmp_path, row, says):
    with pytest.raises(DatasetError, match=f"data.csv, {says}"):
        tbx11k.read(_simplified(tmp_path, row))


def test_wrong_roots_links_and_two_suffixes_are_refused(tmp_path):
    (tmp_path / "readme").touch()
    with pytest.raises(DatasetError, match=r"data.csv is not in (?s:.)*found there: readme"):
        tbx11k.read(tmp_path)
    (tmp_path / "data.csv").write_text("file,bbox\na,none\n")
    with pytest.raises(DatasetError, match=r"no column 'fname', (?s:.)*found: file, bbox"):
        tbx11k.read(tmp_path)
    (tmp_path / "data.csv").write_text(HEADER + ROWS)
    with pytest.raises(DatasetError, match="no folder images"):
        tbx11k.read(tmp_path)
    (tmp_path / "images").mkdir()
    for name in ("h0001.png", "h0001.PNG"):
        (tmp_path / "images" / name).touch()
    with pytest.raises(DatasetError, match="'h0001' is there with two suffixes"):
        tbx11k.read(tmp_path)
    (tmp_path / "images" / "h0001.PNG").unlink()
    (tmp_path / "images" / "s0002.png").symlink_to(Path(__file__))
    with pytest.raises(DatasetError, match="is a link to"):
        tbx11k.read(tmp_path)


def test_the_full_form_reads_both_lists(tmp_path):
    val = _coco(images=[{"id": 1, "file_name": "sick/s0009.png", "width": 512, "height": 512}], annotations=[])
    samples = tbx11k.read(_full(tmp_path, _coco(), val))
    assert list(samples.table["sample"]) == ["tb0005", "h0001", "s0009"]
    assert list(samples.table["official"]) == ["train", "train", "test"]
    assert samples.table["image"][0] == "imgs/tb/tb0005.png"
    assert samples.labels.tolist() == [[1.0], [0.0], [0.0]]
    where = "annotations/json/TBX11K_train.json, annotations[0]"
    box = Box("Tuberculosis", 10.5, 20.5, 30, 40, where, (512, 512))
    assert samples.regions == {"tb0005": (box,), "h0001": (), "s0009": ()}


def _image(**changes: object) -> list[dict[str, object]]:
    return [{"id": 1, "file_name": "tb/tb0005.png", "width": 512, "height": 512, **changes}]


def _annotation(**changes: object) -> list[dict[str, object]]:
    return [{"image_id": 1, "bbox": [1, 2, 3, 4], **changes}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "it is not a COCO file"),
        ({"images": []}, "it is not a COCO file"),
        (_coco(images=5), "it is not a COCO file"),
        (_coco(images=[{"id": 1}]), r"images\[0\] needs id, file_name"),
        (_coco(images=_image(file_name="tb0005.png")), r"images\[0\] needs id, file_name"),
        (_coco(images=_image(height="tall")), r"images\[0\] needs id, file_name"),
        (_coco(images=_image(file_name="extra/a.png")), r"images\[0\] lies in the folder 'extra'"),
        (_coco(images=_image() * 2), r"images\[1\] has the id 1"),
        (_coco(annotations=_annotation(image_id=9)), r"annotations\[0\] is of image 9"),
        (_coco(annotations=_annotation(image_id=2)), r"annotations\[0\] is on 'health/h0001.png'"),
        (_coco(annotations=_annotation(bbox=[1, 2, 3])), r"annotations\[0\] needs image_id and a bbox of four"),
        (_coco(annotations=_annotation(bbox=[1, 2, 3, "x"])), r"annotations\[0\] needs image_id and a bbox of four"),
        (_coco(annotations=_annotation(bbox=[1, 2, 3, float("inf")])), r"annotations\[0\] has a bbox without a place"),
    ],
)
def test_malformed_annotations_are_refused_by_their_entry(tmp_path, content, says):
    with pytest.raises(DatasetError, match=rf"TBX11K_train.json cannot be read as annotations(?s:.)*{says}"):
        tbx11k.read(_full(tmp_path, content))


def test_an_image_in_both_lists_and_two_forms_are_refused(tmp_path):
    root = _full(tmp_path, _coco(), _coco())
    with pytest.raises(DatasetError, match=r"TBX11K_val.json: image 'tb0005' is listed a second time"):
        tbx11k.read(root)
    (root / "data.csv").write_text(HEADER + ROWS)
    with pytest.raises(DatasetError, match="holds both data.csv and annotations/json"):
        tbx11k.read(root)


def test_a_full_form_without_annotations_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no image is listed"):
        tbx11k.read(_full(tmp_path, None))


def test_the_real_sample(shared):
    samples = tbx11k.read(shared / "data" / "tbx11k-sample")
    assert dict(zip(samples.table["sample"], samples.labels[:, 0], strict=True)) == {
        "tb0005": 1,
        "tb0007": 1,
        "h0001": 0,
    }
    assert {name: len(boxes) for name, boxes in samples.regions.items()} == {"tb0005": 1, "tb0007": 2, "h0001": 0}
    assert samples.missing == ()
    assert "TBX11K_val.json is not there" in samples.notes[0]
    for image in samples.table["image"]:
        assert read(samples.root / image).shape == (512, 512)
    assert abs(int(samples.masks("tb0005", 512, 512).sum()) - 1793) < 60
    assert abs(int(samples.masks("tb0007", 512, 512).sum()) - (19866 + 14665)) < 400


def test_benchx_lists_name_these_ids(tmp_path, shared):
    folder = shared / "splits" / "benchx-2024" / "TBX11K"
    names = [name for part in ("train", "val", "test") for name in (folder / f"{part}.txt").read_text().split()]
    kinds = {"h": "none,no_tb,none,healthy", "s": "none,no_tb,none,sick_but_no_tb", "t": f"{BOX},tb,active_tb,tb"}
    rows = "".join(f"{name}.png,512,512,train,{kinds[name[0]]}\n" for name in names)
    samples = tbx11k.read(_simplified(tmp_path, rows))
    assert list(samples.table["sample"]) == names
    assert len(names) == 8_399
    assert samples.labels.sum() == 799

"""The annotations of the full form of TBX11K: one COCO file per published list.

Used of it: `images` with `id`, `file_name` (`tb/tb0005.png`, relative to `imgs`), `width` and `height`, and
`annotations` with `image_id` and `bbox` (x, y, width, height in pixels). Every category is a kind of tuberculosis. The
lists under `lists/` name the same images and are not needed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from benchx.datasets.files import read_json
from benchx.datasets.regions import Box
from benchx.errors import DatasetError

FOLDER = "annotations/json"
FILES = {"train": "TBX11K_train.json", "val": "TBX11K_val.json"}
IMAGE_FOLDERS = ("health", "sick", "tb")


class TbxImage(NamedTuple):
    """What is known of an image.

    Attributes:
        sample: the file's name without its suffix.
        expected: where it should lie, relative to the root.
        source: `train` or `val`, the published list.
        tuberculosis: whether it shows any.
        boxes: around it.
    """

    sample: str
    expected: str
    source: str
    tuberculosis: bool
    boxes: tuple[Box, ...]


def read_coco(root: Path) -> tuple[list[TbxImage], tuple[str, ...]]:
    """Read the annotation files that are there.

    Returns:
        The images and notes.

    Raises:
        DatasetError: no file is there, one is malformed, or an image is listed twice.
    """
    images: dict[str, TbxImage] = {}
    notes = []
    for source, file in FILES.items():
        path = root / FOLDER / file
        if not path.is_file():
            notes.append(f"{FOLDER}/{file} is not there, so its images are not known")
            continue
        for image in _read_file(path, source):
            if image.sample in images:
                raise DatasetError(
                    f"{path}: image '{image.sample}' is listed a second time",
                    f"it also stands in the list '{images[image.sample].source}'",
                    "use the files as published",
                )
            images[image.sample] = image
    if not images:
        raise DatasetError(
            f"no image is listed in {root / FOLDER}",
            f"they are read from {' and '.join(FILES.values())} there",
            "point --root DATASET=DIR at the folder that holds annotations/ and imgs/",
        )
    return list(images.values()), tuple(notes)


def _read_file(path: Path, source: str) -> list[TbxImage]:
    content = read_json(path)
    try:
        entries, annotations = content["images"], content["annotations"]
        if not (isinstance(entries, list) and isinstance(annotations, list)):
            raise TypeError
    except (KeyError, TypeError) as error:
        raise _fault(path, f"it is not a COCO file with images and annotations ({type(error).__name__})") from error
    images: dict[int, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        image = _read_image(entry, path, number)
        if image["id"] in images:
            raise _fault(path, f"images[{number}] has the id {image['id']}, as another one has")
        images[image["id"]] = image
    boxes: dict[int, list[Box]] = {key: [] for key in images}
    for number, entry in enumerate(annotations):
        key, box = _read_annotation(entry, images, path, number)
        boxes[key].append(box)
    return [
        TbxImage(image["stem"], f"imgs/{image['file']}", source, image["folder"] == "tb", tuple(boxes[key]))
        for key, image in images.items()
    ]


def _read_image(entry: Any, path: Path, number: int) -> dict[str, Any]:
    try:
        file, frame = str(entry["file_name"]), (int(entry["height"]), int(entry["width"]))
        folder, name = file.split("/")
        stem = name.removesuffix(".png")
        image = {"id": int(entry["id"]), "file": file, "folder": folder, "frame": frame, "stem": stem}
        if min(frame) < 1:
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _fault(path, f"images[{number}] needs id, file_name 'folder/name.png', height and width") from None
    if folder not in IMAGE_FOLDERS:
        raise _fault(path, f"images[{number}] lies in the folder '{folder}'; the label comes from {IMAGE_FOLDERS}")
    return image


def _read_annotation(entry: Any, images: dict[int, dict[str, Any]], path: Path, number: int) -> tuple[int, Box]:
    try:
        key = int(entry["image_id"])
        x, y, width, height = map(float, entry["bbox"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _fault(path, f"annotations[{number}] needs image_id and a bbox of four numbers") from None
    if key not in images:
        raise _fault(path, f"annotations[{number}] is of image {key}, which is not listed")
    image = images[key]
    if not (all(map(math.isfinite, (x, y))) and 0 < width < math.inf and 0 < height < math.inf):
        raise _fault(path, f"annotations[{number}] has a bbox without a place, width or height")
    if image["folder"] != "tb":
        raise _fault(path, f"annotations[{number}] is on '{image['file']}', an image without tuberculosis")
    where = f"{FOLDER}/{path.name}, annotations[{number}]"
    return key, Box("Tuberculosis", x, y, width, height, where, image["frame"])


def _fault(path: Path, why: str) -> DatasetError:
    return DatasetError(f"{path} cannot be read as annotations", why, "use the file as published")

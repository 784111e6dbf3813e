"""PathVQA (He et al., arXiv:2003.10286, 2020): questions made from the captions of pathology textbooks.

Two forms are read. The Parquet files of the Hugging Face repository flaviagiammarino/path-vqa: columns `image` (its
bytes), `question` and `answer`, `data/train-*.parquet`, `data/validation-*.parquet`, `data/test-*.parquet`; an image is
known by the digest of its bytes, since it stands there again with each of its questions. Else
`train_qas.json`, `val_qas.json`, `test_qas.json`, in the root or in `qas/`: lists of `image`, `question`, `answer`, and
`images/train/train_0000.jpg`, of which the name is the id of the image, whichever list it stands in. The authors
publish those lists as pickles, which may run code when they are read, so these are refused.

Closed are the questions answered with yes or no. What a question asks about is its question word; neither form has
ids, so questions are numbered by part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from benchx.datasets.folders import find_paths, first_of, found_in, refuse_link_out
from benchx.datasets.questions import Asked, build_samples, is_yes_or_no, read_entries
from benchx.datasets.samples import Dataset, Samples
from benchx.errors import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa

PARTS = ("train", "val", "test")
KINDS = ("what", "where", "when", "whose", "how", "why", "which", "who")
_PARQUET = {"train": "train", "validation": "val", "val": "val", "test": "test"}
_COLUMNS = ["image", "question", "answer"]
_ROWS = 256
_ID = 20


def read(root: Path) -> Samples:
    """Read PathVQA in either form.

    Raises:
        DatasetError: neither form is there or only pickles are, a file is damaged or has other columns, or a question
            has no image, text or answer.
    """
    parquet = sorted((*root.glob("*.parquet"), *root.glob("data/*.parquet")))
    if parquet:
        asked = list(_from_parquet(root, parquet))
        return build_samples("path-vqa", root, asked, {one.image for one in asked})
    lists = {part: first_of(root, (f"qas/{part}_qas.json", f"{part}_qas.json")) for part in PARTS}
    if not any(path.is_file() for path in lists.values()):
        raise _absent(root)
    found = find_paths(root, ("images",), (".jpg", ".png"))
    return build_samples("path-vqa", root, list(_from_lists(lists, found)), found)


def _from_lists(lists: dict[str, Path], found: set[str]) -> Iterator[Asked]:
    paths = {PurePosixPath(path).stem: path for path in sorted(found, reverse=True)}
    for part, path in lists.items():
        for number, entry in enumerate(read_entries(path, ("image", "question", "answer")), start=1):
            name = str(entry["image"] or "").strip()
            image = paths.get(name, f"images/{part}/{name}.jpg")
            yield _asked(part, number, name, image, entry["question"], entry["answer"], f"{path}, entry {number}")


def _from_parquet(root: Path, paths: list[Path]) -> Iterator[Asked]:
    import pyarrow as pa
    from pyarrow import parquet

    counts = dict.fromkeys(PARTS, 0)
    first: dict[str, str] = {}
    for path in paths:
        refuse_link_out(path, root.resolve())
        part = _PARQUET.get(path.name.split("-")[0].removesuffix(".parquet"), path.name)
        place, row = path.relative_to(root).as_posix(), 0
        try:
            with parquet.ParquetFile(path) as file:
                _check_columns(path, file.schema_arrow)
                for batch in file.iter_batches(_ROWS, columns=_COLUMNS):
                    for one in batch.to_pylist():
                        data = (one["image"] or {}).get("bytes") or b""
                        name = hashlib.sha256(data).hexdigest()[:_ID] if data else ""
                        image = first.setdefault(name, f"{place}/image/{row}") if data else ""
                        counts[part] = counts.get(part, 0) + 1
                        where = f"{path}, row {row}"
                        yield _asked(part, counts[part], name, image, one["question"], one["answer"], where)
                        row += 1
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DatasetError(f"{path} cannot be read", why, "download the file again") from error


def _check_columns(path: Path, schema: pa.Schema) -> None:
    import pyarrow as pa

    wanted = f"it needs {', '.join(map(repr, _COLUMNS))}, and of every image a struct with its 'bytes'"
    if lacking := [name for name in _COLUMNS if name not in schema.names]:
        raise DatasetError(f"{path} has no column {', '.join(map(repr, lacking))}", wanted, "use the file as published")
    kind = schema.field("image").type
    held = {one.name: one.type for one in kind}.get("bytes") if pa.types.is_struct(kind) else None
    if held is None or not (pa.types.is_binary(held) or pa.types.is_large_binary(held)):
        raise DatasetError(f"the column 'image' of {path} is of type {kind}", wanted, "use the file as published")


def _asked(part: str, number: int, name: str, image: str, text: object, answer: object, where: str) -> Asked:
    closed = is_yes_or_no(answer)
    words = [word for word in str(text).lower().split() if word in KINDS]
    kind = "yes/no" if closed else words[0] if words else "other"
    return Asked(f"{part}-{number:05d}", name, image, text, answer, closed, kind, part, where)


def _absent(root: Path) -> DatasetError:
    pickles = sorted((*root.glob("*.pkl"), *root.glob("qas/**/*.pkl")))
    if pickles:
        return DatasetError(
            f"{pickles[0].relative_to(root)} in {root} is a pickle",
            "a pickle may run any code when it is read, so benchx reads none of a dataset",
            "use the Parquet files of flaviagiammarino/path-vqa, or write the lists as qas/PART_qas.json",
        )
    return DatasetError(
        f"neither data/*.parquet nor qas/train_qas.json is in {root}",
        found_in(root),
        "point --root path-vqa=DIR at the folder that holds one of them",
    )


DATASET = Dataset(
    name="path-vqa",
    title="PathVQA",
    licence="MIT",
    source="huggingface.co/datasets/flaviagiammarino/path-vqa",
    citation="He et al., PathVQA, arXiv:2003.10286, 2020",
    size="32 795 questions on 4 998 images, 0.8 GB",
    tasks=("vqa",),
    family="path-vqa",
    classes=(),
    read=read,
)

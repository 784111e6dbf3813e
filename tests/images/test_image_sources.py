"""Bytes of images that lie inside Parquet files: the right ones, from any thread, in bounded memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from benchx.images import sources
from benchx.images.decode import UnreadableImage, read
from benchx.images.sources import read_bytes, stat_of

KIND = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def write(path: Path, contents: list[bytes | None], group: int = 4) -> Path:
    images = [{"bytes": content, "path": None} for content in contents]
    table = pa.table({"image": pa.array(images, KIND), "number": range(len(contents))})
    if path.suffix == ".arrow":
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=group)
    else:
        parquet.write_table(table, path, row_group_size=group)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_every_row_from_many_threads(tmp_path, name):
    path = write(tmp_path / name, [b"%d" % number for number in range(50)])
    with ThreadPoolExecutor(8) as pool:
        read_back = list(pool.map(read_bytes, [path / "image" / str(row) for row in range(50)]))
    assert read_back == [b"%d" % number for number in range(50)]
    assert stat_of(path / "image" / "7") == path.stat()


def test_a_row_group_is_read_once_for_its_images(tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet", [bytes([number]) for number in range(8)])
    groups = []
    original = sources._read_group
    monkeypatch.setattr(sources, "_read_group", lambda *asked: groups.append(asked[-1]) or original(*asked))
    assert [read_bytes(path / "image" / str(row)) for row in range(8)] == [bytes([number]) for number in range(8)]
    assert groups == [0, 1]


def test_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_CACHE_BYTES", 1000)
    path = write(tmp_path / "a.parquet", [bytes(400)] * 6, group=1)
    for row in range(6):
        read_bytes(path / "image" / str(row))
    assert sum(kept.size for kept in sources._ROWS._groups.values()) <= 1000


def test_a_changed_file_is_read_again(tmp_path):
    path = write(tmp_path / "a.parquet", [b"old"])
    assert read_bytes(path / "image" / "0") == b"old"
    write(path, [b"new and longer"])
    assert read_bytes(path / "image" / "0") == b"new and longer"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("image/9", "a.parquet has no row 9"),
        ("image/x", "'x' is not a row of a.parquet"),
        ("scan/0", "a.parquet has no images in a column 'scan'"),
        ("number/0", "a.parquet has no images in a column 'number'"),
        ("image/1", "row 1 of a.parquet holds no image"),
        ("image/2", "the file has zero bytes"),
        ("image/0", "not a PNG, JPEG or DICOM file"),
    ],
)
def test_what_cannot_be_read_has_a_reason(tmp_path, place, says):
    path = write(tmp_path / "a.parquet", [b"noise", None, b""])
    with pytest.raises(UnreadableImage) as caught:
        read(path / place)
    assert caught.value.why == says


@pytest.mark.parametrize("kind", [pa.ArrowNotImplementedError, pa.ArrowCapacityError, pa.ArrowKeyError])
def test_a_group_that_arrow_cannot_read_has_a_reason_in_one_line(tmp_path, monkeypatch, kind):
    path = write(tmp_path / "a.parquet", [b"noise"])

    def fail(*asked: object, **options: object) -> None:
        raise kind("Nested data conversions\nnot implemented")

    monkeypatch.setattr(parquet.ParquetFile, "read_row_group", fail)
    with pytest.raises(UnreadableImage) as caught:
        read(path / "image" / "0")
    assert caught.value.why.startswith("row 0 of a.parquet: ")
    assert "Nested data conversions not implemented" in caught.value.why


def test_a_damaged_container_and_a_missing_file_have_reasons(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 noise PAR1")
    with pytest.raises(UnreadableImage) as caught:
        read(tmp_path / "a.parquet" / "image" / "0")
    assert caught.value.why
    with pytest.raises(UnreadableImage, match="the file is missing"):
        read(tmp_path / "b.parquet" / "image" / "0")
    with pytest.raises(OSError, match=r"a\.png"):
        stat_of(tmp_path / "a.png")

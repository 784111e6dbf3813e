"""Files that are there whole or not at all."""

from __future__ import annotations

import os

import pytest

from benchx.errors import UsageError
from benchx.writing import write_file


def test_a_file_is_written_with_its_folder_and_replaced_whole(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_file(path, b"first, and longer")
    write_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_full_disk_is_named_and_what_stood_there_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_bytes(b"first")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match="No space left on device") as refused:
        write_file(path, b"second")
    assert refused.value.what == f"{path} could not be written"
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize(("place", "why"), [(".", "no regular file"), ("file/below", "Not a directory|File exists")])
def test_a_place_where_no_file_can_be_is_a_usage_error(tmp_path, place, why):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="could not be written") as refused:
        write_file(tmp_path / place, b"text")
    assert any(one in refused.value.why for one in why.split("|")), refused.value.why
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

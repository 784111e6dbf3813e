"""Official files that do not fit are refused with file, line and remedy."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from benchx.datasets.files import read_csv, read_json, read_list, read_numbers, refuse_others, refuse_unknown
from benchx.datasets.folders import find_images
from benchx.errors import DatasetError


def test_a_table_may_have_a_byte_order_mark_crlf_blanks_in_the_header_and_gzip(tmp_path):
    plain, packed = tmp_path / "t.csv", tmp_path / "t.csv.gz"
    content = "\ufeffImageId, EncodedPixels\r\na,-1\r\nb,\r\n".encode()
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    for path in (plain, packed):
        table = read_csv(path, ("ImageId", "EncodedPixels"))
        assert table["ImageId"].tolist() == ["a", "b"]
        assert table["EncodedPixels"].isna().tolist() == [False, True]


def test_texts_stay_texts(tmp_path):
    (tmp_path / "t.csv").write_text("id,value\n007,NA\n1e3,nan\n")
    table = read_csv(tmp_path / "t.csv", ("id",))
    assert table.to_numpy().tolist() == [["007", "NA"], ["1e3", "nan"]]


def test_a_list_without_header_loses_no_line(tmp_path):
    (tmp_path / "train.txt").write_text("1 a.png positive cohen\n2 b.png negative rsna\n")
    table = read_csv(tmp_path / "train.txt", ("patient", "file", "class", "source"), separator=" ", header=False)
    assert table["file"].tolist() == ["a.png", "b.png"]


def test_a_wrong_root_says_what_was_expected_and_found(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "readme.txt").touch()
    with pytest.raises(DatasetError, match=r"labels.csv is not in .*\n.*found there: pictures/, readme.txt"):
        read_csv(tmp_path / "labels.csv", ("id",))
    with pytest.raises(DatasetError, match="there is no folder"):
        read_csv(tmp_path / "nowhere" / "labels.csv", ("id",))
    with pytest.raises(DatasetError, match=r"no folder images in .*\n.*found there: pictures/"):
        find_images(tmp_path, ("images",), (".png",))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name,value\na,1\n", "has no column 'id'\nwhy: found: name, value"),
        (b"id,value\n", "holds no rows"),
        (b"", "cannot be read as a CSV"),
        (b"id,value\n\xff\xfe,1\n", "cannot be read as a CSV"),
        (b"id,value\na,1\nb,1,2,3\n", "line 3, saw 4"),
        (b"id,value\na,1,\nb,2,\n", "line 2: the row has more cells than the header has columns"),
        (b"id,value\na,1\n\nb,2\n", "line 3 is blank"),
        (b"id,value, value\na,1,2\n", "two columns 'value'"),
    ],
)
def test_a_malformed_table_is_named(tmp_path, content, says):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DatasetError, match="t.csv") as raised:
        read_csv(tmp_path / "t.csv", ("id",))
    assert says in str(raised.value)


def test_a_text_that_slipped_into_the_header_is_cut(tmp_path):
    (tmp_path / "t.csv").write_text("7," + "The heart is large. " * 20 + "\n8,b\n")
    with pytest.raises(DatasetError, match="has no column 'id'") as raised:
        read_csv(tmp_path / "t.csv", ("id",))
    assert "(399 characters)" in str(raised.value)
    assert len(str(raised.value)) < 400


def test_blank_lines_at_the_end_do_not_matter(tmp_path):
    (tmp_path / "t.csv").write_text("id,value\na,1\n\n\n")
    assert len(read_csv(tmp_path / "t.csv", ("id",))) == 1


@pytest.mark.parametrize("content", [b"{", b"\xff", b"", b"[" * 100_000])
def test_what_is_not_json_is_one_error(tmp_path, content):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(DatasetError, match="t.json is not JSON"):
        read_json(tmp_path / "t.json")
    with pytest.raises(DatasetError, match="u.json is not in"):
        read_json(tmp_path / "u.json")


def test_a_damaged_gzip_is_named(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"id,value\n" + b"a,1\n" * 1000)[:40])
    with pytest.raises(DatasetError, match="cannot be read as a CSV"):
        read_csv(tmp_path / "t.csv.gz", ("id",))


def test_values_are_named_with_their_line(tmp_path):
    path = tmp_path / "t.csv"
    with pytest.raises(DatasetError, match=r"t.csv, line 3: x is '1O'\nwhy: it must be a number"):
        read_numbers(pd.Series(["1.5", "1O"], name="x"), path)
    with pytest.raises(DatasetError, match="line 2: x is 'inf'"):
        read_numbers(pd.Series(["inf"], name="x"), path)
    numbers = read_numbers(pd.Series(["1.5", None], name="x"), path)
    assert numbers[0] == 1.5
    assert np.isnan(numbers[1])
    with pytest.raises(DatasetError, match=r"line 3: class is 'maybe'\nwhy: it must be one of: positive, negative"):
        refuse_others(pd.Series(["positive", "maybe"], name="class"), ("positive", "negative"), path)
    with pytest.raises(DatasetError, match="line 2: class is empty"):
        refuse_others(pd.Series([None], name="class"), ("positive",), path)


def test_a_list_with_an_unknown_id_is_refused(tmp_path):
    (tmp_path / "test.txt").write_bytes(b"\xef\xbb\xbfa\r\n\r\nb\r\n")
    listed = read_list(tmp_path / "test.txt")
    assert listed == ["a", "b"]
    with pytest.raises(DatasetError, match=r"test.txt, entry 2: 'b' is not in labels.csv\nwhy: 1 of 2"):
        refuse_unknown(listed, ["a"], tmp_path / "test.txt", "labels.csv")
    with pytest.raises(DatasetError, match="val.txt is not in"):
        read_list(tmp_path / "val.txt")

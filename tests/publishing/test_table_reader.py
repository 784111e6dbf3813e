"""Tables of strangers are read in a process that they may end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from made_results import contents, first

from benchx.publishing.columns import COLUMNS
from benchx.publishing.table_reader import TableReader

COLUMNS_OF_THREE = COLUMNS["classification"](("Effusion", "Cardiomegaly", "Mass"))


class Deadly(bytes):
    """A table that ends the process that it is sent to."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_reader_that_dies_is_said_to_and_the_next_table_is_read(bundle):
    files = contents(bundle)
    table = files[first(files, ".parquet")]
    with TableReader() as reader:
        assert len(reader.read(table, COLUMNS_OF_THREE, labelled=True)) == 60
        with pytest.raises(ValueError, match="the reader died"):
            reader.read(Deadly(b""), COLUMNS_OF_THREE, labelled=True)
        assert len(reader.read(table, COLUMNS_OF_THREE, labelled=True)) == 60
        with pytest.raises(ValueError, match="not a readable parquet file"):
            reader.read(table[:-9], COLUMNS_OF_THREE, labelled=True)


def test_a_script_without_a_main_guard_or_a_file_can_verify(bundle):
    code = f"import pathlib, benchx.publishing.verify as v\nprint(v.verify(pathlib.Path({str(bundle)!r})).sound)\n"
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"

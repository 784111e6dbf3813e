"""Prediction tables as bytes: written with known columns only, read from strangers within limits."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchx.publishing.columns import GROUP, Columns, Kind
from benchx.publishing.verdict import counted

MAX_VALUES = 100_000_000
"""Rows times columns of one table."""

CODECS = ("SNAPPY", "UNCOMPRESSED")
"""Those that cannot blow a small file up: what snappy packs grows about twentyfold at most."""

MAX_IDENTIFIER = 256
"""Characters of the id of a sample or a cluster."""

MAX_LISTED = 10
"""Ids that one row may name."""

_LONGEST = {"name": MAX_IDENTIFIER, "names": MAX_LISTED * (MAX_IDENTIFIER + 1)}


def write_table(table: pd.DataFrame, columns: Columns) -> bytes:
    """Return a prediction table as parquet. Columns that the task's tables do not have are left out."""
    known = [name for name in table.columns if name in columns.kinds or str(name).startswith(GROUP)]
    buffer = io.BytesIO()
    plain = pa.Table.from_pandas(table[known], preserve_index=False).replace_schema_metadata(None)
    pq.write_table(plain, buffer, compression="snappy")
    return buffer.getvalue()


def read_table(content: bytes, columns: Columns, *, labelled: bool) -> pd.DataFrame:
    """Read the predictions of a cell, as bundled by anybody.

    The parquet library can be made to end the process: see `benchx.publishing.table_reader`.

    Args:
        columns: of the cell.
        labelled: whether the table must hold the columns that tell the truth; otherwise it must hold neither these
            nor groups.

    Returns:
        The columns of the task; groups are not read.

    Raises:
        ValueError: it is no parquet file, too large, or has other columns or types; says which.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _refuse_large(file.metadata)
        kinds = _kinds(file.schema_arrow, columns if labelled else columns.without_truth(), labelled=labelled)
        texts = [name for name, kind in kinds.items() if kind in _LONGEST]
        packed = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
        read = packed.read(columns=list(kinds))
        _refuse_long(read, {name: _LONGEST[kinds[name]] for name in texts})
        table = read.to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is not a readable parquet file: {str(error).partition(chr(10))[0]}") from error
    for name in texts:
        if table[name].isna().any():
            raise ValueError(f"column '{name}' is empty on a row")
        table[name] = table[name].astype(object)
    return table


def _refuse_large(metadata: pq.FileMetaData) -> None:
    chunks = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(chunk.num_rows for chunk in chunks))
    if rows * metadata.num_columns > MAX_VALUES:
        raise ValueError(f"it claims {rows} rows of {metadata.num_columns} columns, too many to read")
    codecs = {chunk.column(index).compression for chunk in chunks for index in range(chunk.num_columns)}
    if unknown := sorted(codecs - set(CODECS)):
        raise ValueError(f"it is compressed by {unknown[0]}; a bundle uses snappy")


def _refuse_long(table: pa.Table, limits: dict[str, int]) -> None:
    for name, limit in limits.items():
        for chunk in table[name].chunks:
            longest = pc.max(pc.utf8_length(chunk.dictionary)).as_py() or 0
            if longest > limit:
                raise ValueError(f"column '{name}' holds an id of {longest} characters, at most {limit} are read")


def _kinds(schema: pa.Schema, columns: Columns, *, labelled: bool) -> dict[str, Kind]:
    """Return the columns to read, after making sure that they are there as they should be, and no others."""
    found = [name for name in schema.names if not (labelled and name.startswith(GROUP))]
    if len(set(schema.names)) < len(schema.names):
        raise ValueError("it has two columns of one name")
    wanted = dict(columns.needed)
    for group in columns.optional:
        if any(name in group for name in found):
            wanted |= group
    if lacking := [name for name in wanted if name not in found]:
        raise ValueError(f"it lacks {counted(len(lacking), 'column')}, first '{lacking[0]}'")
    if surplus := [name for name in found if name not in wanted]:
        raise ValueError(f"it has {counted(len(surplus), 'column')} too many, first '{surplus[0]}'")
    for name, kind in wanted.items():
        if not _fits(schema.field(name).type, kind):
            raise ValueError(f"column '{name}' is of type {schema.field(name).type}")
    return wanted


def _fits(found: pa.DataType, kind: Kind) -> bool:
    if kind in _LONGEST:
        found = found.value_type if pa.types.is_dictionary(found) else found
        return pa.types.is_string(found) or pa.types.is_large_string(found)
    if kind in ("fold", "code"):
        return pa.types.is_int8(found)
    return pa.types.is_int64(found) if kind == "count" else pa.types.is_float32(found)

"""Prediction tables as bytes: written with known columns only, read from strangers within limits."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchx.publishing.verdict import counted

MAX_VALUES = 100_000_000
"""Rows times columns of one table."""

CODECS = ("SNAPPY", "UNCOMPRESSED")
"""Those that cannot blow a small file up: what snappy packs grows about twentyfold at most."""

MAX_IDENTIFIER = 256
"""Characters of the id of a sample or a cluster."""

IDENTIFIERS = ("sample", "cluster")


def write_table(table: pd.DataFrame) -> bytes:
    """Return a prediction table as parquet. Columns that no prediction table has are left out."""
    known = [name for name in table.columns if name in (*IDENTIFIERS, "fold") or _kind(name)]
    buffer = io.BytesIO()
    plain = pa.Table.from_pandas(table[known], preserve_index=False).replace_schema_metadata(None)
    pq.write_table(plain, buffer, compression="snappy")
    return buffer.getvalue()


def read_table(content: bytes, classes: Sequence[str], *, labelled: bool) -> pd.DataFrame:
    """Read the predictions of a cell, as bundled by anybody.

    The parquet library can be made to end the process: see `benchx.publishing.table_reader`.

    Args:
        classes: of the cell.
        labelled: whether the table must hold labels; otherwise it must hold neither labels nor groups.

    Returns:
        Columns `sample`, `cluster`, `fold`, the scores, and where labelled the labels; groups are not read.

    Raises:
        ValueError: it is no parquet file, too large, or has other columns or types; says which.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _refuse_large(file.metadata)
        needed = _columns(file.schema_arrow, classes, labelled=labelled)
        packed = pq.ParquetFile(pa.BufferReader(content), read_dictionary=list(IDENTIFIERS))
        read = packed.read(columns=needed)
        _refuse_long(read)
        table = read.to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is not a readable parquet file: {str(error).partition(chr(10))[0]}") from error
    for name in IDENTIFIERS:
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


def _refuse_long(table: pa.Table) -> None:
    for name in IDENTIFIERS:
        for chunk in table[name].chunks:
            longest = pc.max(pc.utf8_length(chunk.dictionary)).as_py() or 0
            if longest > MAX_IDENTIFIER:
                raise ValueError(
                    f"column '{name}' holds an id of {longest} characters, at most {MAX_IDENTIFIER} are read"
                )


def _columns(schema: pa.Schema, classes: Sequence[str], *, labelled: bool) -> list[str]:
    """Return the columns to read, after making sure that they are there as they should be, and no others."""
    kinds = ("score", "label") if labelled else ("score",)
    needed = [*IDENTIFIERS, "fold", *(f"{kind}:{name}" for name in classes for kind in kinds)]
    found = [name for name in schema.names if not (labelled and _kind(name) == "group")]
    if len(set(schema.names)) < len(schema.names):
        raise ValueError("it has two columns of one name")
    if lacking := [name for name in needed if name not in found]:
        raise ValueError(f"it lacks {counted(len(lacking), 'column')}, first '{lacking[0]}'")
    if surplus := [name for name in found if name not in needed]:
        raise ValueError(f"it has {counted(len(surplus), 'column')} too many, first '{surplus[0]}'")
    for name in found:
        if not _fits(schema.field(name).type, name):
            raise ValueError(f"column '{name}' is of type {schema.field(name).type}")
    return needed


def _fits(kind: pa.DataType, name: str) -> bool:
    if name in IDENTIFIERS:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return pa.types.is_int8(kind) if name == "fold" else pa.types.is_float32(kind)


def _kind(name: str) -> str | None:
    kind, colon, _ = name.partition(":")
    return kind if colon and kind in ("score", "label", "group") else None

"""`benchx store status`: how many cells of what are in which state."""

from __future__ import annotations

from typing import Any

from benchx.results.store import Store


def status_rows(store: Store) -> list[dict[str, Any]]:
    """Return one row per suite, method, dataset, protocol, data kind and state, with the number of cells."""
    table = store.to_pandas()
    by = ["suite", "method", "dataset", "protocol", "data", "state"]
    counts = table.groupby(by, sort=True, dropna=False).agg(cells=("key", "size"), reason=("reason", "first"))
    rows = [{str(name): value for name, value in row.items()} for row in counts.reset_index().to_dict(orient="records")]
    return [
        row | {name: row[name] if isinstance(row[name], str) else None for name in ("data", "reason")} for row in rows
    ]

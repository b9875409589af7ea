"""The numbers that expectations look at: one query over all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ordinis_learn.datasets.expectations import Suite
from ordinis_learn.labelling import open_queries

__all__ = ["aggregate", "count_rows_where", "measure", "out_of_order", "quoted", "schema_faults"]


def measure(
    rows: Any, *, suite: Suite, given: Mapping[str, float | None], parameters: Mapping[str, Any] | None = None
) -> dict[str, float | None]:
    """Compute the total of every expectation.

    Parameters
    ----------
    rows : pa.Table or pyarrow.dataset.Dataset
        All rows. A dataset of Parquet files is read as it goes, never whole.
    suite : Suite
        Names the totals and how they are measured.
    given : mapping
        Totals that are no aggregate: the association of features with labels, the order of rows.
    parameters : mapping, optional
        Values of ``$name`` placeholders in measures.

    Returns
    -------
    dict
        A number per expectation; what reads a column that is missing or of another type has none.
    """
    faults = schema_faults(rows.schema, suite=suite)
    found: dict[str, float | None] = {f"wrong_schema({name})": float(name in faults) for name in suite.schema}
    present = set(rows.schema.names)
    measured = [
        entry
        for entry in suite.expectations
        if entry.measure and not faults.intersection(entry.columns) and present.issuperset(entry.columns)
    ]
    if measured:
        numbers = aggregate(rows, [entry.measure for entry in measured], parameters=parameters)
        found.update(zip((entry.name for entry in measured), numbers, strict=True))
    return {**found, **given}


def schema_faults(schema: pa.Schema, *, suite: Suite) -> set[str]:
    """Return the columns of the suite that are missing or have another type."""
    types = {field.name: str(field.type) for field in schema}
    return {name for name, expected in suite.schema.items() if types.get(name) != expected}


def out_of_order(rows: Any, *, column: str, within: str) -> float | None:
    """Count rows whose value is below the one before of the same group; nulls are passed over.

    Rows of different groups may lie in any order: a large dataset is stored symbol bucket by symbol bucket.
    None without the columns.
    """
    if not {column, within}.issubset(rows.schema.names):
        return None
    count, last = 0, dict[str, Any]()
    scanned = rows.select([within, column]) if isinstance(rows, pa.Table) else rows
    options = {} if isinstance(rows, pa.Table) else {"columns": [within, column]}
    for batch in scanned.to_batches(**options):
        known = batch.filter(batch.column(1).is_valid())
        groups = known.column(0).dictionary_encode()
        codes, values = np.asarray(groups.indices), known.column(1).to_numpy(zero_copy_only=False)
        order = np.argsort(codes, kind="stable")
        codes, values = codes[order], values[order]
        same = codes[1:] == codes[:-1]
        count += int(((values[1:] < values[:-1]) & same).sum())
        edges = np.flatnonzero(~same)
        names = (
            groups.dictionary.take(pa.array(codes[np.append(edges, -1)])).to_pylist() if len(codes) else []
        )
        for name, first, final in zip(names, np.append(0, edges + 1), np.append(edges, -1), strict=False):
            count += int(name in last and values[first] < last[name])
            last[name] = values[final]
    return float(count)


def quoted(name: str) -> str:
    """Return a column's name as SQL reads it, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def count_rows_where(predicate: str) -> str:
    """Return the aggregate that counts the rows of which a predicate is true."""
    return f"count(*) FILTER (WHERE {predicate})"


def aggregate(
    rows: Any, measures: Sequence[str], *, parameters: Mapping[str, Any] | None = None
) -> list[float | None]:
    """Return DuckDB aggregates over a table or dataset, in one pass."""
    columns = ", ".join(f"CAST({text} AS DOUBLE) AS t{n}" for n, text in enumerate(measures))
    sql = f"SELECT {columns} FROM rows"  # noqa: S608  measures are code, and names are quoted
    used = {name: value for name, value in (parameters or {}).items() if f"${name}" in sql}
    with open_queries() as queries:
        (row,) = queries.run(sql, tables={"rows": rows}, parameters=used).to_pylist()
    return list(row.values())

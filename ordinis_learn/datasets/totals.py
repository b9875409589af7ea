"""The numbers that expectations look at: what follows from extremes, and one query over all rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.datasets.expectations import Expectation, Suite
from ordinis_learn.datasets.extremes import extremes_of
from ordinis_learn.labelling import open_queries

__all__ = ["aggregate", "count_rows_where", "measure", "out_of_order", "quoted", "schema_faults"]

Column = npt.NDArray[Any]
Codes = npt.NDArray[np.int32]
_FEW: Final = 100
"""Falls in a batch up to which its rows are taken for parts in order."""


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
    present = set(rows.schema.names) - faults
    asked = [entry for entry in suite.expectations if present.issuperset(entry.columns)]
    found: dict[str, float | None] = {f"wrong_schema({name})": float(name in faults) for name in suite.schema}
    extremes = extremes_of(
        rows, [rule.column for entry in asked for rule in (entry.rule, entry.idle) if rule]
    )
    left: list[Expectation] = []
    for entry in asked:
        if entry.rule is not None:
            found[entry.name] = entry.rule.total(extremes[entry.rule.column])
        elif entry.idle is not None and not entry.idle.total(extremes[entry.idle.column]):
            found[entry.name] = 0.0
        elif entry.measure:
            left.append(entry)
    # Beside a DISTINCT DuckDB computes everything else of the query twice as slowly.
    for distinct in (True, False):
        some = [entry for entry in left if ("DISTINCT" in entry.measure) is distinct]
        numbers = aggregate(rows, [entry.measure for entry in some], parameters=parameters) if some else []
        found.update(zip((entry.name for entry in some), numbers, strict=True))
    return {**found, **given}


def schema_faults(schema: pa.Schema, *, suite: Suite) -> set[str]:
    """Return the columns of the suite that are missing or have another type."""
    types = {field.name: str(field.type) for field in schema}
    return {name for name, expected in suite.schema.items() if types.get(name) != expected}


def out_of_order(rows: Any, *, column: str, within: str | None = None) -> float | None:
    """Count rows whose value is below the one before; nulls are passed over. None without the columns.

    Parameters
    ----------
    rows : pa.Table or pyarrow.dataset.Dataset
        All rows.
    column : str
        Dates, times or numbers.
    within : str, optional
        Only rows with the same string here are compared: a large dataset is stored bucket by bucket of symbols.
    """
    names = [column] if within is None else [column, within]
    if not set(names).issubset(rows.schema.names):
        return None
    count, last = 0, dict[str, Any]()
    scanned = rows.select(names) if isinstance(rows, pa.Table) else rows
    options = {} if isinstance(rows, pa.Table) else {"columns": names}
    for batch in scanned.to_batches(**options):
        known = batch.drop_null() if any(one.null_count for one in batch.columns) else batch
        values = known.column(0).to_numpy(zero_copy_only=False)
        groups = (pa.repeat("", len(known)) if within is None else known.column(1)).dictionary_encode()
        names_of, codes = groups.dictionary.to_pylist(), np.asarray(groups.indices)
        for start, stop, falls in _runs(values, codes=codes):
            count += falls
            for code, first, final in _ends(codes[start:stop], groups=len(names_of)):
                name = names_of[code]
                count += int(name in last and values[start + first] < last[name])
                last[name] = values[start + final]
    return float(count)


def _runs(values: Column, *, codes: Codes) -> Iterator[tuple[int, int, int]]:
    """Split rows into runs, each with the count of rows in it that are below the one before of the same code.

    A dataset is in order, or in order bucket by bucket: a few runs that never fall. Only others are sorted.
    """
    cuts = (np.flatnonzero(values[1:] < values[:-1]) + 1).tolist()
    if len(cuts) <= _FEW:
        yield from ((start, stop, 0) for start, stop in pairwise([0, *cuts, len(values)]))
        return
    order = np.argsort(codes, kind="stable")
    falls = (values[order][1:] < values[order][:-1]) & (codes[order][1:] == codes[order][:-1])
    yield 0, len(values), int(falls.sum())


def _ends(codes: Codes, *, groups: int) -> Iterator[tuple[int, int, int]]:
    """Return each code that is there with its first and its last row."""
    rows = np.arange(len(codes))
    first, final = np.full(groups, -1), np.full(groups, -1)
    # Of several rows with one code the last that is written counts.
    first[codes[::-1]], final[codes] = rows[::-1], rows
    there = np.flatnonzero(final >= 0)
    yield from zip(there.tolist(), first[there].tolist(), final[there].tolist(), strict=True)


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

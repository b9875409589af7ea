"""One SQL text over Arrow tables, in a private in-memory DuckDB.

Every query of :mod:`ordinis_learn.labelling` and :mod:`ordinis_learn.datasets` is a constant text that goes
through here, so that its hash can be recorded in a manifest. Nothing is read from or written to disk, and no
extension is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb
import pyarrow as pa

from ordinis_learn.errors import DataCorrupt

__all__ = ["run_query"]

_CONFIG: Final = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}


def run_query(
    sql: str,
    *,
    tables: Mapping[str, pa.Table],
    parameters: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> pa.Table:
    """Return the rows of a query; timestamps come back in UTC.

    Parameters
    ----------
    sql : str
        One statement with an ORDER BY, which is what makes the answer independent of ``threads``.
    tables : mapping
        Arrow tables by the name that the statement gives them.
    parameters : mapping, optional
        Values of ``$name`` placeholders; all of them must occur in the statement.
    threads : int, optional
        How many threads DuckDB may use; its own choice where not given.

    Raises
    ------
    DataCorrupt
        A stored payload cannot be read as the JSON that was captured.

    Examples
    --------
    >>> events = pa.table({"payload": ['{"x": 2.5}', '{"x": 1}']})
    >>> query = "SELECT CAST(payload->'$.x' AS DOUBLE) AS x FROM events ORDER BY x"
    >>> run_query(query, tables={"events": events}).to_pydict()
    {'x': [1.0, 2.5]}
    """
    config: dict[str, Any] = dict(_CONFIG) if threads is None else {**_CONFIG, "threads": threads}
    try:
        with duckdb.connect(":memory:", config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name, table in tables.items():
                connection.register(name, table)
            return connection.sql(sql, params=dict(parameters or {})).to_arrow_table()
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise DataCorrupt(
            f"query the captured events ({', '.join(tables)})",
            found=str(error).splitlines()[0],
            next_step="compare the payload column of the event log with a backup; nothing was written",
        ) from error

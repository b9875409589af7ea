"""One SQL text over Arrow tables, in a private in-memory DuckDB.

Every query of :mod:`ordinis_learn.labelling` and :mod:`ordinis_learn.datasets` is a constant text that goes
through here, so that its hash can be recorded in a manifest. Nothing is read from or written to disk, and no
extension is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import duckdb
import pyarrow as pa

from ordinis_learn.errors import DataCorrupt

__all__ = ["Queries", "open_queries"]

_CONFIG: Final = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}


class Queries:
    """A private database for a few queries after each other; one thread at a time.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        In memory, with the time zone set to UTC.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def run(
        self, sql: str, *, tables: Mapping[str, pa.Table], parameters: Mapping[str, Any] | None = None
    ) -> pa.Table:
        """Return the rows of one query; timestamps come back in UTC.

        Parameters
        ----------
        sql : str
            One statement with an ORDER BY, which is what makes the answer independent of the threads.
        tables : mapping
            Arrow tables by the name that the statement gives them.
        parameters : mapping, optional
            Values of ``$name`` placeholders; all of them must occur in the statement.

        Raises
        ------
        DataCorrupt
            A stored payload cannot be read as the JSON that was captured.
        """
        for name, table in tables.items():
            self._connection.register(name, table)
        try:
            return self._connection.sql(sql, params=dict(parameters or {})).to_arrow_table()
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            raise DataCorrupt(
                f"query the captured events ({', '.join(tables)})",
                found=str(error).splitlines()[0],
                next_step="compare the payload column of the event log with a backup; nothing was written",
            ) from error


@contextmanager
def open_queries(*, threads: int | None = None) -> Iterator[Queries]:
    """Open a private database; opening costs about 13 ms, a small query 3 ms.

    Parameters
    ----------
    threads : int, optional
        How many threads DuckDB may use; its own choice where not given.

    Examples
    --------
    >>> events = pa.table({"payload": ['{"x": 2.5}', '{"x": 1}']})
    >>> with open_queries(threads=1) as queries:
    ...     found = queries.run(
    ...         "SELECT CAST(payload->'$.x' AS DOUBLE) AS x FROM events ORDER BY x", tables={"events": events}
    ...     )
    >>> found.to_pydict()
    {'x': [1.0, 2.5]}
    """
    config: dict[str, Any] = dict(_CONFIG) if threads is None else {**_CONFIG, "threads": threads}
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield Queries(connection)

"""Columns of a table, and the session of each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.drift.binning import Float1D, Int1D
from ordinis_learn.errors import DataMissing
from ordinis_learn.labelling import FEATURE_PREFIX

__all__ = ["Rows"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """A table with the session of each row.

    Attributes
    ----------
    table : pyarrow.Table
    days : datetime64[D] array, shape (T,)
        The sessions that occur, increasing.
    session : int64 array, shape (n,)
        Index of each row's session in ``days``.
    """

    table: pa.Table
    days: npt.NDArray[np.datetime64]
    session: Int1D

    @classmethod
    def of(cls, table: pa.Table, *, asked: str, side: str) -> Rows:
        """Read the sessions of a table with at least one row."""
        if table.num_rows == 0:
            raise DataMissing(
                asked,
                found=f"the {side} window has no rows",
                next_step="choose a window with captured signals; `ordinis-learn events` counts what there is",
            )
        if "session" not in table.column_names:
            raise DataMissing(
                asked,
                found=f"the {side} rows have no column 'session'",
                next_step="pass rows of a dataset built by this package",
            )
        if table["session"].null_count:
            raise DataMissing(
                asked,
                found=f"{table['session'].null_count} of the {side} rows have no session",
                next_step="pass rows of a dataset built by this package",
            )
        days, session = np.unique(table["session"].to_numpy().astype("datetime64[D]"), return_inverse=True)
        return cls(table=table, days=days, session=session.astype(np.int64))

    def feature(self, name: str) -> Float1D | None:
        """Return a feature's values, one per row, None where the table has no such column."""
        column = FEATURE_PREFIX + name
        if column not in self.table.column_names:
            return None
        kind = self.table.schema.field(column).type
        if not (_is_number(kind) or pa.types.is_null(kind)):
            raise DataMissing(
                f"read feature {name!r}",
                found=f"a column {column!r} of type {kind}",
                next_step="pass numbers: features are captured as such",
                feature=name,
            )
        values: Float1D = self.table[column].to_numpy().astype(np.float64, copy=False)
        return values


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))

"""The features that signals carried, as columns."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from ordinis_learn.labelling import open_queries

__all__ = ["FEATURE_PREFIX", "FEATURE_QUERIES", "read_features"]

FEATURE_PREFIX: Final = "f_"
"""In front of a feature's name in a dataset, so that it cannot collide with another column."""

_NAMES: Final = """
SELECT DISTINCT unnest(json_keys(payload, '/metadata/features')) AS name FROM signals ORDER BY name
"""

# One parse per payload; a list, because struct fields in DuckDB do not tell upper from lower case.
_VALUES: Final = """
SELECT event_id, try_cast(json_extract_string(payload, $pointers) AS DOUBLE[]) AS value
FROM signals ORDER BY event_id
"""

FEATURE_QUERIES: Final = (_NAMES, _VALUES)
"""The SQL texts behind the feature columns, for the manifest's ``query_hash``."""


def read_features(signals: pa.Table) -> pa.Table:
    """Return ``metadata.features`` of every signal.

    Parameters
    ----------
    signals : pa.Table
        A scan of ``ordinis.signals.generated``.

    Returns
    -------
    pa.Table
        Ordered by event_id: event_id, then a float64 column ``f_<name>`` per feature that any signal
        carried, by name; null where a signal did not carry it.
    """
    with open_queries() as queries:
        tables = {"signals": signals}
        names = queries.run(_NAMES, tables=tables)["name"].to_pylist()
        if not names:
            return pa.table({"event_id": signals["event_id"]}).sort_by("event_id")
        pointers = ["/metadata/features/" + name.replace("~", "~0").replace("/", "~1") for name in names]
        found = queries.run(_VALUES, tables=tables, parameters={"pointers": pointers})
    columns: dict[str, pa.Array | pa.ChunkedArray] = {"event_id": found["event_id"]}
    values = found["value"].combine_chunks().flatten()
    for number, name in enumerate(names):
        position = np.arange(number, len(values), len(names))
        columns[FEATURE_PREFIX + name] = values.take(pa.array(position))
    return pa.table(columns)

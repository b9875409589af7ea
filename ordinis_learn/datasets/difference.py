"""What changed between two datasets: manifests first, rows by key where both are on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from ordinis_learn.datasets.totals import quoted
from ordinis_learn.labelling import open_queries
from ordinis_learn.records import DatasetManifest, FeatureProfile, Record

__all__ = ["DatasetDifference", "FieldChange", "RowChanges", "difference", "row_changes"]

_KEYS: Final = {"signal": "signal_id", "rag_eval": "query_id"}
_COMPARED: Final = (
    "dataset_id",
    "kind",
    "rows",
    "content_sha256",
    "query_hash",
    "config_hash",
    "suite_hash",
    "code_commit",
)
_NESTED: Final = ("window", "columns", "event_range", "join_quality", "label_stats", "left_out")
_STATISTICS: Final = ("count", "missing", "mean", "std", "minimum", "maximum")


class FieldChange(Record):
    """One field of the manifest, by its path, before and after; None where it is not there."""

    field: str
    before: Any
    after: Any


class RowChanges(Record):
    """Rows by key: in one only, and in both with another value; ``columns`` counts the latter per column."""

    added: int
    removed: int
    changed: int
    columns: dict[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether both have the same rows."""
        return not (self.added or self.removed or self.changed)


class DatasetDifference(Record):
    """What :func:`difference` found. ``rows`` is None where it was not looked at them."""

    before: str
    after: str
    changes: tuple[FieldChange, ...]
    rows: RowChanges | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known to differ; two names and two moments of building are no difference."""
        return not self.changes and (self.rows is None or self.rows.is_empty)


def difference(
    before: DatasetManifest, after: DatasetManifest, *, rows: RowChanges | None = None
) -> DatasetDifference:
    """Compare two manifests.

    Parameters
    ----------
    before, after : DatasetManifest
        Of any kinds.
    rows : RowChanges, optional
        From :func:`row_changes`, where both are on disk.

    Returns
    -------
    DatasetDifference
        Changed fields: window, counts, schema, hashes, commit, event range, label statistics, profile statistics
        per column, and the verdict. ``created_at``, ``version``, ``files`` and the bins of profiles are not compared.
    """
    pairs = [
        *((name, getattr(before, name), getattr(after, name)) for name in _COMPARED),
        *(pair for name in _NESTED for pair in _flat(name, before, after)),
        *_profiles(before.profile, after.profile),
        ("validation.success", before.validation.success, after.validation.success),
        ("validation.failed", list(before.validation.failed), list(after.validation.failed)),
        ("validation.warnings", list(before.validation.warnings), list(after.validation.warnings)),
    ]
    changes = tuple(FieldChange(field=name, before=a, after=b) for name, a, b in pairs if a != b)
    return DatasetDifference(before=before.ref, after=after.ref, changes=changes, rows=rows)


def row_changes(before: pa.Table, after: pa.Table, *, kind: str) -> RowChanges:
    """Compare two tables row by row, by the key of their kind; nulls equal nulls, NaN equals NaN.

    Columns that only one table has are a difference of the schema and not looked at here.
    """
    key = quoted(_KEYS[kind])
    common = [name for name in before.column_names if name in after.column_names and name != _KEYS[kind]]
    differs = [f"a.{quoted(name)} IS DISTINCT FROM b.{quoted(name)}" for name in common]
    counted = ", ".join(f"count(*) FILTER (WHERE {one}) AS c{n}" for n, one in enumerate(differs))
    joined = f"FROM a JOIN b ON a.{key} = b.{key}"
    sql = f"""SELECT
        (SELECT count(*) FROM b ANTI JOIN a ON a.{key} = b.{key}) AS added,
        (SELECT count(*) FROM a ANTI JOIN b ON a.{key} = b.{key}) AS removed,
        count(*) FILTER (WHERE {" OR ".join(differs) or "false"}) AS changed{", " if counted else ""}{counted}
        {joined}"""  # noqa: S608  names are quoted
    with open_queries() as queries:
        (found,) = queries.run(sql, tables={"a": before, "b": after}).to_pylist()
    columns = {name: found[f"c{n}"] for n, name in enumerate(common) if found[f"c{n}"]}
    return RowChanges(
        added=found["added"], removed=found["removed"], changed=found["changed"], columns=columns
    )


def _flat(name: str, before: DatasetManifest, after: DatasetManifest) -> Iterator[tuple[str, Any, Any]]:
    """Pair the leaves of a nested field by their path."""
    one, other = (dict(_leaves(name, manifest.to_json()[name])) for manifest in (before, after))
    for path in {**one, **other}:
        yield path, one.get(path), other.get(path)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    else:
        yield path, value


def _profiles(
    before: Mapping[str, FeatureProfile], after: Mapping[str, FeatureProfile]
) -> Iterator[tuple[str, Any, Any]]:
    for name in {**before, **after}:
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            yield f"profile.{name}", one and one.count, other and other.count
            continue
        for statistic in _STATISTICS:
            yield f"profile.{name}.{statistic}", getattr(one, statistic), getattr(other, statistic)

"""Payload text as typed columns.

DuckDB reads the text, a batch at once. Where its reading of a value is in doubt (a time in an unusual
spelling, an integer beyond 64 bits) the row is read again through the record model, which decided when the
event was captured and whose word counts; :func:`columns_by_record` is that reading alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from ordinis_learn.capture._feature_maps import MAP_SHAPE, plain_names, struct_shape, to_maps
from ordinis_learn.capture.columns import PAYLOAD_COLUMNS, SCAN_SCHEMA
from ordinis_learn.errors import DataCorrupt
from ordinis_learn.records import PAYLOADS, Record, Topic

__all__ = ["columns_by_record", "typed_columns"]

_ENVELOPE: Final = tuple(name for name in SCAN_SCHEMA.names if name != "payload")
_INT64: Final = range(-(1 << 63), 1 << 63)
_DUCKDB: Final = {
    pa.string(): "VARCHAR",
    pa.float64(): "DOUBLE",
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
    pa.date32(): "DATE",
}
_PATHS: Final = {Topic.SIGNAL: "$.metadata.features", Topic.FEATURES: "$.features"}
_FIRST_ROWS: Final = 100
# DuckDB reports a time or a date that it cannot read as null, and so an integer that does not fit.
_DOUBTED: Final = frozenset({"TIMESTAMPTZ", "DATE", "BIGINT"})


def typed_columns(topic: Topic, scanned: pa.Table) -> pa.Table:
    """Return scanned events with their payloads as columns, row for row.

    Parameters
    ----------
    topic : Topic
        The one type of all these events.
    scanned : pa.Table
        In the columns of :data:`~ordinis_learn.capture.columns.SCAN_SCHEMA`.

    Raises
    ------
    DataCorrupt
        A stored payload is no longer what was captured.
    """
    schema = PAYLOAD_COLUMNS[topic]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("scanned", scanned.select(["payload"]))
        try:
            found = _by_name(connection, topic) if topic in _PATHS and scanned.num_rows else None
            if found is None:
                found = connection.sql(_query(topic, MAP_SHAPE)).to_arrow_table()
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            raise _corrupt(topic, str(error).splitlines()[0]) from error
    doubtful = np.flatnonzero(found["doubtful"].to_numpy())
    columns = [*scanned.select(_ENVELOPE).columns, *found.drop_columns("doubtful").columns]
    read = pa.Table.from_arrays(columns, names=schema.names).cast(schema)
    if not doubtful.size:
        return read
    again = columns_by_record(topic, scanned.take(doubtful))
    rows = np.arange(read.num_rows)
    rows[doubtful] = read.num_rows + np.arange(doubtful.size)
    return pa.concat_tables([read, again]).take(rows)


def columns_by_record(topic: Topic, scanned: pa.Table) -> pa.Table:
    """Return what :func:`typed_columns` returns, event by event through the record model."""
    schema = PAYLOAD_COLUMNS[topic]
    names = schema.names[len(_ENVELOPE) :]
    rows = [
        {name: row[name] for name in _ENVELOPE} | _values(topic, row["payload"], names=names)
        for row in scanned.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _values(topic: Topic, payload: str, *, names: Iterable[str]) -> dict[str, Any]:
    fields = json.loads(payload)
    known = PAYLOADS[topic].model_fields
    try:
        record = PAYLOADS[topic].model_validate_json(
            json.dumps({name: value for name, value in fields.items() if name in known}), strict=True
        )
    except ValidationError as error:
        raise _corrupt(topic, str(error).splitlines()[0]) from error
    values = {name: _value(record, name, fields) for name in names}
    if topic == Topic.EXECUTION and not isinstance(values["signal_id"], str | None):
        values["signal_id"] = json.dumps(values["signal_id"], separators=(",", ":"))
    return values


def _value(record: Record, name: str, fields: Mapping[str, Any]) -> Any:
    if name == "features":
        carrier = fields if "features" in type(record).model_fields else fields.get("metadata", {})
        features: dict[str, float] | None = carrier.get("features")
        return None if features is None else [(key, float(number)) for key, number in features.items()]
    value: Any = getattr(record, name) if name in type(record).model_fields else fields.get(name)
    if isinstance(value, int) and value not in _INT64:
        return None
    if name == "fills":
        return [fill.model_dump() for fill in value]
    return list(value) if isinstance(value, tuple) else value


def _by_name(connection: duckdb.DuckDBPyConnection, topic: Topic) -> pa.Table | None:
    """Read features as columns of the names that the first rows have, then of all names; None if that is not apt."""
    said = f"CAST(to_json(json_keys(payload, '{_PATHS[topic]}')) AS VARCHAR)"
    first = connection.sql(f"SELECT DISTINCT {said} FROM (SELECT payload FROM scanned LIMIT {_FIRST_ROWS})")  # noqa: S608
    known, seen = set[str | None](), {text for (text,) in first.fetchall()}
    while not seen <= known:
        known |= seen
        names = plain_names([_names(text) for text in known])
        if names is None:
            return None
        found = connection.sql(_query(topic, struct_shape(names), more=f", {said} AS names")).to_arrow_table()
        sets = found["names"].combine_chunks().dictionary_encode(null_encoding="encode")
        seen = set(sets.dictionary.to_pylist())
    features = to_maps(
        found["features"].combine_chunks(),
        [_names(text) for text in sets.dictionary.to_pylist()],
        sets.indices.to_numpy(),
    )
    if features is None:
        return None
    place = found.schema.get_field_index("features")
    return found.set_column(place, "features", features).drop_columns("names")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else json.loads(text)


def _query(topic: Topic, features: str, *, more: str = "") -> str:
    schema = PAYLOAD_COLUMNS[topic]
    fields = [field for field in schema if field.name not in _ENVELOPE]
    shape = ", ".join(_shape(topic, field, features) for field in fields)
    columns = ", ".join(_column(topic, field) for field in fields)
    doubts = [doubt for field in fields for doubt in _doubts(topic, field)]
    return f"""
        SELECT {columns}, {" OR ".join(doubts) or "false"} AS doubtful{more}
        FROM (SELECT payload, from_json(payload, '{{{shape}}}') AS read FROM scanned)
    """  # noqa: S608  names and types are ours


def _shape(topic: Topic, field: pa.Field, features: str) -> str:
    if field.name == "features":
        said = f'"features": {features}'
        return f'"metadata": {{{said}}}' if topic == Topic.SIGNAL else said
    return f'"{field.name}": {_json_type(field.type)}'


def _json_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"[{_json_type(kind.value_type)}]"
    if pa.types.is_struct(kind):
        parts = ", ".join(f'"{part.name}": {_json_type(part.type)}' for part in kind)
        return f"{{{parts}}}"
    name = _DUCKDB[kind]
    return '"VARCHAR"' if name in {"TIMESTAMPTZ", "DATE"} else f'"{name}"'


def _column(topic: Topic, field: pa.Field) -> str:
    if field.name == "features":
        return f"read.{'metadata.' if topic == Topic.SIGNAL else ''}features AS features"
    value = f'read."{field.name}"'
    if field.name == "fills":
        parts = "fill_id := f.fill_id, ts := try_cast(f.ts AS TIMESTAMPTZ), qty := f.qty, price := f.price"
        fill = f"struct_pack({parts}, fee := coalesce(f.fee, 0.0))"
        return f"coalesce(list_transform({value}, lambda f: {fill}), []) AS fills"
    if field.type in _DUCKDB and _DUCKDB[field.type] in {"TIMESTAMPTZ", "DATE"}:
        value = f"try_cast({value} AS {_DUCKDB[field.type]})"
    default = _default(topic, field.name)
    if default is not None:
        value = f"coalesce({value}, {default})"
    return f'{value} AS "{field.name}"'


def _default(topic: Topic, name: str) -> str | None:
    field = PAYLOADS[topic].model_fields.get(name)
    if field is None or field.default in {None, PydanticUndefined}:
        return None
    return "[]" if field.default == () else str(field.default)


def _doubts(topic: Topic, field: pa.Field) -> Iterator[str]:
    """Yield the conditions under which the text says something that its column does not."""
    said = f"contains(payload, '\"{field.name}\":')"
    value = f'read."{field.name}"'
    if field.name == "fills":
        yield f"len(list_filter({value}, lambda f: try_cast(f.ts AS TIMESTAMPTZ) IS NULL)) > 0"
    elif field.name == "features":
        read = f"read.{'metadata.' if topic == Topic.SIGNAL else ''}features"
        yield f"({read} IS NULL AND {said})"
    elif _DUCKDB.get(field.type) in _DOUBTED:
        read = f"try_cast({value} AS {_DUCKDB[field.type]})"
        yield f"({read} IS NULL AND {said})"


def _corrupt(topic: Topic, found: str) -> DataCorrupt:
    return DataCorrupt(
        f"read the payloads of {topic} as columns",
        found=found,
        next_step="compare the payload column of the event log with a backup",
    )

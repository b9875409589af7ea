"""The hash of a table sees every value and nothing else."""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.datasets import bucketed_sha256, content_sha256

COLUMNS = {
    "text": (pa.string(), st.text(max_size=5)),
    "number": (pa.float64(), st.floats(allow_nan=False)),
    "sign": (pa.int8(), st.integers(-1, 1)),
    "yes": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), st.dates(date(1990, 1, 1), date(2030, 1, 1))),
    "at": (
        pa.timestamp("us", tz="UTC"),
        st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ),
}
row = st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()})
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()])


def table_of(rows):
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@settings(deadline=None)
@given(st.lists(row, max_size=12), st.integers(0, 12), st.integers(0, 3))
def test_chunks_and_offsets_do_not_matter(rows, cut, pad):
    table = table_of(rows)
    padded = table_of([*rows[:1] * pad, *rows]).slice(min(pad, len(rows[:1]) * pad))
    chunked = pa.concat_tables([padded.slice(0, cut), padded.slice(cut)])
    assert content_sha256(chunked) == content_sha256(table)


@settings(deadline=None)
@given(st.lists(row, min_size=1, max_size=8), st.data())
def test_any_other_value_is_another_hash(rows, data):
    number = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(sorted(COLUMNS)))
    value = data.draw(st.none() | COLUMNS[name][1])
    changed = [dict(one) for one in rows]
    changed[number][name] = value
    same = repr(value) == repr(rows[number][name])
    assert (content_sha256(table_of(changed)) == content_sha256(table_of(rows))) is same


def test_order_of_rows_names_and_types_matter():
    table = pa.table({"x": pa.array([1.0, 2.0]), "y": pa.array([3.0, 4.0])})
    others = [
        table.take([1, 0]),
        table.rename_columns(["x", "z"]),
        table.select(["y", "x"]),
        table.set_column(1, "y", table["y"].cast(pa.float32())),
    ]
    assert len({content_sha256(one) for one in (table, *others)}) == 5


def test_the_bytes_are_those_of_the_format():
    """Written out by hand: a change here makes every stored version another one and needs a new format name."""
    table = pa.table(
        {
            "x": pa.array([1.5, None, float("nan")]),
            "s": pa.array(["a", "é", None]),
            "d": pa.array([date(1970, 1, 3)] * 3),
        }
    )
    header = b'{"columns":[["x","double"],["s","string"],["d","date32[day]"]],"rows":3}'
    parts = [
        b"ordinis.dataset.content.v1\x00" + header + b"\x00",
        b"\x01\x00\x01" + struct.pack("<dd", 1.5, 0.0) + bytes.fromhex("000000000000f87f"),
        b"\x01\x01\x00" + struct.pack("<qqq", 1, 2, 0) + "aé".encode(),
        b"\x01\x01\x01" + struct.pack("<iii", 2, 2, 2),
    ]
    assert content_sha256(table) == hashlib.sha256(b"".join(parts)).hexdigest()


def test_a_nested_column_has_no_canonical_bytes():
    with pytest.raises(TypeError, match="canonical"):
        content_sha256(pa.table({"x": [[1], [2]]}))


texts = st.lists(st.sampled_from(["", "a", "aa", "é"]) | st.none(), min_size=1, max_size=6)


@settings(deadline=None)
@given(texts, texts)
def test_strings_that_are_all_the_same_have_a_hash_of_their_own(one, other):
    found = [
        bucketed_sha256(pa.table({"symbol": ["KO"] * len(t), "x": pa.array(t, pa.string())}))
        for t in (one, other)
    ]
    assert (found[0] == found[1]) is (one == other)


def test_the_bytes_of_leaves_are_those_of_the_format():
    """Written out by hand: a change here makes every stored version another one and needs a new format name."""
    table = pa.table(
        {
            "symbol": ["KO", "PEP", "KO"],
            "x": pa.array([1.5, 2.5, None]),
            "s": pa.array(["a", "b", "é"]),
            "n": pa.nulls(3, pa.int8()),
        }
    )
    ko = b"C" + struct.pack("<q", 2) + b"KO" + b"M\x01\x00" + struct.pack("<dd", 1.5, 0.0)
    ko += b"A" + struct.pack("<qq", 1, 2) + "aé".encode() + b"N"
    pep = b"C" + struct.pack("<q", 3) + b"PEP" + b"A" + struct.pack("<d", 2.5)
    pep += b"C" + struct.pack("<q", 1) + b"b" + b"N"
    leaves = sorted(
        (
            hashlib.sha256(symbol).digest()[7],
            rows,
            hashlib.sha256(b"ordinis.dataset.leaf.v2\x00" + data).hexdigest(),
        )
        for symbol, rows, data in ((b"KO", 2, ko), (b"PEP", 1, pep))
    )
    listed = ",".join(f'[{number},{rows},"{sha256}"]' for number, rows, sha256 in leaves)
    columns = '[["symbol","string"],["x","double"],["s","string"],["n","int8"]]'
    document = f'{{"columns":{columns},"leaves":[{listed}],"rows":3}}'
    expected = hashlib.sha256(b"ordinis.dataset.content.v2\x00" + document.encode()).hexdigest()
    assert bucketed_sha256(table) == expected

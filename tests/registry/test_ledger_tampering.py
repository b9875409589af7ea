"""Whatever is done to any column of any row of a random ledger, verification names the place."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordinis_learn.records import Actor
from ordinis_registry import GovernanceDatabase, verify
from ordinis_registry import ledger as chain
from ordinis_registry._stretch import QUERY, go_through, join
from ordinis_registry._texts import as_it_is
from ordinis_registry.sql_ledger import SqlLedger

LEDGER = ("subject", "sequence", "action", "at", "previous_hash", "hash", "hashed_text")
SUBJECTS = ("signal", 'a "quoted" näme\\', "*")
EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = st.sampled_from(["researcher", 'x"},"at":"2001-01-01T00:00:00Z","body":', "名前"])
BODIES = st.dictionaries(
    st.sampled_from(["version", "previous_hash", "subject", "body"]),
    st.text(max_size=8) | st.integers(0, 9) | st.just({"at": "x", "subject": "signal"}),
    max_size=3,
)
RECORDS = st.lists(
    st.tuples(st.sampled_from(SUBJECTS), NAMES, st.integers(0, 10**6), BODIES), min_size=1, max_size=8
)


@pytest.fixture
def path(tmp_path):
    database = GovernanceDatabase(f"sqlite:///{tmp_path / 'ordinis.db'}")
    database.upgrade()
    database.close()
    return tmp_path / "ordinis.db"


@pytest.fixture
def tampered(path, make):
    """Write a random ledger, do something to it in raw SQL, and return what verification finds."""
    database = GovernanceDatabase(f"sqlite:///{path}")

    def run(records, tamper):
        with database.session() as session:
            for table in ("governance_ledger", "governance_heads"):
                session.connection().exec_driver_sql(f"DELETE FROM {table}")
            for subject, name, microseconds, body in records:
                chain.append(
                    session,
                    subject=subject,
                    action="rollout.allowed",
                    actor=Actor(name=name, kind="claimed"),
                    at=make.now + timedelta(microseconds=microseconds),
                    body=body,
                )
        with sqlite3.connect(path) as connection:
            changed = tamper(connection)
        connection.close()
        with database.reading() as session:
            found = verify(session)
            with as_it_is(session):
                assert_parts_agree(session, found)
            return changed, found

    yield run
    database.close()


def assert_parts_agree(session, found):
    """However the ledger is cut into two stretches, they hold together exactly where its records do."""
    driver = session.connection().connection.driver_connection
    cuts = [position for (position,) in driver.execute("SELECT position FROM governance_ledger").fetchall()]
    in_records = [fault for fault in found if fault.kind in {"edited", "missing", "moved", "unlinked"}]
    for cut in cuts:
        parts = [
            go_through(driver.execute(QUERY.format(low=low, high=high)))
            for low, high in ((-(2**62), cut), (cut, 2**62))
        ]
        assert (join(parts) is None) == bool(in_records)


def rows(connection, table="governance_ledger"):
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


@EXAMPLES
@given(records=RECORDS)
def test_a_ledger_as_it_was_written_verifies(tampered, records):
    assert tampered(records, lambda _connection: None)[1] == []


@EXAMPLES
@given(records=RECORDS, column=st.sampled_from(LEDGER), data=st.data())
def test_any_changed_column_is_found_and_its_record_named(tampered, records, column, data):
    def tamper(connection):
        position, *values = data.draw(st.sampled_from(rows(connection)))
        old = values[LEDGER.index(column)]
        wild = st.sampled_from(["", "x", 99, b"bytes", f"{old}0", str(old).replace("2022", "2023")])
        new = data.draw(wild.filter(lambda value: value != old and str(value) != str(old)))
        connection.execute(
            f"UPDATE governance_ledger SET {column} = ? WHERE position = ?",
            (new, position),
        )
        return values[0], values[1], new

    (subject, sequence, new), found = tampered(records, tamper)
    places = {(fault.subject, fault.sequence) for fault in found}
    # A record that says it is of another chain or place is named where it claims to be, and missed where it was.
    assert places & {(subject, sequence), (subject, sequence + 1), (str(new), sequence), (subject, new)}, (
        found
    )


@EXAMPLES
@given(
    records=RECORDS, column=st.sampled_from(["subject", "sequence", "hash"]), new=st.sampled_from([77, "zz"])
)
def test_any_changed_column_of_a_head_is_found(tampered, records, column, new):
    def tamper(connection):
        subject = rows(connection, "governance_heads")[0][0]
        connection.execute(f"UPDATE governance_heads SET {column} = ? WHERE subject = ?", (new, subject))
        return subject

    subject, found = tampered(records, tamper)
    assert subject in {fault.subject for fault in found}


@EXAMPLES
@given(records=RECORDS.filter(lambda some: len(some) > 1), data=st.data())
def test_texts_swapped_between_any_two_rows_are_found(tampered, records, data):
    def tamper(connection):
        pair = data.draw(st.lists(st.sampled_from(rows(connection)), min_size=2, max_size=2, unique=True))
        for here, there in (pair, pair[::-1]):
            connection.execute(
                "UPDATE governance_ledger SET action=?, at=?, previous_hash=?, hash=?, hashed_text=? WHERE position=?",
                (*there[3:], here[0]),
            )
        return {(row[1], row[2]) for row in pair}

    moved, found = tampered(records, tamper)
    assert moved <= {(fault.subject, fault.sequence) for fault in found if fault.kind == "moved"}


@EXAMPLES
@given(records=RECORDS, data=st.data())
def test_a_repeated_record_is_found(tampered, records, data):
    def tamper(connection):
        _, subject, _, *rest = data.draw(st.sampled_from(rows(connection)))
        (last,) = connection.execute(
            "SELECT max(sequence) FROM governance_ledger WHERE subject = ?", (subject,)
        ).fetchone()
        connection.execute(
            "INSERT INTO governance_ledger (subject, sequence, action, at, previous_hash, hash, hashed_text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (subject, last + 1, *rest),
        )
        return subject, last + 1

    place, found = tampered(records, tamper)
    assert place in {(fault.subject, fault.sequence) for fault in found}


@EXAMPLES
@given(records=RECORDS.filter(lambda some: len(some) > 1), data=st.data())
def test_rows_in_another_order_of_writing_are_found(tampered, records, data):
    def tamper(connection):
        found = rows(connection)
        subject = data.draw(st.sampled_from(sorted({row[1] for row in found})))
        own = [row[0] for row in found if row[1] == subject]
        if len(own) > 1:
            connection.execute("UPDATE governance_ledger SET position = -1 WHERE position = ?", (own[-1],))
        return subject if len(own) > 1 else None

    subject, found = tampered(records, tamper)
    assert {fault.subject for fault in found} == ({subject} if subject else set())


@EXAMPLES
@given(records=RECORDS, column=st.sampled_from(LEDGER[2:]), junk=st.binary(max_size=9), data=st.data())
def test_bytes_that_are_no_text_are_named_like_any_other_change(tampered, records, column, junk, data):
    def tamper(connection):
        position, subject, sequence, *_ = data.draw(st.sampled_from(rows(connection)))
        change = f"UPDATE governance_ledger SET {column} = CAST(? AS TEXT) WHERE position = ?"
        connection.execute(change, (b"\xff" + junk, position))
        return subject, sequence

    place, found = tampered(records, tamper)
    assert place in {(fault.subject, fault.sequence) for fault in found}


@EXAMPLES
@given(records=RECORDS, column=st.sampled_from(["subject", "hash"]))
def test_a_head_of_bytes_that_are_no_text_is_found(tampered, records, column):
    first = f"UPDATE governance_heads SET {column} = CAST(? AS TEXT) WHERE rowid = (SELECT min(rowid) FROM governance_heads)"
    assert tampered(records, lambda connection: connection.execute(first, (b"\xff",)))[1]


@pytest.mark.parametrize(
    "text",
    [
        b'{"pointers"\xff}',
        b'{"pointers" garbage',
        b'{"pointers":1}',
        b'"pointers"',
        b'"pointers"' + b"\x00",
        b'["pointers",' + b"[" * 100_000,
        b'{"pointers":' + b"9" * 5_000 + b"}",
    ],
    ids=lambda text: str(text[:16]),
)
def test_a_text_that_nobody_can_read_is_named_and_hides_nothing_else(path, make, text):
    database = GovernanceDatabase(f"sqlite:///{path}")
    for subject in ("other", "signal"):
        with database.session() as session:
            actor = Actor(name="researcher", kind="claimed")
            body = {"pointers": {"active": "7"}}
            chain.append(session, subject=subject, action="forged", actor=actor, at=make.now, body=body)
    with sqlite3.connect(path) as connection:
        change = "UPDATE governance_ledger SET hashed_text = CAST(? AS TEXT) WHERE subject = 'other'"
        connection.execute(change, (text,))
    connection.close()
    kinds = {(fault.subject, fault.kind) for fault in SqlLedger(database).faults()}
    database.close()
    assert kinds >= {("other", "edited"), ("other", "unlawful"), ("signal", "unlawful")}

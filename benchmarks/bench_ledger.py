"""The ledger, against bare SQLite and bare SHA-256.

Append: one record a transaction, WAL and ``synchronous=FULL`` on both sides; the bare side inserts the very same rows, hashed
beforehand, into the same tables and updates the same head. Verify: against reading the same texts from the same file and hashing
them, and against hashing them in memory; neither of those looks at a column, a link or a head. The records are a tenth decisions
of 6 kB and nine tenths of 700 B, on twenty chains.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks._harness import compare
from ordinis_learn.records import Actor, canonical_json
from ordinis_registry import GovernanceDatabase, Pointers, verify
from ordinis_registry import ledger as chain

START = datetime(2020, 1, 2, 21, 0, tzinfo=UTC)
ACTOR = Actor(name="bench", kind="claimed")
INSERT = """INSERT INTO governance_ledger (subject, sequence, action, at, previous_hash, hash, hashed_text)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
HEAD = "INSERT OR REPLACE INTO governance_heads (subject, sequence, hash) VALUES (?, ?, ?)"
CHAINS = 20


def run(*, quick):
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    try:
        yield _append(folder, 200 if quick else 1_000, runs=3 if quick else 5)
        yield from _verify(folder, 20_000 if quick else 1_000_000, runs=1 if quick else 3)
        yield _active_at(folder)
    finally:
        shutil.rmtree(folder)


def records(count):
    """Yield subject, action, moment and body, as a busy desk would write them."""
    for number in range(count):
        subject = f"model_{number % CHAINS}"
        body = {"version": str(number), "key": "ordinis.evidence.training", "found": "x" * 300}
        action = "evidence.submitted"
        if number % 10 == 0:
            verdicts = [{"rule": f"rule_{n}", "asked": "y" * 200, "found": "z" * 150} for n in range(14)]
            moved = Pointers(active=str(number), last_active=str(number)).to_json()
            body, action = {**body, "decision": verdicts, "pointers": moved}, "rollout.allowed"
        yield subject, action, START + timedelta(seconds=number), body


def rows(count):
    """Yield the rows that the ledger would hold."""
    heads = {}
    for subject, action, at, body in records(count):
        sequence, previous = heads.get(subject, (0, chain.GENESIS))
        content = {
            "action": action,
            "actor": ACTOR.to_json(),
            "at": f"{at:%Y-%m-%dT%H:%M:%S}Z",
            "body": body,
            "previous_hash": previous,
            "schema_version": "1.0.0",
            "sequence": sequence + 1,
            "subject": subject,
        }
        text = canonical_json(content).decode()
        digest = chain.hash_text(text)
        heads[subject] = (sequence + 1, digest)
        yield subject, sequence + 1, action, f"{at:%Y-%m-%d %H:%M:%S}.000000", previous, digest, text


def _fresh(folder, name):
    path = folder / f"{name}.db"
    for old in folder.glob(f"{name}.db*"):
        old.unlink()
    database = GovernanceDatabase(f"sqlite:///{path}")
    database.upgrade()
    return database, path


def _append(folder, count, *, runs):
    given, same = list(records(count)), list(rows(count))

    def ours(_):
        database, _path = _fresh(folder, "ours")

        def work():
            for subject, action, at, body in given:
                with database.session() as session:
                    chain.append(session, subject=subject, action=action, actor=ACTOR, at=at, body=body)
            database.close()

        return work

    def bare(_):
        database, path = _fresh(folder, "bare")
        database.close()
        connection = _bare(path)

        def work():
            for row in same:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(INSERT, row)
                connection.execute(HEAD, (row[0], row[1], row[5]))
                connection.execute("COMMIT")
            connection.close()

        return work

    return compare(
        "ledger append, a record a transaction",
        ours=ours,
        reference_name="bare sqlite3, the same rows",
        reference=bare,
        runs=runs,
        units=count,
    )


def _verify(folder, count, *, runs):
    database, path = _fresh(folder, "verify")
    connection = _bare(path)
    _fill(connection, count)

    def ours(_):
        def work():
            with database.reading() as session:
                assert verify(session) == []

        return work

    def read_and_hash(_):
        def work():
            for (text,) in connection.execute("SELECT hashed_text FROM governance_ledger"):
                hashlib.sha256(text.encode()).hexdigest()

        return work

    part = [
        text.encode()
        for (text,) in connection.execute("SELECT hashed_text FROM governance_ledger LIMIT 100000")
    ]

    def hash_only(_):
        def work():
            for text in part * max(1, count // len(part)):
                hashlib.sha256(text).hexdigest()

        return work

    for name, reference in (
        ("reading the texts, SHA-256", read_and_hash),
        ("SHA-256 of texts in memory", hash_only),
    ):
        yield compare(
            f"ledger verify, {count:,} records",
            ours=ours,
            reference_name=name,
            reference=reference,
            runs=runs,
            units=count,
        )
    database.close()
    connection.close()


def _fill(connection, count):
    heads = {}
    connection.execute("BEGIN")
    for row in rows(count):
        connection.execute(INSERT, row)
        heads[row[0]] = (row[0], row[1], row[5])
    connection.executemany(HEAD, heads.values())
    connection.execute("COMMIT")


def _active_at(folder):
    database = GovernanceDatabase(f"sqlite:///{folder / 'verify.db'}")
    connection = _bare(folder / "verify.db")

    def ours(_):
        def work():
            with database.reading() as session:
                for day in range(100):
                    chain.active_at(session, "model_0", START + timedelta(hours=day))

        return work

    def bare(_):
        query = "SELECT hashed_text FROM governance_ledger WHERE subject = 'model_0' AND sequence = ?"
        return lambda: [connection.execute(query, (n + 1,)).fetchone() for n in range(100)]

    row = compare(
        "active_at, 100 moments on a long chain",
        ours=ours,
        reference_name="bare sqlite3, 100 rows by key",
        reference=bare,
        runs=5,
        units=100,
    )
    database.close()
    connection.close()
    return row


def _bare(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection

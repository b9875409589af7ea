"""Whatever is done to the ledger's rows, verification names it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import AuditWriteFailed
from ordinis_learn.records import Actor, hash_of
from ordinis_registry import (
    GovernanceDatabase,
    Pointers,
    SqlLedger,
    verify,
)
from ordinis_registry import ledger as chain
from ordinis_registry.models import HeadRow, LedgerRow

ACTORS = ("researcher", "model-risk")


def fill(database, make, *, subject="signal", records=6):
    with database.session() as session:
        for number in range(records):
            chain.append(
                session,
                subject=subject,
                action="evidence.submitted",
                actor=Actor(name=ACTORS[number % 2], kind="claimed"),
                at=make.now + timedelta(hours=number),
                body={"version": "1", "number": number},
            )


@pytest.fixture(scope="module")
def filled(tmp_path_factory, make):
    """Two chains; every example works in a transaction that is rolled back."""
    database = GovernanceDatabase(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ordinis.db'}")
    database.upgrade()
    fill(database, make)
    fill(database, make, subject="other", records=3)
    yield database
    database.close()


class Undone(Exception):
    """Ends a transaction without keeping anything."""


def faults_after(database, tamper):
    """Return what verification finds after a change that is then undone."""
    found = []

    def look():
        with database.session() as session:
            tamper(session)
            session.flush()
            session.expunge_all()
            found.extend(verify(session))
            raise Undone

    with pytest.raises(Undone):
        look()
    return found


def row(session, sequence, subject="signal"):
    query = sa.select(LedgerRow).where(LedgerRow.subject == subject, LedgerRow.sequence == sequence)
    return session.scalars(query).one()


def test_an_untouched_ledger_verifies(filled):
    assert faults_after(filled, lambda _session: None) == []


def test_a_record_hashes_to_what_its_contract_says(filled):
    first, second = SqlLedger(filled).history("signal")[:2]
    content = {key: value for key, value in second.to_json().items() if key != "hash"}
    assert second.hash == hash_of(content, domain="ordinis.ledger.v1")
    assert second.previous_hash == first.hash
    assert first.previous_hash == "0" * 64


EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SEQUENCES = st.integers(1, 6)


@EXAMPLES
@given(sequence=SEQUENCES, column=st.sampled_from(["action", "at", "previous_hash", "hash", "hashed_text"]))
def test_any_edited_column_is_named(filled, sequence, column):
    def tamper(session):
        target = row(session, sequence)
        value = getattr(target, column)
        changed = (
            value + timedelta(seconds=1)
            if column == "at"
            else value[:-1] + ("0" if value[-1] != "0" else "1")
        )
        setattr(target, column, changed)

    found = faults_after(filled, tamper)
    assert ("signal", sequence) in {(fault.subject, fault.sequence) for fault in found}
    assert any(fault.kind in {"edited", "unlinked", "head_differs"} for fault in found)


@EXAMPLES
@given(sequence=SEQUENCES, data=st.data())
def test_any_edited_field_of_a_text_is_named(filled, sequence, data):
    field = data.draw(
        st.sampled_from(["action", "at", "actor", "body", "sequence", "subject", "previous_hash"])
    )

    def tamper(session):
        target = row(session, sequence)
        said = json.loads(target.hashed_text)
        said[field] = {"actor": {"name": "nobody", "kind": "claimed"}, "body": {}, "sequence": 99}.get(
            field, "x"
        )
        target.hashed_text = json.dumps(said)

    kinds = {fault.kind for fault in faults_after(filled, tamper) if fault.sequence == sequence}
    assert "edited" in kinds


@EXAMPLES
@given(sequence=st.integers(1, 5))
def test_a_dropped_record_is_named(filled, sequence):
    found = faults_after(filled, lambda session: session.delete(row(session, sequence)))
    assert ("signal", sequence, "missing") in {(f.subject, f.sequence, f.kind) for f in found}


@EXAMPLES
@given(pair=st.lists(SEQUENCES, min_size=2, max_size=2, unique=True))
def test_swapped_records_are_named(filled, pair):
    def tamper(session):
        first, second = (row(session, sequence) for sequence in pair)
        for column in ("action", "at", "previous_hash", "hash", "hashed_text"):
            kept = getattr(first, column)
            setattr(first, column, getattr(second, column))
            setattr(second, column, kept)

    found = {(fault.sequence, fault.kind) for fault in faults_after(filled, tamper)}
    assert {(pair[0], "moved"), (pair[1], "moved")} <= found


@EXAMPLES
@given(keep=st.integers(0, 5))
def test_a_cut_off_tail_is_named(filled, keep):
    statement = sa.delete(LedgerRow).where(LedgerRow.subject == "signal", LedgerRow.sequence > keep)
    found = faults_after(filled, lambda session: session.execute(statement))
    assert ("signal", keep + 1, "truncated") in {(f.subject, f.sequence, f.kind) for f in found}


def test_a_forged_record_behind_the_head_is_named(filled):
    def tamper(session):
        last = row(session, 6)
        text = json.dumps({**json.loads(last.hashed_text), "sequence": 7, "previous_hash": last.hash})
        session.add(
            LedgerRow(
                subject="signal",
                sequence=7,
                action=last.action,
                at=last.at,
                previous_hash=last.hash,
                hash=chain.hash_text(text),
                hashed_text=text,
            )
        )

    assert [(f.sequence, f.kind) for f in faults_after(filled, tamper)] == [(7, "beyond_head")]


@EXAMPLES
@given(sequence=SEQUENCES)
def test_a_record_rewritten_with_a_hash_of_its_own_is_named(filled, sequence):
    def tamper(session):
        target = row(session, sequence)
        said = json.loads(target.hashed_text) | {"body": {"version": "9"}}
        target.hashed_text = json.dumps(said)
        target.hash = chain.hash_text(target.hashed_text)

    expected = (sequence + 1, "unlinked") if sequence < 6 else (6, "head_differs")
    assert [(fault.sequence, fault.kind) for fault in faults_after(filled, tamper)] == [expected]


def test_a_missing_head_is_named(filled):
    statement = sa.delete(HeadRow).where(HeadRow.subject == "signal")
    assert [f.kind for f in faults_after(filled, lambda session: session.execute(statement))] == [
        "head_missing"
    ]


def test_a_whole_chain_that_is_gone_is_named(filled):
    statement = sa.delete(LedgerRow).where(LedgerRow.subject == "other")
    found = faults_after(filled, lambda session: session.execute(statement))
    assert [(f.subject, f.kind) for f in found] == [("other", "truncated")]


@pytest.mark.parametrize("value", [2**60, object()], ids=["too large an integer", "no JSON"])
def test_a_body_that_is_no_json_is_refused_and_nothing_is_kept(database, make, value):
    def write():
        with database.session() as session:
            chain.append(
                session, subject="signal", action="x", actor=make.actor, at=make.now, body={"n": value}
            )

    with pytest.raises(AuditWriteFailed):
        write()
    assert SqlLedger(database).history("signal") == []
    assert SqlLedger(database).verify() == []


def test_what_was_active_when_follows_the_pointers(database, make):
    moments = [make.now + timedelta(days=day) for day in range(4)]
    changes = [Pointers().promoted("1"), Pointers().promoted("1").promoted("2"), Pointers()]
    with database.session() as session:
        for moment, pointers in zip(moments, changes, strict=False):
            chain.append(
                session,
                subject="signal",
                action="rollout.allowed",
                actor=make.actor,
                at=moment,
                body={"pointers": pointers.to_json()},
            )
        chain.append(session, subject="signal", action="note", actor=make.actor, at=moments[3], body={})
    book = SqlLedger(database)
    assert book.active_at("signal", make.now - timedelta(seconds=1)) is None
    assert [book.active_at("signal", moment) for moment in moments] == ["1", "2", None, None]
    assert book.active_at("signal", moments[1] - timedelta(seconds=1)) == "1"
    assert book.active_at("nothing", make.now) is None


VERSIONS = st.sampled_from(["1", "2", "3", "4"])
MOVES = st.lists(
    st.tuples(st.sampled_from(["shadowed", "promoted", "retired", "forgotten"]), VERSIONS), max_size=12
)


@given(moves=MOVES)
def test_pointers_never_contradict_themselves(moves):
    pointers = Pointers()
    for move, version in moves:
        before = pointers
        pointers = getattr(pointers, move)(version)
        assert pointers.active not in {*pointers.shadow, *pointers.good} or move == "retired"
        assert not set(pointers.shadow) & set(pointers.good)
        assert len(set(pointers.good)) == len(pointers.good)
        if move == "promoted" and before.active not in {None, version}:
            assert pointers.last_known_good == before.active
    if pointers.last_known_good is not None:
        back = pointers.rolled_back(to=pointers.last_known_good)
        assert back.active == pointers.last_known_good
        assert back.active not in back.good


@pytest.fixture
def own(tmp_path, make):
    """Two chains in a file that a test may spoil."""
    database = GovernanceDatabase(f"sqlite:///{tmp_path / 'own ledger.db'}")
    database.upgrade()
    fill(database, make)
    fill(database, make, subject="other", records=5)
    yield database
    database.close()


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_several_processes_find_what_one_finds(own, processes):
    with own.reading() as session:
        assert verify(session, processes=processes) == []
    with own.session() as session:
        row(session, 4, subject="other").hash = "a" * 64
    with own.reading() as session:
        found = verify(session, processes=processes)
    assert {(fault.subject, fault.sequence, fault.kind) for fault in found} == {
        ("other", 4, "edited"),
        ("other", 5, "unlinked"),
    }


def test_a_process_that_cannot_look_is_no_yes(own, monkeypatch, tmp_path):
    monkeypatch.setattr("ordinis_registry.verification._PROGRAM", tmp_path / "gone.py")
    with own.reading() as session:
        assert verify(session, processes=2) == []
    with own.session() as session:
        session.delete(row(session, 5, subject="other"))
    with own.reading() as session:
        assert [fault.kind for fault in verify(session, processes=2)] == ["truncated"]


def test_a_look_up_by_action_reads_no_other_records(own):
    """Else each promotion would read the whole chain of its model."""
    plan = (
        "EXPLAIN QUERY PLAN SELECT hashed_text FROM governance_ledger WHERE subject = 'a' AND action = 'b' "
    )
    with own.reading() as session:
        steps = session.execute(sa.text(plan + "AND sequence < 9 ORDER BY sequence DESC LIMIT 2")).all()
    index = "ix_ordinis_governance_ledger_subject_action_sequence"
    assert [step.detail for step in steps] == [
        f"SEARCH governance_ledger USING INDEX {index} (subject=? AND action=? AND sequence<?)"
    ]

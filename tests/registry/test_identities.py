from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Identity, Role
from ordinis_registry import SqlIdentityBook, SqlLedger
from ordinis_registry.ledger import append


@pytest.fixture
def book(database, make):
    return SqlIdentityBook(database, clock=lambda: make.now)


def identity(make, name="model-risk", key="a", **changes):
    fields = {
        "name": name,
        "key_id": key * 64,
        "public_key": key * 64,
        "roles": (Role.APPROVER,),
        "trusted_since": make.now,
    }
    return Identity.model_validate(fields | changes)


def test_trusting_is_recorded_and_repeatable(book, database, make):
    for _ in range(2):
        book.trust(identity(make), actor=make.actor)
    later = identity(make, trusted_since=make.now + timedelta(days=1))
    book.trust(later, actor=make.actor)
    assert book.identities() == [identity(make)]
    (record,) = SqlLedger(database).history("*")
    assert (record.action, record.actor) == ("identity.trusted", make.actor)


@pytest.mark.parametrize(
    "changes",
    [{"key": "b"}, {"name": "other"}, {"roles": (Role.TRAINER,)}],
    ids=["name taken", "key taken", "other roles"],
)
def test_a_name_belongs_to_one_key(book, make, changes):
    book.trust(identity(make), actor=make.actor)
    with pytest.raises(ConfigInvalid):
        book.trust(identity(make, **changes), actor=make.actor)
    assert book.identities() == [identity(make)]


def test_a_revoked_key_stays_known_and_its_name_is_free(book, database, make):
    book.trust(identity(make), actor=make.actor)
    revoked = book.revoke("model-risk", actor=make.actor, reason="left the desk")
    assert revoked.revoked_at == make.now
    with pytest.raises(ConfigInvalid):
        book.trust(identity(make), actor=make.actor)
    book.trust(identity(make, key="b"), actor=make.actor)
    assert [one.revoked_at is None for one in book.identities()] == [False, True]
    assert [record.action for record in SqlLedger(database).history("*")] == [
        "identity.trusted",
        "identity.revoked",
        "identity.trusted",
    ]


def test_nobody_of_that_name(book, make):
    with pytest.raises(ConfigInvalid, match="keys list"):
        book.revoke("nobody", actor=make.actor, reason="")


def test_a_rotation_retires_one_key_and_trusts_the_next(book, database, make):
    book.trust(identity(make, groups=("risk",)), actor=make.actor)
    retired = book.rotate(identity(make, key="b", groups=("risk",)), actor=make.actor, reason="yearly")
    assert (retired.key_id, retired.retired_at, retired.revoked_at) == ("a" * 64, make.now, None)
    assert [(one.key_id[0], one.signs) for one in book.identities()] == [("a", False), ("b", True)]
    assert [record.action for record in SqlLedger(database).history("*")] == [
        "identity.trusted",
        "identity.retired",
        "identity.trusted",
    ]


@pytest.mark.parametrize(
    "changes",
    [{"key": "a"}, {"roles": (Role.TRAINER,)}, {"groups": ("risk",)}, {"name": "nobody"}],
    ids=["same key", "other roles", "other groups", "no such name"],
)
def test_a_rotation_gives_no_new_powers(book, make, changes):
    book.trust(identity(make), actor=make.actor)
    with pytest.raises(ConfigInvalid):
        book.rotate(identity(make, **({"key": "b"} | changes)), actor=make.actor, reason="")
    assert book.identities() == [identity(make)]


def test_a_retired_key_can_still_be_revoked(book, make):
    book.trust(identity(make), actor=make.actor)
    book.rotate(identity(make, key="b"), actor=make.actor, reason="")
    assert book.revoke("model-risk", actor=make.actor, reason="seen", key_id="aaaa").key_id == "a" * 64
    assert book.revoke("model-risk", actor=make.actor, reason="left").key_id == "b" * 64
    with pytest.raises(ConfigInvalid, match="keys list"):
        book.revoke("model-risk", actor=make.actor, reason="again", key_id="aaaa")


def test_identities_stored_before_groups_are_still_read(database, make):
    old = identity(make).model_dump(mode="json", exclude={"groups", "retired_at"})
    with database.session() as session:
        body = {"identity": old, "reason": ""}
        append(session, subject="*", action="identity.trusted", actor=make.actor, at=make.now, body=body)
    (read,) = SqlIdentityBook(database, clock=lambda: make.now).identities()
    assert read == identity(make)


def test_a_key_that_the_ledger_does_not_know_is_not_trusted(database, book, make):
    """What a person with SQL could add beside the ledger has no effect: there is nothing beside it."""
    book.trust(identity(make), actor=make.actor)
    with database.reading() as session:
        tables = set(sa.inspect(session.connection()).get_table_names())
    assert "governance_identities" not in tables
    assert [one.name for one in book.identities()] == ["model-risk"]

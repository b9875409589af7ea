"""What the tests of faults and of many clients share: a real PostgreSQL database, and one question.

The question, asked after every fault: do stages, tags, aliases, ledger and outbox say the same?
"""

from __future__ import annotations

import os
import uuid

import pytest
import sqlalchemy as sa

from ordinis_registry import ledger, outbox

SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
STAGE_OF_STATE = {"CANDIDATE": "None", "SHADOW": "Staging", "ACTIVE": "Production", "RETIRED": "Archived"}
TOLD = {"rollout.allowed", "rolled_back"}


@pytest.fixture
def postgres():
    """Make a database of its own; drop it afterwards."""
    admin = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    name = f"ordinis_test_{uuid.uuid4().hex[:12]}"
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except sa.exc.OperationalError:
        pytest.skip(f"no PostgreSQL server at {sa.make_url(SERVER).render_as_string()}")
    yield sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def disagreements():
    """Return the question; its answer is one sentence per contradiction."""
    return find_disagreements


def find_disagreements(database):
    with database.reading() as session:
        found = list(strays(session))
        found += [str(fault) for fault in ledger_faults(session)]
        rows = session.execute(
            sa.text("SELECT name, version, current_stage FROM model_versions ORDER BY name, version")
        ).all()
        told = {event["payload"]["payload"]["ledger"]["hash"] for event in outbox.pending(session)}
        for name in sorted({row.name for row in rows}):
            found += about_model(session, name, [row for row in rows if row.name == name], told=told)
    return found


def strays(session):
    """Yield what the outbox tells of that the ledger does not have."""
    known = set(session.execute(sa.text("SELECT hash FROM governance_ledger")).scalars())
    for event in outbox.pending(session):
        if event["payload"]["payload"]["ledger"]["hash"] not in known:
            yield f"the event {event['id']} ({event['topic']}) is about no record"


def ledger_faults(session):
    from ordinis_registry.succession import unlawful_moves
    from ordinis_registry.verification import verify

    subjects = session.execute(sa.text("SELECT subject FROM governance_heads")).scalars().all()
    return [*verify(session), *(fault for name in subjects for fault in unlawful_moves(session, name))]


def about_model(session, name, rows, *, told):
    known = ledger.pointers(session, name)
    stages = {str(row.version): row.current_stage for row in rows}
    active = [version for version, stage in stages.items() if stage == "Production"]
    if active != ([known.active] if known.active else []):
        yield f"{name}: Production is {active}, the ledger says {known.active}"
    shadow = {version for version, stage in stages.items() if stage == "Staging"}
    if shadow != set(known.shadow):
        yield f"{name}: Staging is {shadow}, the ledger says {known.shadow}"
    query = sa.text("SELECT alias, version FROM registered_model_aliases WHERE name = :name")
    aliases = {row.alias: str(row.version) for row in session.execute(query, {"name": name})}
    wanted = {alias: version for alias, version in known.aliases.items() if version is not None}
    if aliases != wanted:
        yield f"{name}: the aliases are {aliases}, the ledger says {wanted}"
    query = sa.text(
        "SELECT version, value FROM model_version_tags WHERE name = :name AND key = 'ordinis.state'"
    )
    for row in session.execute(query, {"name": name}):
        stage = stages[str(row.version)]
        if stage not in {STAGE_OF_STATE[row.value], "Deleted_Internal"}:
            yield f"{name} {row.version}: its tag says {row.value}, its stage {stage}"
    changes = {record.hash for record in ledger.history(session, name) if record.action in TOLD}
    if not changes <= told:
        yield f"{name}: {len(changes - told)} changes are not in the outbox"

"""Opening, upgrading and sharing the database with MLflow."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import warnings

import pytest
import sqlalchemy as sa

from ordinis_learn.errors import DataCorrupt, StoreUnavailable
from ordinis_registry import GovernanceDatabase, SqlCatalogue
from ordinis_registry.models import TABLES, HeadRow

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def names(database):
    return set(sa.inspect(database.engine).get_table_names())


def test_the_migrations_make_what_the_models_say(database):
    assert names(database) >= TABLES
    assert database.differences() == []


def test_upgrading_twice_changes_nothing(database):
    before = database.revision()
    database.upgrade()
    assert database.revision() == before == database.newest_revision()


def test_several_may_upgrade_at_once(tmp_path):
    databases = [GovernanceDatabase(f"sqlite:///{tmp_path / 'ordinis.db'}") for _ in range(4)]
    errors = []

    def upgrade(database):
        try:
            database.upgrade()
        except Exception as error:  # noqa: BLE001  whatever it is, the test must see it
            errors.append(error)

    threads = [threading.Thread(target=upgrade, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert databases[0].revision() == databases[0].newest_revision()
    for database in databases:
        database.close()


def test_a_newer_schema_is_refused_with_what_to_type(database):
    with database.session() as session:
        session.execute(sa.text("UPDATE ordinis_alembic_version SET version_num = 'r9999'"))
    with pytest.raises(StoreUnavailable) as caught:
        database.upgrade()
    assert "pip install --upgrade" in caught.value.next_step
    assert "r9999" in str(caught.value)


def test_a_ledger_in_memory_is_refused():
    with pytest.raises(StoreUnavailable):
        GovernanceDatabase("sqlite://")


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="ORDINIS_HOME"):
        GovernanceDatabase(f"sqlite:///{tmp_path / 'file' / 'ordinis.db'}")


def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / "ordinis.db").write_bytes(b"not a database, but long enough to look at" * 100)
    database = GovernanceDatabase(f"sqlite:///{tmp_path / 'ordinis.db'}")
    with pytest.raises(DataCorrupt):
        database.upgrade()
    database.close()


def test_commits_are_durable_and_readers_go_on(database):
    with database.session() as session:
        assert session.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
        assert session.execute(sa.text("PRAGMA synchronous")).scalar() == 2
        assert session.execute(sa.text("PRAGMA foreign_keys")).scalar() == 1
        with database.reading() as reader:
            assert reader.scalars(sa.select(HeadRow)).all() == []


def test_a_failed_session_leaves_nothing(database):
    def write():
        with database.session() as session:
            session.add(HeadRow(subject="x", sequence=1, hash="0" * 64))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    with database.reading() as session:
        assert session.get(HeadRow, "x") is None


def test_writers_take_turns(database):
    def count_up():
        for _ in range(20):
            with database.session() as session:
                row = session.get(HeadRow, "x") or HeadRow(subject="x", sequence=0, hash="0" * 64)
                row.sequence += 1
                session.add(row)

    threads = [threading.Thread(target=count_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.get(HeadRow, "x").sequence == 60


@pytest.mark.parametrize("ours_first", [True, False])
def test_one_file_holds_both_schemas_in_either_order(tmp_path, make, ours_first):
    with warnings.catch_warnings():
        # MLflow 3.17 uses a loader strategy that SQLAlchemy 2.1 calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    url = f"sqlite:///{tmp_path / 'ordinis.db'}"
    database = GovernanceDatabase(url)
    if ours_first:
        database.upgrade()
    store = SqlAlchemyStore(url)
    database.upgrade()
    store.create_registered_model("plain")
    SqlCatalogue(database, clock=lambda: make.now).add_dataset(make.manifest())
    theirs = set(sqlite3.connect(tmp_path / "ordinis.db").execute("SELECT version_num FROM alembic_version"))
    assert len(theirs) == 1
    assert database.differences() == []
    store.engine.dispose()
    database.close()


def test_no_table_has_a_name_of_mlflows():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import mlflow.store.jobs.sqlalchemy_store
        import mlflow.store.model_registry.sqlalchemy_store
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    from mlflow.store.db.base_sql_model import Base

    assert not TABLES & set(Base.metadata.tables)


def test_upgrading_leaves_the_hosts_loggers_alone(tmp_path):
    logger = logging.getLogger("somebody.elses")
    database = GovernanceDatabase(f"sqlite:///{tmp_path / 'ordinis.db'}")
    database.upgrade()
    database.close()
    assert not logger.disabled

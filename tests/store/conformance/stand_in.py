"""A pytest plugin that lets another store stand in for MLflow's in MLflow's own, unmodified tests.

``test_mlflow_suite.py`` loads it with ``-p`` in a process of its own and says by environment what to do:
``ORDINIS_SUITE_STORE`` is ``mlflow`` or ``ordinis``, ``ORDINIS_SUITE_POSTGRES`` a server on which each test has databases
of its own in place of its SQLite files, ``ORDINIS_SUITE_OUTCOMES`` the file that takes what came out.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow.store.db.utils import _initialize_tables  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore  # noqa: TID253


class Places:
    """Where the databases of the running test are: its SQLite files, or databases on a server instead of them."""

    def __init__(self, server):
        self.template = ""
        self._server = server
        self._made = {}
        self._admin = sa.create_engine(server, isolation_level="AUTOCOMMIT") if server else None

    def of(self, url):
        """Return where the database lies that a test calls by this address."""
        if self._admin is None or url is None or not url.startswith("sqlite"):
            return url
        if not self.template:
            self.template = self._create("")
            engine = sa.create_engine(self._address(self.template))
            _initialize_tables(engine)
            engine.dispose()
        if url not in self._made:
            Path(sa.make_url(url).database).touch()  # some tests copy the file
            self._made[url] = self._create(f"TEMPLATE {self.template}")
        return self._address(self._made[url])

    def forget(self):
        """Drop the databases of the test that ended."""
        self._drop(*self._made.values())
        self._made.clear()

    def close(self):
        """Drop the template too."""
        self.forget()
        self._drop(*filter(None, [self.template]))

    def _address(self, name):
        return sa.make_url(self._server).set(database=name).render_as_string(hide_password=False)

    def _create(self, how):
        name = f"ordinis_suite_{uuid.uuid4().hex[:12]}"
        with self._admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} {how}")
        return name

    def _drop(self, *names):
        for name in names:
            with self._admin.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


PLACES = Places(os.environ.get("ORDINIS_SUITE_POSTGRES"))
OUTCOMES = {}


def standing_in(store_class):
    """Return a store class whose databases lie where the plugin says."""

    class StandIn(store_class):
        def __init__(self, db_uri, read_db_uri=None):
            super().__init__(PLACES.of(db_uri), PLACES.of(read_db_uri))

    return StandIn


def stores():
    if os.environ["ORDINIS_SUITE_STORE"] == "mlflow":
        return SqlAlchemyStore, WorkspaceAwareSqlAlchemyStore
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore, OrdinisWorkspaceSqlAlchemyStore

    return OrdinisSqlAlchemyStore, OrdinisWorkspaceSqlAlchemyStore


def pytest_collection_modifyitems(items):
    plain, by_workspace = map(standing_in, stores())
    for module in {item.module for item in items}:
        for name, swapped in (("SqlAlchemyStore", plain), ("WorkspaceAwareSqlAlchemyStore", by_workspace)):
            if hasattr(module, name):
                setattr(module, name, swapped)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish():
    PLACES.forget()


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        failed = OUTCOMES.get(report.nodeid) == "failed"
        OUTCOMES[report.nodeid] = "failed" if failed else report.outcome


def pytest_sessionfinish():
    PLACES.close()
    Path(os.environ["ORDINIS_SUITE_OUTCOMES"]).write_text(json.dumps(OUTCOMES), encoding="utf-8")

"""A replica that lags behind: searches may ask it, nobody learns from it what is active, and no decision rests on it."""

from __future__ import annotations

import shutil
from importlib import resources

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_mlflow import entry_points
from ordinis_mlflow._store import OrdinisSqlAlchemyStore

MODEL = "sp500_signal"


@pytest.fixture(params=["sqlite", "postgresql"])
def lagging(request, make_desk, tmp_path):
    """A desk that reads from a copy of its database too, made before its first promotion; and the copy's address."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    desk = make_desk(url=postgres)
    desk.register()
    desk.store.engine.dispose()
    with copied(desk.url, tmp_path) as replica:
        desk.promote("1")
        desk.store = OrdinisSqlAlchemyStore(desk.url, replica, settings=desk.settings, clock=desk.clock)
        yield desk, replica
        desk.store.read_engine.dispose()
        desk.store.engine.dispose()


class copied:  # noqa: N801  read as a function
    """A copy of a database as it is now, dropped afterwards."""

    def __init__(self, url, folder):
        self._url, self._folder = sa.make_url(url), folder

    def __enter__(self):
        if self._url.get_backend_name() == "sqlite":
            path = self._folder / "replica.db"
            with sa.create_engine(self._url).connect() as connection:
                connection.exec_driver_sql(f"VACUUM INTO '{path}'")
            return f"sqlite:///{path}"
        self._name = f"{self._url.database}_r"
        self._run(f"CREATE DATABASE {self._name} TEMPLATE {self._url.database}")
        return self._url.set(database=self._name).render_as_string(hide_password=False)

    def __exit__(self, *_):
        if self._url.get_backend_name() != "sqlite":
            self._run(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _run(self, statement):
        admin = sa.create_engine(self._url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(sa.text(others), {"name": self._url.database})
            connection.exec_driver_sql(statement)
        admin.dispose()


def test_what_is_active_comes_from_the_primary_and_searches_from_the_replica(lagging):
    desk, _ = lagging
    store = desk.store
    assert store.get_registered_model(MODEL).aliases == {"active": 1}
    assert store.get_model_version(MODEL, "1").current_stage == "Production"
    assert str(store.get_model_version_by_alias(MODEL, "active").version) == "1"
    assert [str(one.version) for one in store.get_latest_versions(MODEL, ["active"])] == ["1"]
    assert [one.current_stage for one in store.search_model_versions(f"name = '{MODEL}'")] == ["None"]
    assert [one.aliases for one in store.search_registered_models()] == [{}]


def test_decisions_look_at_the_primary_alone(lagging):
    desk, _ = lagging
    desk.promote(desk.register())  # a version that the replica has never heard of
    assert desk.aliases() == {"active": "2", "last_known_good": "1"}
    with pytest.raises(MlflowException, match="last known good"):
        desk.store.delete_model_version(MODEL, "1")
    assert desk.store.roll_back(MODEL, reason="drill") == "1"
    assert desk.store.reconcile() == []
    assert desk.ledger.verify() == []


def test_models_that_are_not_governed_are_read_as_mlflow_reads_them(lagging):
    desk, replica = lagging
    text = (resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml").read_text()
    (desk.home / "policies").mkdir()
    (desk.home / "policies" / "some_v1.yaml").write_text(
        text.replace("policy_id: gov_v1", "policy_id: some_v1").replace('names: ["*"]', 'names: ["sp500*"]')
    )
    store = OrdinisSqlAlchemyStore(desk.url, replica, settings=desk.settings, policy_id="some_v1")
    store.create_registered_model("free")
    with pytest.raises(MlflowException, match="not found"):
        store.get_registered_model("free")  # the replica has not heard of it, as with MLflow's own store
    assert store.get_registered_model(MODEL).aliases == {"active": 1}


def test_a_replica_that_is_gone_stops_searches_only(desk, tmp_path):
    desk.promote(desk.register())
    with copied(desk.url, tmp_path) as replica:
        store = OrdinisSqlAlchemyStore(desk.url, replica, settings=desk.settings, clock=desk.clock)
    store.read_engine.dispose()
    (tmp_path / "replica.db").rename(tmp_path / "away.db")
    (tmp_path / "replica.db").mkdir()  # opened as a file, it fails
    assert store.get_registered_model(MODEL).aliases == {"active": 1}
    assert store.roll_back(MODEL, reason="drill") is None
    with pytest.raises(MlflowException):
        store.search_model_versions()
    store.engine.dispose()


def test_the_servers_option_counts_only_for_the_database_it_is_a_replica_of(desk, tmp_path, monkeypatch):
    with copied(desk.url, tmp_path) as replica:
        monkeypatch.setenv(entry_points.REPLICA_URI, replica)
        monkeypatch.setenv(entry_points.BACKEND_URI, f"sqlite:///{tmp_path / 'tracking.db'}")
        assert entry_points.registry_store(f"ordinis+{desk.url}").read_engine is None
        monkeypatch.setenv(entry_points.BACKEND_URI, desk.url)
        assert str(entry_points.registry_store(f"ordinis+{desk.url}").read_engine.url) == replica


def test_the_names_of_the_options_are_mlflows():
    from mlflow.server import constants

    assert entry_points.BACKEND_URI == constants.BACKEND_STORE_URI_ENV_VAR
    assert entry_points.REPLICA_URI == constants.READ_REPLICA_BACKEND_STORE_URI_ENV_VAR


@pytest.mark.slow
def test_behind_a_server(make_desk, tmp_path, empty_database, serving):
    shutil.copyfile(empty_database, tmp_path / "ordinis.db")
    desk = make_desk()
    desk.register()
    with copied(desk.url, tmp_path) as replica:
        desk.promote("1")
        with serving(tmp_path, "--read-replica-backend-store-uri", replica) as server:
            client = MlflowClient(server, server)
            assert str(client.get_model_version_by_alias(MODEL, "active").version) == "1"
            assert [one.current_stage for one in client.search_model_versions()] == ["None"]

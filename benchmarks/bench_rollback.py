"""Going back: the pointer swap to the last known good version, against MLflow's own alias set.

Ours hashes the bytes of the version it goes back to, retires the one that is left, moves stage, state and three aliases, and writes a ledger
record and an outbox entry, in one transaction that is synced; MLflow's store writes one alias. The model is 200 kB. Before each run
a further version is promoted, which is not timed. The client's rows go through ``MlflowModelRegistry`` as the commands do, with the
look before and after, beside ``MlflowClient``. Journals as in ``bench_registry``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from benchmarks._harness import compare
from benchmarks.bench_registry import NAME, _Desk


def run(*, quick):
    from mlflow import MlflowClient
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    from ordinis_mlflow.registry import MlflowModelRegistry

    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    runs = 3 if quick else 25
    try:
        desk = _Desk(folder)
        promoted(desk)
        url = f"sqlite:///{folder / 'ordinis.db'}"
        registry = MlflowModelRegistry(
            registry_uri=f"ordinis+{url}", tracking_uri=url, database=desk.database
        )
        plain, in_wal = (SqlAlchemyStore(f"sqlite:///{folder / name}.db") for name in ("plain", "wal"))
        with in_wal.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        for store in (plain, in_wal):
            store.create_registered_model(NAME)
            for _ in range(2):
                store.create_model_version(NAME, str(desk.model_folder))
        client = MlflowClient(
            tracking_uri=f"sqlite:///{folder / 'wal.db'}", registry_uri=f"sqlite:///{folder / 'wal.db'}"
        )

        def swap(back):
            def prepare(_):
                base = desk.incumbent
                promoted(desk)

                def work():
                    assert str(back()) == base
                    desk.incumbent = base

                return work

            return prepare

        def alias(setter):
            return lambda number: lambda: setter(NAME, "active", str(number % 2 + 1))

        by_store = swap(lambda: desk.store.roll_back(NAME, reason="bench"))
        by_client = swap(lambda: registry.roll_back(NAME, reason="bench"))
        for work, ours, name, setter in (
            ("rollback, pointer swap", by_store, "store", plain.set_registered_model_alias),
            ("the same", by_store, "store in WAL", in_wal.set_registered_model_alias),
            (
                "the same through the client",
                by_client,
                "client, store in WAL",
                client.set_registered_model_alias,
            ),
        ):
            yield compare(
                work,
                ours=ours,
                reference_name=f"MLflow's {name}, set alias",
                reference=alias(setter),
                runs=runs,
            )
        desk.close()
        for store in (plain, in_wal):
            store.engine.dispose()
    finally:
        shutil.rmtree(folder)


def promoted(desk):
    """Bring a new version to ACTIVE; return its number."""
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    desk.move(version, "active")
    return version

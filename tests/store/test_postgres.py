"""The same gate on PostgreSQL, where a database server is at hand."""

from __future__ import annotations

import os
import threading
import uuid

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException  # noqa: TID253

MODEL = "sp500_signal"
SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture
def postgres():
    """Make a database of its own; drop it afterwards."""
    try:
        admin = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
        name = f"ordinis_test_{uuid.uuid4().hex[:12]}"
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except ModuleNotFoundError as error:
        pytest.skip(
            f"no driver for PostgreSQL is installed ({error.name}); ORDINIS_TEST_POSTGRES_URL names one"
        )
    except sa.exc.OperationalError:
        pytest.skip(f"no PostgreSQL server at {sa.make_url(SERVER).render_as_string()}")
    yield sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


def test_promotion_rollback_and_ledger(postgres, make_desk):
    desk = make_desk(url=postgres)
    assert desk.database.differences() == []
    first, second = desk.register(), desk.register()
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
        desk.move(first, "shadow")
    desk.promote(first)
    desk.promote(second)
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
        desk.store.delete_model_version(MODEL, first)
    assert desk.store.roll_back(MODEL, reason="drill") == first
    assert desk.aliases() == {"active": first}
    assert desk.ledger.verify() == []
    assert desk.ledger.active_at(MODEL, desk.clock()) == first

    third, fourth = desk.register(), desk.register()
    for version in (third, fourth):
        desk.attest(version)
        desk.move(version, "shadow")
        desk.approve(version)
    start, outcomes = threading.Barrier(2), []

    def promote(version):
        start.wait()
        try:
            outcomes.append(desk.move(version, "active").version)
        except MlflowException as error:
            outcomes.append(error.error_code)

    threads = [threading.Thread(target=promote, args=(version,)) for version in (third, fourth)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("PERMISSION_DENIED") == 1
    stages = [desk.store.get_model_version(MODEL, v).current_stage for v in (first, third, fourth)]
    assert stages.count("Production") == 1
    assert desk.ledger.verify() == []

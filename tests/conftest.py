"""What tests of several packages need: a server on loopback that speaks S3, a governed registry on PostgreSQL."""

from __future__ import annotations

import os
import uuid
import warnings

import pytest
from hypothesis import settings

from ordinis_learn.settings import load_settings

POSTGRES_SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")

# A deadline is an asserted time: it fails on a busy machine and says nothing about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def s3_endpoint():
    """A server on loopback that speaks S3."""
    pytest.importorskip("s3fs", reason="pip install 'ordinis-learn[object-store]'")
    moto = pytest.importorskip("moto.server", reason="pip install 'moto[s3]' flask flask-cors")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(request, monkeypatch):
    """A URL in a bucket of its own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3_endpoint"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "desk")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "desk")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}/desk"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def postgres_template():
    """A database with both schemas on a PostgreSQL server, made once; each test has a copy of it."""
    import sqlalchemy as sa

    with warnings.catch_warnings():
        # MLflow 3.17 uses a loader strategy that SQLAlchemy 2.1 calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    try:
        admin = sa.create_engine(
            POSTGRES_SERVER, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2}
        )
        name = f"ordinis_test_{uuid.uuid4().hex[:12]}"
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except ModuleNotFoundError as error:
        pytest.skip(
            f"no driver for PostgreSQL is installed ({error.name}); ORDINIS_TEST_POSTGRES_URL names one"
        )
    except sa.exc.OperationalError:
        pytest.skip(f"no PostgreSQL server at {sa.make_url(POSTGRES_SERVER).render_as_string()}")
    url = sa.make_url(POSTGRES_SERVER).set(database=name).render_as_string(hide_password=False)
    OrdinisSqlAlchemyStore(url, settings=load_settings()).engine.dispose()
    yield admin, name
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def postgres(postgres_template):
    """Make a database of its own; drop it afterwards."""
    import sqlalchemy as sa

    admin, template = postgres_template
    name = f"ordinis_test_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield sa.make_url(POSTGRES_SERVER).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")

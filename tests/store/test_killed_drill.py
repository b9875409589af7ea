"""What a killed drill leaves is removed by the next one, and what a living one works with is not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ordinis_learn.cli import main
from ordinis_mlflow.drill import RegistryRehearsal

MODEL = "sp500_signal"
DRILLING = """
import sys, time
from ordinis_mlflow.drill_folders import drill_folder
from ordinis_registry.copying import registry_copy
with drill_folder() as home, registry_copy(sys.argv[1], folder=home) as url:
    print(home, url.rpartition("/")[2], flush=True)
    time.sleep(600)
"""


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary folders are made, for this process and those that it starts."""
    path = tmp_path / "scratch"
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield path
    tempfile.tempdir = None


@pytest.fixture
def drilling():
    """Start a process that drills, up to where the copy is made; return it with its folder and database."""
    started = []

    def start(url):
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", DRILLING, url], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        folder, database = process.stdout.readline().split()
        return process, Path(folder), database

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def rehearsal(desk):
    return RegistryRehearsal(
        f"ordinis+{desk.url}", tracking_uri=desk.url, settings=desk.settings, clock=desk.clock
    )


def databases(url):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        names = connection.scalars(sa.text("SELECT datname FROM pg_database")).all()
    engine.dispose()
    return {name for name in names if name.startswith("ordinis_drill_")}


def kill(process):
    process.kill()
    process.wait()


def wait_for_the_server(rehearsal, database):
    """Wait until it has noticed that the process is gone."""
    deadline = time.monotonic() + 30
    while database not in rehearsal.abandoned():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.usefixtures("scratch")
def test_a_folder_goes_with_the_next_drill_once_its_owner_is_dead(desk, drilling):
    desk.promote(desk.register())
    process, folder, _ = drilling(desk.url)
    assert (folder / "registry.db").exists()
    assert rehearsal(desk)([MODEL])[0].from_version == "1"
    assert rehearsal(desk).abandoned() == []
    assert (folder / "registry.db").exists()
    kill(process)
    assert rehearsal(desk).abandoned() == [str(folder)]
    rehearsal(desk)([MODEL])
    assert not folder.exists()


@pytest.mark.usefixtures("scratch")
def test_a_database_goes_with_the_next_drill_once_its_owner_is_dead(make_desk, postgres, drilling):
    desk = make_desk(url=postgres)
    process, folder, database = drilling(postgres)
    assert database in databases(postgres)
    assert rehearsal(desk).tidy_up() == []
    assert database in databases(postgres)
    kill(process)
    wait_for_the_server(rehearsal(desk), database)
    assert str(folder) in rehearsal(desk).abandoned()
    assert rehearsal(desk).tidy_up() == [str(folder), database]
    assert database not in databases(postgres)
    assert database not in rehearsal(desk).abandoned()


@pytest.mark.usefixtures("scratch")
def test_another_registry_s_drill_is_left_alone(make_desk, postgres, postgres_template, drilling):
    """Its lock is in its own database, where this one cannot ask for it."""
    admin, template = postgres_template
    other = admin.url.set(database=template).render_as_string(hide_password=False)
    process, _, database = drilling(other)
    desk = make_desk(url=postgres)
    assert database not in rehearsal(desk).tidy_up()
    kill(process)
    assert database not in rehearsal(desk).tidy_up()
    assert database in databases(postgres)
    owner = RegistryRehearsal(
        f"ordinis+{other}", tracking_uri=other, settings=desk.settings, clock=desk.clock
    )
    wait_for_the_server(owner, database)
    assert database in owner.tidy_up()


@pytest.mark.usefixtures("scratch")
def test_doctor_names_what_is_left_and_removes_nothing(make_desk, postgres, monkeypatch, tmp_path):
    desk = make_desk(url=postgres)
    old = f"ordinis_drill_{uuid.uuid4().hex[:12]}"  # as an earlier release named it: nobody knows its owner
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {old}")
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", desk.url)
        monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"ordinis+{postgres}")
        said = CliRunner().invoke(main, ["--home", str(tmp_path), "doctor"]).output
        assert f"left {old}" in said
        rehearsal(desk).tidy_up()
        assert old in databases(postgres)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {old}")
        engine.dispose()

"""What the world does to a registry: full disks, held locks, restarts, clocks, a second server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException  # noqa: TID253

MODEL = "sp500_signal"
BINARIES = Path("/usr/lib/postgresql/15/bin")


@contextmanager
def no_room(desk):
    """Let the database grow by no page: what SQLite says then is what it says of a full disk."""

    def limit(connection, *_):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    desk.store.engine.dispose()
    sa.event.listen(desk.store.engine, "connect", limit)
    yield
    sa.event.remove(desk.store.engine, "connect", limit)
    desk.store.engine.dispose()


def answer(work):
    try:
        work()
    except MlflowException as error:
        return error.error_code
    return "ok"


def test_disk_full(desk, disagreements):
    desk.promote(desk.register())
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    with no_room(desk):
        answers = [answer(lambda: desk.store.set_registered_model_alias(MODEL, "active", version))]
        while answers[-1] != "TEMPORARILY_UNAVAILABLE" and len(answers) < 500:  # free pages take some records
            answers.append(answer(lambda: desk.store.set_registered_model_alias(MODEL, "active", version)))
        with pytest.raises(MlflowException, match="full") as caught:
            desk.move(version, "active")
    assert set(answers) == {"PERMISSION_DENIED", "TEMPORARILY_UNAVAILABLE"}
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    assert disagreements(desk.database) == []
    desk.move(version, "active")
    assert desk.active() == version
    assert disagreements(desk.database) == []


@pytest.fixture
def small_disk():
    """A file system of four megabytes, where the system lets the test mount one."""
    folder = Path(tempfile.mkdtemp(prefix="ordinis-small-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        folder.rmdir()
        pytest.skip(f"no file system can be mounted here: {getattr(error, 'stderr', '') or error}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def fill(folder):
    """Leave no byte free; return what takes the room."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))
    return filler


def test_a_file_system_that_is_truly_full(small_disk, empty_database, make_desk, disagreements):
    shutil.copyfile(empty_database, small_disk / "ordinis.db")
    desk = make_desk(url=f"sqlite:///{small_disk / 'ordinis.db'}")
    desk.promote(desk.register())
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    filler = fill(small_disk)
    answers = [answer(lambda: desk.store.set_registered_model_alias(MODEL, "active", version))]
    while (
        answers[-1] != "TEMPORARILY_UNAVAILABLE" and len(answers) < 5000
    ):  # the log has some room of its own
        answers.append(answer(lambda: desk.store.set_registered_model_alias(MODEL, "active", version)))
    with pytest.raises(MlflowException, match="full") as caught:
        desk.move(version, "active")
    assert set(answers) <= {"PERMISSION_DENIED", "TEMPORARILY_UNAVAILABLE"}
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    assert desk.active() == "1"  # readers go on
    assert disagreements(desk.database) == []
    filler.unlink()
    desk.move(version, "active")
    assert desk.active() == version
    assert disagreements(desk.database) == []
    desk.close()


def test_a_clock_that_is_set_back(desk, disagreements):
    first, second = desk.register(), desk.register()
    began = desk.clock()
    desk.clock.advance(hours=1)
    desk.promote(first)
    desk.attest(second)
    desk.move(second, "shadow")
    desk.approve(second)
    desk.clock.advance(minutes=-55)
    with pytest.raises(MlflowException, match="it lies in the future"):
        desk.move(second, "active")
    assert desk.store.roll_back(MODEL, reason="drill") is None
    assert disagreements(desk.database) == []
    sequences = [record.sequence for record in desk.ledger.history(MODEL)]
    assert sequences == list(range(1, len(sequences) + 1))
    # The rollback is the later record, so it counts from its own time on, though that is the earlier one.
    assert desk.ledger.active_at(MODEL, began + timedelta(hours=1)) is None
    assert desk.ledger.active_at(MODEL, began + timedelta(minutes=1)) is None


def test_keys_are_not_trusted_before_their_time(desk):
    version = desk.register()
    desk.attest(version)
    desk.clock.advance(days=-2)
    with pytest.raises(MlflowException, match="not trusted yet"):
        desk.move(version, "shadow")


@contextmanager
def held(database, statement):
    """Hold a lock in another session."""
    connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if database.engine.dialect.name == "sqlite" else "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)
    try:
        yield
    finally:
        connection.exec_driver_sql("ROLLBACK")
        connection.close()


def refused_while_locked(desk):
    with pytest.raises(MlflowException, match="lock") as caught:
        desk.store.roll_back(MODEL, reason="drill")
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    assert "nothing was changed; try again" in caught.value.message


@pytest.mark.slow
def test_locked_by_another_writer_on_sqlite(desk, disagreements):
    desk.promote(desk.register())
    with held(desk.database, ""):
        assert desk.active() == "1"  # readers go on
        refused_while_locked(desk)
    assert disagreements(desk.database) == []
    assert desk.store.roll_back(MODEL, reason="drill") is None


@pytest.mark.slow
def test_locked_by_another_writer_on_postgresql(postgres, make_desk, disagreements):
    desk = make_desk(url=postgres)
    desk.promote(desk.register())
    with held(desk.database, "SELECT * FROM governance_heads FOR UPDATE"):
        assert desk.active() == "1"
        refused_while_locked(desk)
    assert disagreements(desk.database) == []
    assert desk.store.roll_back(MODEL, reason="drill") is None


class Cluster:
    """A PostgreSQL server of our own, run by an unprivileged user."""

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def control(self, *arguments):
        subprocess.run(
            [BINARIES / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", *arguments],
            check=True,
            user=owner(),
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self):
        self.control("-o", f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}", "start")

    def stop(self, mode):
        self.control("-m", mode, "stop")


def owner():
    return "postgres" if os.geteuid() == 0 else None


@pytest.fixture
def cluster():
    if not (BINARIES / "initdb").exists():
        pytest.skip(f"no PostgreSQL programs in {BINARIES}")
    folder = Path(tempfile.mkdtemp(prefix="ordinis-postgres-"))
    if owner():
        shutil.chown(folder, owner())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        made = Cluster(folder, probe.getsockname()[1])
    command = [BINARIES / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run(command, check=True, user=owner(), cwd=folder, stdout=subprocess.DEVNULL)
    made.start()
    yield made
    made.stop("immediate")
    shutil.rmtree(folder)


@pytest.mark.slow
def test_postgresql_restarted(cluster, make_desk, disagreements):
    desk = make_desk(url=cluster.url)
    desk.promote(desk.register())
    version = desk.register()
    cluster.stop("immediate")
    with pytest.raises(MlflowException) as caught:
        desk.store.roll_back(MODEL, reason="drill")
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    cluster.start()
    assert disagreements(desk.database) == []
    assert desk.active() == "1"

    with pytest.raises(MlflowException) as caught:
        interrupted(desk, cluster, version)
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    assert disagreements(desk.database) == []
    desk.promote(version)
    assert desk.active() == version
    assert disagreements(desk.database) == []


def interrupted(desk, cluster, version):
    """Begin a change, and let the server go away before its record is written."""
    with desk.store._change(MODEL) as change:
        change.put(version, change.state("1"))
        change.session.flush()
        cluster.stop("immediate")
        cluster.start()
        change.record("rollout.allowed", {})


PLAYER = """
import sys
from ordinis_learn.settings import load_settings
from ordinis_mlflow._store import OrdinisSqlAlchemyStore
from mlflow.exceptions import MlflowException

store = OrdinisSqlAlchemyStore(sys.argv[1], settings=load_settings(home=sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    try:
        if number % 3 == 0:
            store.roll_back("sp500_signal", reason="drill")
        elif number % 3 == 1:
            store.transition_model_version_stage("sp500_signal", "2", "active", False)
        else:
            store.set_registered_model_alias("sp500_signal", "active", "2")
        print("ok", flush=True)
    except MlflowException as error:
        print(error.error_code, flush=True)
"""


def two_servers(desk):
    """Let two processes change one model at once; return what they were answered."""
    command = [sys.executable, "-c", PLAYER, desk.url, str(desk.home)]
    players = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [[], []]

    def listen(number, player):
        said[number] = player.stdout.read().split()

    for player in players:
        assert player.stdout.readline() == "ready\n"
    listeners = [
        threading.Thread(target=listen, args=(number, player)) for number, player in enumerate(players)
    ]
    for listener in listeners:
        listener.start()
    for player in players:
        player.stdin.write("go\n")
        player.stdin.close()
    for listener, player in zip(listeners, players, strict=True):
        listener.join(timeout=120)
        assert player.wait(timeout=10) == 0
        player.stdout.close()
    return Counter(said[0] + said[1])


def play(desk, disagreements):
    desk.promote(desk.register())
    desk.promote(desk.register())
    before = len(desk.ledger.history(MODEL))
    answers = two_servers(desk)
    assert answers.total() == 120
    assert set(answers) == {"ok", "PERMISSION_DENIED"}
    assert disagreements(desk.database) == []
    actions = Counter(record.action for record in desk.ledger.history(MODEL)[before:])
    assert actions["alias.refused"] == 40
    assert actions["rolled_back"] == 2  # to version 1, then to nothing; afterwards it is flat
    assert desk.aliases() == {}


@pytest.mark.slow
def test_two_servers_on_one_sqlite_file(desk, disagreements):
    play(desk, disagreements)


@pytest.mark.slow
def test_two_servers_on_one_postgresql_database(postgres, make_desk, disagreements):
    play(make_desk(url=postgres), disagreements)

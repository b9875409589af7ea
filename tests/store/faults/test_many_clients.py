"""Many clients promote, approve, roll back, retire and delete the same models at once, in-process and over REST,
there through two servers on one database.

An independent reader samples the database all the while: never two ACTIVE, never an alias beside its stage.
Afterwards each answer has its record and each record its answer.
"""

from __future__ import annotations

import copy
import itertools
import random
import shutil
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.utils.file_utils import local_file_uri_to_path  # noqa: TID253

ANSWERS = {
    "ok",
    "flat",
    "PERMISSION_DENIED",
    "RESOURCE_DOES_NOT_EXIST",
    "INVALID_PARAMETER_VALUE",
    "TEMPORARILY_UNAVAILABLE",
}


class RestStore:
    """What a desk asks of a store, asked by a stock client of a server."""

    def __init__(self, address, folder):
        self.client = MlflowClient(tracking_uri=address, registry_uri=address)
        experiment = self.client.create_experiment(uuid.uuid4().hex, artifact_location=folder.as_uri())
        self.run = self.client.create_run(experiment).info
        self.get_model_version = self.client.get_model_version
        self.get_model_version_download_uri = self.client.get_model_version_download_uri
        self.get_registered_model = self.client.get_registered_model
        self.delete_model_version = self.client.delete_model_version
        self.set_registered_model_alias = self.client.set_registered_model_alias
        self.transition_model_version_stage = self.client.transition_model_version_stage

    def create_model_version(self, name, folder):
        place = Path(local_file_uri_to_path(self.run.artifact_uri)) / Path(folder).name
        shutil.copytree(folder, place)  # a server takes local addresses from their own run alone
        return self.client.create_model_version(name, place.as_uri(), self.run.run_id)

    def set_model_version_tag(self, name, version, tag):
        self.client.set_model_version_tag(name, version, tag.key, tag.value)

    def roll_back(self, name, *, reason):
        self.client.set_registered_model_tag(name, "ordinis.request.rollback", reason)


def in_process(desk):
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    return OrdinisSqlAlchemyStore(desk.url, settings=desk.settings, clock=desk.clock)


class Client:
    """One person with a store of their own; every call is answered, and every answer is counted."""

    def __init__(self, desk, *, seed, models, start, open_store):
        self.desk = copy.copy(desk)
        self.desk.store = open_store(desk)
        self.random = random.Random(seed)  # noqa: S311
        self.seed = seed
        self.models = models
        self.start = start
        self.answers = Counter()
        self.longest_s = 0.0
        self.unexpected = []
        self.crash = None

    def run(self, rounds):
        try:
            self.start.wait(timeout=60)
            for number in range(rounds):
                self.one_round(self.random.choice(self.models), number)
        except BaseException as error:  # noqa: BLE001  whatever ends a client is reported by the test
            self.crash = error

    def one_round(self, name, number):
        store, pick = self.desk.store, self.random
        made = self.call("register", lambda: self.register(name, number))
        if made is not None:
            self.call("attest", lambda: self.desk.attest(made, name=name))
            self.call("shadow", lambda: self.desk.move(made, "shadow", name=name))
            self.call("approve", lambda: self.desk.approve(made, name=name))
            self.call("active", lambda: self.desk.move(made, "active", name=name))
        other = str(pick.randint(1, 12))
        match pick.randrange(4):
            case 0:
                self.call("roll_back", lambda: store.roll_back(name, reason="drill"))
            case 1:
                self.call("delete", lambda: store.delete_model_version(name, other))
            case 2:
                self.call("retire", lambda: self.desk.move(other, "archived", name=name))
            case _:
                self.call("alias", lambda: store.set_registered_model_alias(name, "active", other))

    def register(self, name, number):
        folder = self.desk.write_model(f"{name}-{self.seed}-{number}")
        return str(self.desk.store.create_model_version(name, str(folder)).version)

    def call(self, what, work):
        outcome, value, began = "ok", None, time.monotonic()
        try:
            value = work()
        except MlflowException as error:
            outcome = error.error_code
            if outcome not in ANSWERS:
                self.unexpected.append(f"{what}: {error.message}")
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        if what == "roll_back" and outcome == "ok":
            outcome = "flat" if value is None else "ok"
        self.answers[what, outcome] += 1
        return value


WRONG = sa.text(
    "SELECT name, 'two ACTIVE' FROM model_versions WHERE current_stage = 'Production' "
    "GROUP BY name HAVING count(*) > 1 UNION ALL "
    "SELECT v.name, 'stage without alias' FROM model_versions v WHERE v.current_stage = 'Production' AND NOT EXISTS "
    "(SELECT 1 FROM registered_model_aliases a WHERE a.name = v.name AND a.alias = 'active' AND a.version = v.version) "
    "UNION ALL SELECT a.name, 'alias without stage' FROM registered_model_aliases a WHERE a.alias = 'active' AND NOT EXISTS "
    "(SELECT 1 FROM model_versions v WHERE v.name = a.name AND v.version = a.version AND v.current_stage = 'Production')"
)


def crowd(desk, *, clients, rounds, models, open_store=in_process):
    """Let the clients loose; return what they were answered, what the reader saw wrong, and the longest wait."""
    for name in models:
        desk.store.create_registered_model(name)
    start, done = threading.Barrier(clients), threading.Event()
    people = [
        Client(desk, seed=seed, models=models, start=start, open_store=open_store) for seed in range(clients)
    ]
    wrong, samples = [], itertools.count()

    def watch():
        while not done.is_set():
            with desk.database.engine.connect() as connection:
                wrong.extend(connection.execute(WRONG))
            next(samples)
            done.wait(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=person.run, args=(rounds,), daemon=True) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=400)
    done.set()
    watcher.join()
    assert not any(thread.is_alive() for thread in threads), "a client waits without an end"
    assert [message for person in people for message in person.unexpected] == []
    crashes = [person.crash for person in people if person.crash is not None]
    assert not crashes, crashes
    assert next(samples) > 10
    longest_s = max(person.longest_s for person in people)
    return sum((person.answers for person in people), Counter()), wrong, longest_s


def check(desk, seen, *, models, disagreements):
    answers, wrong, _ = seen
    assert wrong == []
    assert disagreements(desk.database) == []
    assert desk.store.reconcile() == []
    written = Counter(record.action for name in models for record in desk.ledger.history(name))
    moves = ("shadow", "active", "retire")
    assert written["rollout.allowed"] == sum(answers[what, "ok"] for what in moves)
    assert written["rollout.denied"] == sum(answers[what, "PERMISSION_DENIED"] for what in moves)
    assert written["version.registered"] == answers["register", "ok"]
    assert written["version.deleted"] == answers["delete", "ok"]
    assert written["deletion.refused"] == answers["delete", "PERMISSION_DENIED"]
    assert written["alias.refused"] == answers["alias", "PERMISSION_DENIED"]
    assert written["approval.given"] == answers["approve", "ok"]
    assert written["evidence.submitted"] >= 3 * answers["attest", "ok"]  # some got only a part accepted
    assert answers["alias", "ok"] == 0
    # A rollback to nothing, and one of a model that is flat, are answered alike; only the former is a record.
    certain = answers["roll_back", "ok"]
    assert certain <= written["rolled_back"] <= certain + answers["roll_back", "flat"]
    assert answers["active", "ok"] > 0
    assert answers["active", "PERMISSION_DENIED"] > 0


def test_a_few_clients(desk, disagreements):
    models = ["alpha"]
    seen = crowd(desk, clients=6, rounds=2, models=models)
    check(desk, seen, models=models, disagreements=disagreements)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("door", ["in_process", "rest"])
def test_thirty_two_clients(any_desk, disagreements, serving, record_property, door):
    models = ["alpha", "beta", "gamma"]
    any_desk.clock = lambda: datetime.now(UTC)  # the server's clock is its own
    if door == "in_process":
        seen = crowd(any_desk, clients=32, rounds=2, models=models)
    else:
        with (
            serving(any_desk.home, url=any_desk.url) as one,
            serving(any_desk.home, url=any_desk.url) as other,
        ):
            servers = itertools.cycle([one, other])
            seen = crowd(
                any_desk,
                clients=32,
                rounds=1,
                models=models,
                open_store=lambda desk: RestStore(next(servers), desk.home / "runs"),
            )
    record_property("longest_wait_s", round(seen[2], 2))
    record_property("calls", seen[0].total())
    check(any_desk, seen, models=models, disagreements=disagreements)

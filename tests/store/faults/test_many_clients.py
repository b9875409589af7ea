"""Many clients promote, approve, roll back, retire and delete the same models at once."""

from __future__ import annotations

import copy
import random
import threading
from collections import Counter

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException  # noqa: TID253

ANSWERS = {
    "ok",
    "flat",
    "PERMISSION_DENIED",
    "RESOURCE_DOES_NOT_EXIST",
    "INVALID_PARAMETER_VALUE",
    "TEMPORARILY_UNAVAILABLE",
}


class Client:
    """One person with a store of their own; every call is answered, and every answer is counted."""

    def __init__(self, desk, *, seed, models, start):
        from ordinis_mlflow._store import OrdinisSqlAlchemyStore

        self.desk = copy.copy(desk)
        self.desk.store = OrdinisSqlAlchemyStore(desk.url, settings=desk.settings, clock=desk.clock)
        self.random = random.Random(seed)  # noqa: S311
        self.seed = seed
        self.models = models
        self.start = start
        self.answers = Counter()
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
        outcome, value = "ok", None
        try:
            value = work()
        except MlflowException as error:
            outcome = error.error_code
            if outcome not in ANSWERS:
                self.unexpected.append(f"{what}: {error.message}")
        if what == "roll_back" and outcome == "ok":
            outcome = "flat" if value is None else "ok"
        self.answers[what, outcome] += 1
        return value


def crowd(desk, *, clients, rounds, models):
    """Let the clients loose; return what they were answered, and how often two versions were seen ACTIVE."""
    for name in models:
        desk.store.create_registered_model(name)
    start, done = threading.Barrier(clients), threading.Event()
    people = [Client(desk, seed=seed, models=models, start=start) for seed in range(clients)]
    doubles = []

    def watch():
        query = sa.text(
            "SELECT name FROM model_versions WHERE current_stage = 'Production' GROUP BY name HAVING count(*) > 1"
        )
        while not done.is_set():
            with desk.database.engine.connect() as connection:
                doubles.extend(connection.execute(query))
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
    return sum((person.answers for person in people), Counter()), doubles


def check(desk, answers, doubles, *, models, disagreements):
    assert doubles == []
    assert disagreements(desk.database) == []
    written = Counter(record.action for name in models for record in desk.ledger.history(name))
    moved = sum(answers[what, "ok"] for what in ("shadow", "active", "retire"))
    assert written["rollout.allowed"] == moved
    assert written["version.registered"] == answers["register", "ok"]
    assert written["version.deleted"] == answers["delete", "ok"]
    assert written["alias.refused"] == answers["alias", "PERMISSION_DENIED"]
    assert answers["alias", "ok"] == 0
    assert written["rolled_back"] >= answers["roll_back", "ok"]
    assert answers["active", "ok"] > 0
    assert answers["active", "PERMISSION_DENIED"] > 0


def test_a_few_clients(desk, disagreements):
    models = ["alpha"]
    answers, doubles = crowd(desk, clients=6, rounds=2, models=models)
    check(desk, answers, doubles, models=models, disagreements=disagreements)


@pytest.mark.slow
def test_thirty_two_clients_on_sqlite(desk, disagreements):
    models = ["alpha", "beta", "gamma"]
    answers, doubles = crowd(desk, clients=32, rounds=4, models=models)
    check(desk, answers, doubles, models=models, disagreements=disagreements)


@pytest.mark.slow
def test_thirty_two_clients_on_postgresql(postgres, make_desk, disagreements):
    desk, models = make_desk(url=postgres), ["alpha", "beta", "gamma"]
    answers, doubles = crowd(desk, clients=32, rounds=4, models=models)
    check(desk, answers, doubles, models=models, disagreements=disagreements)

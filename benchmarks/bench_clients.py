"""Thirty-two REST clients at once through ``mlflow server``: the governed store against MLflow's own.

*Free* work touches no gate: each client registers a version, tags it, reads it, searches its model, gives it an alias, over
and over; eight models are shared. The bytes lie elsewhere, so none are hashed.

*Governed* work is a promotion from beginning to end: each client registers a version of its own model, submits the three
statements the default policy asks for, moves it to SHADOW, asks what approvals are bound to, hands in two, moves it to ACTIVE,
tags, reads by alias, searches, and rolls back. Through MLflow's own store the same clients make the same number of
requests with values of the same size: tags without meaning, stages without a gate, and the earlier version's stage set by hand.
Statements are signed before the clock starts, approvals while it runs, on ours alone.

Both servers have four workers (MLflow's default) and a database of their own: on the server that
``ORDINIS_TEST_POSTGRES_URL`` names, without which there are no such rows, or an SQLite file in WAL mode on both sides.
Throughput is requests answered per second.
"""

from __future__ import annotations

import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlencode

import sqlalchemy as sa

from benchmarks._harness import compare
from benchmarks._rest import Client, database, server
from benchmarks._statements import approval, now, scorecard, shadow_report, training_record
from ordinis_learn.records import Actor, ModelRef, Role, tree_sha256
from ordinis_learn.rollout import SHADOW_TAG, TRAINING_TAG, KeyStore, approval_tag, scorecard_tag, sign
from ordinis_registry import GovernanceDatabase, SqlIdentityBook

CLIENTS = 32
MODELS = [f"bench_{number}" for number in range(8)]
CALLS_PER_ROUND = 5
CALLS_PER_PROMOTION = 14
PACK = "bench_core_v1"
APPROVERS = ("model-risk", "second-line")
SERVICE = "learn-service"


def run(*, quick):
    rounds, runs = (1, 1) if quick else (3, 4)
    with ExitStack() as stack:
        try:
            urls = [stack.enter_context(database()) for _ in range(2)]
        except sa.exc.OperationalError:
            urls = []
        if urls:
            yield from _rows(urls, "PostgreSQL", rounds=rounds, runs=runs)
    with tempfile.TemporaryDirectory(prefix="ordinis-bench-") as folder:
        urls = [sa.make_url(f"sqlite:///{folder}/{name}.db") for name in ("ours", "theirs")]
        yield from _rows(urls, "SQLite", rounds=rounds, runs=runs)


def _rows(urls, kind, *, rounds, runs):
    with ExitStack() as stack:
        (ours, ours_folder), (theirs, theirs_folder) = (
            stack.enter_context(server(url, governed=governed))
            for url, governed in zip(urls, (True, False), strict=True)
        )
        if kind == "SQLite":
            with sqlite3.connect(urls[1].database) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.close()
        for port in (ours, theirs):
            for name in MODELS:
                Client(port).call("POST", "registered-models/create", {"name": name})
        yield compare(
            f"{CLIENTS} clients, free work through the server, {kind}",
            ours=lambda _: lambda: _crowd(ours, rounds),
            reference_name="MLflow's store behind its server",
            reference=lambda _: lambda: _crowd(theirs, rounds),
            runs=runs,
            units=CLIENTS * rounds * CALLS_PER_ROUND,
        )
        keys = _trusted(urls[0], ours_folder)
        governed = [_Promoter(ours, ours_folder, keys, number) for number in range(CLIENTS)]
        free = [_Free(theirs, theirs_folder, keys, number) for number in range(CLIENTS)]
        yield compare(
            f"{CLIENTS} clients, promotions through the server, {kind}",
            ours=lambda _: _promotions(governed),
            reference_name="MLflow's store, stages in place of promotions",
            reference=lambda _: _promotions(free),
            runs=runs,
            units=CLIENTS * CALLS_PER_PROMOTION,
        )


def _crowd(port, rounds):
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda number: _work(port, MODELS[number % len(MODELS)], rounds), range(CLIENTS)))


def _work(port, name, rounds):
    client = Client(port)
    for _ in range(rounds):
        made = client.call("POST", "model-versions/create", {"name": name, "source": "s3://bench/model"})
        place = {"name": name, "version": made["model_version"]["version"]}
        client.call("POST", "model-versions/set-tag", {**place, "key": "note", "value": "bench"})
        client.call("GET", f"model-versions/get?{urlencode(place)}")
        query = urlencode({"filter": f"name='{name}'", "max_results": 5})
        client.call("GET", f"model-versions/search?{query}")
        client.call("POST", "registered-models/alias", {**place, "alias": f"build-{place['version']}"})
    client.connection.close()


def _promotions(people):
    for person in people:
        person.prepare()

    def work():
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda person: person.promote(), people))

    return work


def _trusted(url, folder):
    """Return keys that the governed server trusts."""
    keys = KeyStore(folder / "keys-of-bench")
    governance = GovernanceDatabase(url.render_as_string(hide_password=False))
    book = SqlIdentityBook(governance, clock=now)
    roles = dict.fromkeys(APPROVERS, (Role.APPROVER,))
    for name, held in {SERVICE: (Role.TRAINER, Role.EVALUATOR, Role.SHADOW_RUNNER), **roles}.items():
        keys.create(name)
        book.trust(keys.identity(name, roles=held, clock=now), actor=Actor(name="bench", kind="claimed"))
    governance.close()
    return keys


class _Promoter:
    """One client with a model of its own, through the governed store."""

    def __init__(self, port, folder, keys, number):
        self.client = Client(port)
        self.keys = keys
        self.name = f"bench_signal_{number}"
        self.version = 0
        run = self.client.call("POST", "runs/create", {"experiment_id": "0"})["run"]["info"]
        self.run_id, self.source = run["run_id"], f"{run['artifact_uri']}/model"
        place = folder / "artifacts" / self.source.removeprefix("mlflow-artifacts:/")
        place.mkdir(parents=True)
        (place / "MLmodel").write_text("flavors:\n  python_function:\n    data: model.ubj\n")
        (place / "model.ubj").write_bytes(bytes(range(256)) * 80)
        self.sha256 = tree_sha256(place)
        self.client.call("POST", "registered-models/create", {"name": self.name})

    def prepare(self):
        """Sign what can be signed before the next version is there: its number is known."""
        self.client.connection.close()  # a server hangs up on who says nothing for a while
        self.version += 1
        subject = self.reference(self.version)
        baseline = None if self.version == 1 else self.reference(1)  # each later one is rolled back
        self.statements = {
            TRAINING_TAG: self.signed("training", training_record(subject), subject),
            scorecard_tag(PACK): self.signed("scorecard", scorecard(subject, baseline, pack=PACK), subject),
            SHADOW_TAG: self.signed("shadow", shadow_report(subject, baseline), subject),
        }

    def promote(self):
        place = {"name": self.name, "version": str(self.version)}
        asked = {"name": self.name, "source": self.source, "run_id": self.run_id}
        self.client.call("POST", "model-versions/create", asked)
        for key, text in self.statements.items():
            self.tag(key, text)
        self.move("shadow", "Staging")
        for key, text in self.approvals():
            self.tag(key, text)
        self.move("active", "Production")
        self.tag("note", "bench")
        query = urlencode({"filter": f"name='{self.name}'", "max_results": 5})
        self.client.call("GET", f"model-versions/search?{query}")
        self.back(place)

    def approvals(self):
        self.tag("ordinis.request.evidence_hash", "now")
        subject, told = self.reference(self.version), self.tags()["ordinis.gate.evidence_hash"]
        for name in APPROVERS:
            answer = approval(subject, approver=name, evidence_hash=told)
            yield approval_tag(name), self.signed("approval", answer, subject, by=name)

    def move(self, state, _stage):
        asked = {"name": self.name, "version": str(self.version), "stage": state}
        self.client.call(
            "POST", "model-versions/transition-stage", {**asked, "archive_existing_versions": False}
        )

    def back(self, place):
        alias = urlencode({"name": self.name, "alias": "active"})
        found = self.client.call("GET", f"registered-models/alias?{alias}")
        assert found["model_version"]["version"] == place["version"]
        request = {"name": self.name, "key": "ordinis.request.rollback", "value": "drill"}
        if self.version == 1:
            request = {"name": self.name, "key": "note", "value": "drill"}
        self.client.call("POST", "registered-models/set-tag", request)

    def tag(self, key, value):
        place = {"name": self.name, "version": str(self.version)}
        self.client.call("POST", "model-versions/set-tag", {**place, "key": key, "value": value})

    def tags(self):
        place = urlencode({"name": self.name, "version": str(self.version)})
        found = self.client.call("GET", f"model-versions/get?{place}")["model_version"]
        return {tag["key"]: tag["value"] for tag in found["tags"]}

    def signed(self, kind, record, subject, by=SERVICE):
        return sign(kind, subject=subject, predicate=record, signer=self.keys.signer(by))

    def reference(self, version):
        return ModelRef(name=self.name, version=str(version), artifact_sha256=self.sha256)


class _Free(_Promoter):
    """The same client where nothing asks: as many requests, as large."""

    def approvals(self):
        self.tag("ordinis.request.evidence_hash", "now")
        self.tags()
        texts = list(self.statements.values())
        yield from zip(map(approval_tag, APPROVERS), texts, strict=False)

    def move(self, _state, stage):
        self.stage(self.version, stage)

    def stage(self, version, stage):
        # Archiving the others at once fails in MLflow on PostgreSQL, so its side does without.
        asked = {"name": self.name, "version": str(version), "stage": stage}
        self.client.call(
            "POST", "model-versions/transition-stage", {**asked, "archive_existing_versions": False}
        )

    def back(self, place):
        self.client.call("GET", f"model-versions/get?{urlencode(place)}")
        self.stage(1, "Production")

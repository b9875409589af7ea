"""A governed transition, against the same call on MLflow's own SQL store.

Ours reads and verifies the version's signed statements, hashes the model's bytes again, judges every rule, and writes stage,
aliases, ledger record and outbox entry in one transaction; MLflow's store updates one row. Both on SQLite in the
same folder, one transition per pair, each of a version that is ready for it, with two approvals.
Ours is in WAL mode with synchronous=FULL. MLflow's store leaves SQLite's defaults: a rollback journal, synchronous=FULL.
The row "in WAL" gives MLflow's store our journal.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._harness import Row, compare
from benchmarks._statements import approval, now, scorecard, shadow_report, training_record
from ordinis_learn.records import Actor, ModelRef, Role, State, tree_sha256
from ordinis_learn.rollout import SHADOW_TAG, TRAINING_TAG, KeyStore, approval_tag, scorecard_tag, sign
from ordinis_learn.settings import load_settings
from ordinis_registry import GovernanceDatabase, SqlIdentityBook

NAME = "bench_signal"
PACK = "bench_core_v1"
MODEL_BYTES = 200_000
APPROVERS = ("model-risk", "second-line")
POLICY_AIM_SECONDS = 0.005


def run(*, quick):
    from mlflow.exceptions import MlflowException
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    runs = 3 if quick else 15
    try:
        desk = _Desk(folder)
        plain = SqlAlchemyStore(f"sqlite:///{folder / 'plain.db'}")
        plain.create_registered_model(NAME)
        in_wal = SqlAlchemyStore(f"sqlite:///{folder / 'wal.db'}")
        in_wal.create_registered_model(NAME)
        with in_wal.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

        def theirs(stage, store=plain):
            def prepare(_):
                version = store.create_model_version(NAME, str(desk.model_folder)).version
                return lambda: store.transition_model_version_stage(
                    NAME, version, stage, stage == "Production"
                )

            return prepare

        def refused(_):
            version = desk.register()

            def work():
                try:
                    desk.move(version, "active")
                except MlflowException:
                    return
                raise AssertionError("the gate let an unproven model through")

            return work

        def shadow(_):
            version = desk.register()
            desk.attest(version)
            return lambda: desk.move(version, "shadow")

        def active(_):
            version = desk.register()
            desk.attest(version)
            desk.move(version, "shadow")
            desk.approve(version)
            return lambda: desk.move(version, "active")

        def row(work, ours, stage, *, store=plain, mode=""):
            name, reference = f"MLflow's store{mode}, to {stage}", theirs(stage, store)
            return compare(work, ours=ours, reference_name=name, reference=reference, runs=runs)

        yield row("transition to SHADOW, allowed", shadow, "Staging")
        yield row("transition to ACTIVE, allowed, swaps the incumbent", active, "Production")
        yield row("the same", active, "Production", store=in_wal, mode=" in WAL")
        yield row("transition to ACTIVE, refused and recorded", refused, "Production")
        yield _policy_row(desk, runs=20 if quick else 200)
        desk.close()
        for store in (plain, in_wal):
            store.engine.dispose()
    finally:
        shutil.rmtree(folder)


def _policy_row(desk, *, runs):
    """Judge a version that is ready for ACTIVE, from its tags: signatures and every rule."""
    from ordinis_learn.rollout import decide
    from ordinis_mlflow._rollout import gather

    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    actor, policy, seconds = Actor(name="bench", kind="claimed"), desk.store._load_policy(), []
    with desk.store._change(NAME) as change:
        for _ in range(runs):
            began = time.perf_counter()
            evidence = gather(change, version, stored_sha256=desk.sha256)
            decision = decide(evidence, to_state=State.ACTIVE, requester=actor, policy=policy, now=now())
            seconds.append(time.perf_counter() - began)
            assert decision.allowed, decision
    return Row(
        work="evidence read and policy evaluated, p95",
        reference="the aim",
        ours_seconds=(p95 := float(np.quantile(seconds, 0.95))),
        reference_seconds=POLICY_AIM_SECONDS,
        ratio=p95 / POLICY_AIM_SECONDS,
        runs=runs,
    )


class _Desk:
    """A governed registry with trusted keys, and the evidence that its default policy asks for."""

    def __init__(self, folder):
        from ordinis_mlflow._store import OrdinisSqlAlchemyStore

        url = f"sqlite:///{folder / 'ordinis.db'}"
        self.store = OrdinisSqlAlchemyStore(url, settings=load_settings(home=folder))
        self.store.create_registered_model(NAME)
        self.database = GovernanceDatabase(url)
        self.keys = KeyStore(folder / "keys")
        self.model_folder = folder / "model"
        self.model_folder.mkdir()
        (self.model_folder / "MLmodel").write_text("flavors:\n  python_function:\n    data: model.ubj\n")
        (self.model_folder / "model.ubj").write_bytes(np.random.default_rng(7).bytes(MODEL_BYTES))
        self.sha256 = tree_sha256(self.model_folder)
        book = SqlIdentityBook(self.database, clock=now)
        for name, roles in {
            "learn-service": (Role.TRAINER, Role.EVALUATOR, Role.SHADOW_RUNNER),
            **dict.fromkeys(APPROVERS, (Role.APPROVER,)),
        }.items():
            self.keys.create(name)
            identity = self.keys.identity(name, roles=roles, clock=now)
            book.trust(identity, actor=Actor(name="bench", kind="claimed"))
        self.incumbent = None

    def close(self):
        self.database.close()
        self.store.engine.dispose()

    def register(self):
        return str(self.store.create_model_version(NAME, str(self.model_folder)).version)

    def move(self, version, stage):
        self.store.transition_model_version_stage(NAME, version, stage, False)
        if stage == "active":
            self.incumbent = version

    def attest(self, version):
        subject = self.reference(version)
        baseline = None if self.incumbent is None else self.reference(self.incumbent)
        self.submit(version, TRAINING_TAG, "training", training_record(subject), subject=subject)
        self.submit(
            version,
            scorecard_tag(PACK),
            "scorecard",
            scorecard(subject, baseline, pack=PACK),
            subject=subject,
        )
        self.submit(version, SHADOW_TAG, "shadow", shadow_report(subject, baseline), subject=subject)

    def approve(self, version):
        self.tag(version, "ordinis.request.evidence_hash", "now")
        bound_to = self.store.get_model_version(NAME, version).tags["ordinis.gate.evidence_hash"]
        subject = self.reference(version)
        for approver in APPROVERS:
            answer = approval(subject, approver=approver, evidence_hash=bound_to)
            self.submit(version, approval_tag(approver), "approval", answer, subject=subject, by=approver)

    def submit(self, version, key, kind, record, *, subject, by="learn-service"):
        self.tag(version, key, sign(kind, subject=subject, predicate=record, signer=self.keys.signer(by)))

    def tag(self, version, key, value):
        from mlflow.entities.model_registry import ModelVersionTag

        self.store.set_model_version_tag(NAME, version, ModelVersionTag(key, value))

    def reference(self, version):
        return ModelRef(name=NAME, version=version, artifact_sha256=self.sha256)

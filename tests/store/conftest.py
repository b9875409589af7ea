"""A registry on a real SQLite file, with real keys and evidence that passes the default policy."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
with warnings.catch_warnings():
    # MLflow 3.17 uses a loader strategy that SQLAlchemy 2.1 calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import mlflow.store.model_registry.sqlalchemy_store  # noqa: F401  so that later imports are silent

from ordinis_learn.records import (
    DECLARED,
    Actor,
    Approval,
    Interval,
    ModelArtifact,
    ModelRef,
    ModelType,
    PairedDifference,
    Role,
    Scorecard,
    ShadowReport,
    State,
    tree_sha256,
)
from ordinis_learn.rollout import SHADOW_TAG, TRAINING_TAG, KeyStore, approval_tag, scorecard_tag, sign
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.statistics import overfitting_figures, sure_statistics
from ordinis_registry import GovernanceDatabase, SqlCatalogue, SqlIdentityBook, SqlLedger
from ordinis_registry.subjects import subject_of

PACK = "bench_core_v1"
MODEL = "sp500_signal"
DESK = Actor(name="head-of-desk", kind="claimed")


def _midnight(moment):
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, **by):
        self.now += timedelta(**by)
        return self.now


class Desk:
    """Everything a scenario needs: the store, the keys, and shortcuts for what people do."""

    def __init__(self, home, *, clock, url):
        from ordinis_mlflow._store import store_class

        self.home = home
        self.clock = clock
        self.url = url
        self.settings = load_settings(home=home)
        self.store = store_class()(url, settings=self.settings, clock=clock)
        self.database = GovernanceDatabase(url)
        self.ledger = SqlLedger(self.database)
        self.catalogue = SqlCatalogue(self.database, clock=clock)
        self.book = SqlIdentityBook(self.database, clock=clock)
        self.keys = KeyStore(home / "keys")
        if not self.book.identities():
            self.add("learn-service", Role.TRAINER, Role.EVALUATOR, Role.SHADOW_RUNNER)
            self.add("model-risk", Role.APPROVER)

    def close(self):
        self.database.close()
        self.store.engine.dispose()

    def add(self, name, *roles):
        self.keys.create(name)
        self.book.trust(self.keys.identity(name, roles=roles, clock=self.clock), actor=DESK)

    def folder(self, version):
        return self.home / "models" / version

    def write_model(self, label):
        folder = self.folder(label)
        (folder / "data" / "bundle").mkdir(parents=True)
        (folder / "data" / "bundle" / "model.json").write_text(f'{{"rule": "{label}"}}')
        (folder / "MLmodel").write_text("flavors:\n  python_function:\n    data: data/bundle\n")
        return folder

    def register(self, *, name=MODEL, label=None, **more):
        """Create the next version of a model from a new folder; return its number."""
        if not self.store._exists(name):
            self.store.create_registered_model(name)
        label = label or f"{name}-{len(list((self.home).glob('models/*')))}"
        made = self.store.create_model_version(name, str(self.write_model(label)), **more)
        return str(made.version)

    def reference(self, version, *, name=MODEL):
        tags = self.store.get_model_version(name, version).tags
        digest = tags.get("ordinis.artifact_sha256") or tree_sha256(self.address(version, name=name))
        return ModelRef(name=self.subject(name), version=str(version), artifact_sha256=digest)

    def subject(self, name=MODEL):
        """What ledger and statements call a model of the workspace this test is in."""
        workspace = getattr(self.store, "_get_active_workspace", None)  # a client over REST has none
        return subject_of(name) if workspace is None else subject_of(name, workspace=workspace())

    def address(self, version, *, name=MODEL):
        return Path(self.store.get_model_version_download_uri(name, version))

    def active(self, name=MODEL):
        return self.aliases(name).get("active")

    def aliases(self, name=MODEL):
        return {k: str(v) for k, v in self.store.get_registered_model(name).aliases.items()}

    def state(self, version, *, name=MODEL):
        return self.store.get_model_version(name, version).tags["ordinis.state"]

    def actions(self, name=MODEL):
        return [record.action for record in self.ledger.history(name)]

    def tag(self, version, key, value, *, name=MODEL):
        from mlflow.entities.model_registry import ModelVersionTag

        self.store.set_model_version_tag(name, version, ModelVersionTag(key, value))

    def sign(self, kind, record, *, by="learn-service", subject=None):
        subject = subject or getattr(record, "subject", None)
        return sign(kind, subject=subject, predicate=record, signer=self.keys.signer(by))

    def training(self, version, *, name=MODEL, **changes):
        subject = self.reference(version, name=name)
        fields = {
            "artifact_id": f"ART-{name}-{version}",
            "model_type": ModelType.SIGNAL_MODEL,
            "version": version,
            "path_ref": f"models:/{subject.name}/{version}",
            "metrics": {},
            "created_at": self.clock().isoformat(),
            "data_snapshot_ref": DECLARED,
            "name": subject.name,
            "code_commit": "c0ffee",
            "code_dirty": False,
            "config_hash": "1" * 64,
            "env_hash": "2" * 64,
            "artifact_sha256": subject.artifact_sha256,
            "seed": 7,
            "trainer": "researcher",
        }
        return ModelArtifact.model_validate(fields | changes)

    def scorecard(self, version, *, baseline=None, name=MODEL, **changes):
        difference = PairedDifference(
            metric="sharpe",
            estimate=0.45,
            interval=Interval(low=0.2, high=0.7, level=0.95),
            null=0.0,
            p_value=0.004,
            alpha=0.05,
            method="ledoit_wolf_2008",
            block_length=6,
            draws=4999,
            minimum_detectable=0.3,
            sessions=2500,
            sessions_needed=900.0,
            verdict="pass",
        )
        fields = {
            "subject": self.reference(version, name=name),
            "baseline": None if baseline is None else self.reference(baseline, name=name),
            "pack_id": PACK,
            "pack_hash": "6" * 64,
            "metrics": {"sharpe": 1.2, "max_drawdown": 0.20},
            "baseline_metrics": {} if baseline is None else {"sharpe": 0.75, "max_drawdown": 0.22},
            "differences": {} if baseline is None else {"sharpe": difference},
            "regimes": (),
            "windows": 40,
            "purged_windows": (),
            "sessions": 2500,
            "pack_end": (self.clock() - timedelta(days=400)).date(),
            "trials": 1,
            "probabilistic_sharpe": 0.99,
            "deflated_sharpe": 0.97,
            "errors": 0,
            "error_rate": 0.0,
            "baseline_error_rate": None if baseline is None else 0.0,
            "metric_quality": {},
            "fee_bps": 1.0,
            "slippage_bps": 5.0,
            "dataset_ref": DECLARED,
            "code_commit": "c0ffee",
            "seed": 7,
            "created_at": self.clock(),
            "statistics": sure_statistics(
                overfitting=overfitting_figures(candidates=(baseline, version)) if baseline else None
            ),
        }
        return Scorecard.model_validate(fields | changes)

    def shadow(self, version, *, active=None, name=MODEL, **changes):
        fields = {
            "subject": self.reference(version, name=name),
            "active": None if active is None else self.reference(active, name=name),
            "start": _midnight(self.clock() - timedelta(days=40)),
            "end": _midnight(self.clock() - timedelta(days=1)),
            "calendar_days": 39,
            "sessions": 27,
            "decisions": 400,
            "paired_decisions": 0 if active is None else 400,
            "unpaired": 0,
            "errors": 0,
            "nan_predictions": 0,
            "matured": 380,
            "parity_max_abs_diff": 0.0,
            "latency_ms_p50": 0.4,
            "latency_ms_p95": 0.9,
            "loss_difference": None if active is None else -0.03,
            "loss_interval": None if active is None else Interval(low=-0.09, high=0.03, level=0.95),
            "predictions_sha256": "7" * 64,
            "created_at": self.clock(),
        }
        return ShadowReport.model_validate(fields | changes)

    def approval(self, version, *, name=MODEL, by="model-risk", target=State.ACTIVE, submit=None, **changes):
        submit = submit or (lambda key, text: self.tag(version, key, text, name=name))
        submit("ordinis.request.evidence_hash", "now")
        bound_to = self.store.get_model_version(name, version).tags["ordinis.gate.evidence_hash"]
        fields = {
            "subject": self.reference(version, name=name),
            "target": target,
            "answer": "approve",
            "evidence_hash": bound_to,
            "approver": by,
            "given_at": self.clock(),
            "expires_at": self.clock() + timedelta(days=14),
        }
        return Approval.model_validate(fields | changes)

    def attest(self, version, *, name=MODEL, submit=None):
        """Submit training, scorecard and shadow statements that pass against what is active now."""
        submit = submit or (lambda key, text: self.tag(version, key, text, name=name))
        active = self.active(name)
        artifact = self.training(version, name=name)
        submit(TRAINING_TAG, self.sign("training", artifact, subject=self.reference(version, name=name)))
        card = self.scorecard(version, baseline=active, name=name)
        submit(scorecard_tag(PACK), self.sign("scorecard", card))
        submit(SHADOW_TAG, self.sign("shadow", self.shadow(version, active=active, name=name)))

    def approve(self, version, *, name=MODEL, by="model-risk", submit=None, **changes):
        submit = submit or (lambda key, text: self.tag(version, key, text, name=name))
        record = self.approval(version, name=name, by=by, submit=submit, **changes)
        submit(approval_tag(by), self.sign("approval", record, by=by))

    def move(self, version, stage, *, name=MODEL, alone=False):
        return self.store.transition_model_version_stage(name, version, stage, alone)

    def promote(self, version, *, name=MODEL):
        """Take a version all the way to ACTIVE."""
        self.attest(version, name=name)
        self.move(version, "shadow", name=name)
        self.approve(version, name=name)
        return self.move(version, "active", name=name)


@pytest.fixture(scope="session")
def desk_class():
    return Desk


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database with both schemas, made once and copied for each test."""
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    path = tmp_path_factory.mktemp("template") / "ordinis.db"
    store = OrdinisSqlAlchemyStore(f"sqlite:///{path}", settings=load_settings(home=path.parent))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.engine.dispose()
    return path


@pytest.fixture
def clock():
    return Clock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def make_desk(tmp_path, empty_database, clock):
    """Build a desk on a fresh copy of the database."""
    desks = []

    def make(*, url=None):
        path = tmp_path / "ordinis.db"
        if url is None and not path.exists():
            shutil.copyfile(empty_database, path)
        desks.append(Desk(tmp_path, clock=clock, url=url or f"sqlite:///{path}"))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(make_desk):
    return make_desk()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_desk(request, make_desk):
    """A desk on each kind of database; PostgreSQL where a server is."""
    return make_desk(url=request.getfixturevalue("postgres") if request.param == "postgresql" else None)


@pytest.fixture(scope="session")
def serving():
    """A context manager that runs ``mlflow server`` on a home's ``ordinis.db``, or a URL, and yields its address.

    More options of the command, and environment variables by name, may follow.
    """
    return _serving


@contextmanager
def _serving(home, *options, url=None, workers=1, launcher=("-m", "mlflow"), **variables):
    url = url or f"sqlite:///{home / 'ordinis.db'}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, *launcher, "server", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        url,
        "--workers",
        str(workers),
        "--registry-store-uri",
        f"ordinis+{url}",
    ]
    command += ["--artifacts-destination", str(home / "artifacts"), *options]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "ORDINIS_HOME": str(home)}
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # it would start more processes
    environment.pop("ORDINIS_ACTOR", None)
    environment |= variables
    with (home / f"server-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=home, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield _wait_for(f"http://127.0.0.1:{port}", process, home / f"server-{port}.log")
        finally:
            _end(process)


def _end(process):
    """End the server and its workers: the group that was started for them."""
    with suppress(ProcessLookupError):  # a test may have killed it
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=5)


def _wait_for(address, process, log):
    for _ in range(240):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):  # noqa: S310  our own server
                return address
        except OSError:
            time.sleep(0.25)
    raise AssertionError(log.read_text())

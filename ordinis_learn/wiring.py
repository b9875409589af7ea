"""The one place that constructs adapters.

``open_workbench`` and ``open_engine`` read the settings, create what is missing under ``ORDINIS_HOME`` and
return a ready value. Databases are found in this order:

* tracking: ``MLFLOW_TRACKING_URI`` (which ``mlflow run`` sets), else ``registry_db/ordinis.db``;
* registry: ``MLFLOW_REGISTRY_URI`` when it is a governed one (``ordinis+…``) or a server (``http…``), else the
  governed store over ``registry_db/ordinis.db``;
* catalogue, alerts, identities and ledger: the registry's database; behind a server ``registry_db/ordinis.db``.

The file is long because every adapter is constructed in it, and nowhere else.
"""

from __future__ import annotations

import functools
import importlib
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordinis_learn.alerts.webhook import HttpNotifier
from ordinis_learn.bus import Bus, InMemoryBus
from ordinis_learn.capture import EventRecorder, Sealer, open_event_log
from ordinis_learn.engine import LearningEngine
from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.models import SignalModel
from ordinis_learn.observability import EventLogSource, LazySource, Scraper
from ordinis_learn.rollout.keyring_keys import open_key_store
from ordinis_learn.settings import Settings, load_settings
from ordinis_learn.training.provenance import collect_provenance
from ordinis_learn.use_cases import dead_runs
from ordinis_learn.use_cases.active_model import ActiveModels
from ordinis_learn.use_cases.alerting import drift_schedule
from ordinis_learn.use_cases.dead_runs import EndedRun
from ordinis_learn.workbench import Workbench

if TYPE_CHECKING:
    from ordinis_learn.use_cases.diagnose_registry import RegistryLook
    from ordinis_mlflow.drill import RegistryRehearsal
    from ordinis_registry.adoption import SqlPolicyBook
    from ordinis_registry.former_catalogue import FormerCatalogue
    from ordinis_registry.reconciliation import Disagreement

__all__ = [
    "EXPERIMENT",
    "abandoned_drills",
    "active_model",
    "deciding_policy",
    "disagreements",
    "end_dead_runs",
    "former_catalogue",
    "has_registry",
    "look_at_registry",
    "open_bus",
    "open_engine",
    "open_scraper",
    "open_workbench",
    "policy_book",
    "reconcile",
    "registry_uri",
    "tracking_uri",
]

EXPERIMENT = "ordinis-learn"
_ADDRESSES = ("ORDINIS_HOME", "ORDINIS_PROFILE", "MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI")
_OPENING = threading.Lock()
_BUSES = {
    "nats": ("_nats", "NatsBus"),
    "tls": ("_nats", "NatsBus"),
    "redis": ("_redis", "RedisBus"),
    "rediss": ("_redis", "RedisBus"),
    "kafka": ("_kafka", "KafkaBus"),
}
"""Module and class by the scheme of an address; loaded when asked for."""


def open_engine(**overrides: Any) -> LearningEngine:
    """Open a learning engine under ``ORDINIS_HOME``.

    Parameters
    ----------
    **overrides
        Settings by field name; they win over environment and profile file.

    Raises
    ------
    ConfigInvalid
        A setting is wrong, or the home has a catalogue of before that its registry's database does not have.
    StoreUnavailable
        The home cannot be written.
    """
    settings = load_settings(**overrides)
    former_catalogue(settings).must_be_decided()
    return LearningEngine(open_workbench(settings))


def active_model(name: str) -> SignalModel | None:
    """Return the loaded ACTIVE version of a model under ``ORDINIS_HOME``; None when it is flat.

    Loaded once and kept: another version that became ACTIVE is noticed within
    :data:`~ordinis_learn.use_cases.active_model.MAX_AGE_SECONDS` (one second). Threads may call it.

    Raises
    ------
    StoreUnavailable
        The registry cannot be asked; an old answer is not given instead.
    """
    addresses = (str(Path.cwd()), *map(os.environ.get, _ADDRESSES))
    with _OPENING:
        models = _active_models(*addresses)
    return models.get(name)


@functools.cache
def _active_models(*_addresses: str | None) -> ActiveModels:
    """Open a registry once a process and address; reading all settings each time would cost more than the look-up."""
    return ActiveModels(open_workbench(load_settings()).registry, seconds=time.monotonic)


def open_workbench(settings: Settings) -> Workbench:
    """Construct every adapter for the given settings."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("ORDINIS_ACTOR", settings.actor)
    _make_folders(settings)

    from ordinis_mlflow.registry import MlflowModelRegistry  # noqa: PLC0415  MLflow takes seconds to import
    from ordinis_mlflow.tracker import MlflowTracker  # noqa: PLC0415
    from ordinis_registry import (  # noqa: PLC0415
        GovernanceDatabase,
        SqlAlertBook,
        SqlCatalogue,
        SqlIdentityBook,
        SqlLedger,
        SqlSegmentCatalogue,
    )
    from ordinis_registry.checkpoint_targets import parse_target  # noqa: PLC0415

    target = parse_target(settings.ledger_checkpoint_target, default=settings.checkpoints_path)

    database = GovernanceDatabase(_database_uri(settings))
    database.upgrade()
    log = open_event_log(
        settings.learn_events_url, path=settings.event_log_path, sealed=settings.sealed_dir, clock=_now
    )
    tracker = MlflowTracker(
        tracking_uri=tracking_uri(settings),
        experiment=EXPERIMENT,
        artifact_root=settings.models_dir,
        parent_run_id=os.environ.get("MLFLOW_RUN_ID"),
        system_metrics=settings.learn_train_system_metrics,
    )
    registry = MlflowModelRegistry(
        registry_uri=registry_uri(settings), tracking_uri=tracking_uri(settings), database=database
    )

    def close() -> None:
        log.close()
        database.close()

    return Workbench(
        settings=settings,
        clock=_now,
        log=log,
        recorder=EventRecorder(log, enabled=settings.learn_enable),
        sealer=Sealer(
            log,
            SqlSegmentCatalogue(database),
            root=settings.sealed_dir,
            buckets=settings.learn_seal_buckets,
            clock=_now,
        ),
        catalogue=SqlCatalogue(database, clock=_now, env=settings.profile),
        ledger=SqlLedger(database, checkpoints=target),
        identities=SqlIdentityBook(database, clock=_now),
        registry=registry,
        tracker=tracker,
        keys=open_key_store(settings),
        alerts=SqlAlertBook(database, clock=_now, env=settings.profile),
        rehearse=_rehearsal(settings),
        notifier=HttpNotifier(timeout_s=settings.learn_alert_timeout_s),
        provenance=functools.cache(collect_provenance),
        close=close,
    )


def _rehearsal(settings: Settings) -> RegistryRehearsal:
    from ordinis_mlflow.drill import RegistryRehearsal  # noqa: PLC0415

    return RegistryRehearsal(
        _governed_uri(settings), tracking_uri=tracking_uri(settings), settings=settings, clock=_now
    )


def abandoned_drills(settings: Settings) -> list[str]:
    """Return the folders and databases that killed drills left; nothing is removed."""
    return _rehearsal(settings).abandoned()


def has_registry(settings: Settings) -> bool:
    """Tell whether there is a governed registry to look into: a database on a server, or a file that exists."""
    uri = _database_uri(settings)
    file = uri.removeprefix("sqlite:///")
    return file == uri or Path(file).exists()


def former_catalogue(settings: Settings) -> FormerCatalogue:
    """Return the catalogue of before in the home's own file; nothing is opened before it is asked."""
    from ordinis_registry.former_catalogue import FormerCatalogue  # noqa: PLC0415  SQLAlchemy

    return FormerCatalogue(settings.database_path, url=_database_uri(settings), clock=_now)


def look_at_registry(settings: Settings) -> RegistryLook:
    """Return what the registry's database says of itself; nothing is made or upgraded there."""
    from ordinis_registry.looking import look_at  # noqa: PLC0415  SQLAlchemy

    return look_at(_database_uri(settings))


def policy_book(settings: Settings) -> SqlPolicyBook:
    """Return what the registry says about which policy decides; nothing is opened or written before it is asked."""
    from ordinis_registry.adoption import SqlPolicyBook  # noqa: PLC0415

    behind = registry_uri(settings)
    return SqlPolicyBook(
        _database_uri(settings),
        exists=has_registry(settings),
        server="" if behind.startswith("ordinis+") else behind,
        clock=_now,
    )


def deciding_policy(settings: Settings) -> str:
    """Return the id of the policy that decides here: the setting's, else what the registry chose."""
    return policy_book(settings).choice(settings.gov_policy_version).policy_id


def disagreements(settings: Settings) -> list[Disagreement]:
    """Compare ledger and registry without writing anything; nothing is found where no registry is yet."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from ordinis_learn.rollout.policy import governs, load_policy  # noqa: PLC0415
    from ordinis_mlflow._artifacts import ArtifactReader  # noqa: PLC0415  MLflow takes seconds to import
    from ordinis_registry import GovernanceDatabase  # noqa: PLC0415
    from ordinis_registry.reconciliation import examine  # noqa: PLC0415

    policy = load_policy(deciding_policy(settings), settings=settings)
    database = GovernanceDatabase(_database_uri(settings))
    try:
        with database.reading() as session:
            return examine(
                session,
                governs=lambda name: governs(policy, name),
                digest=ArtifactReader(tracking_uri(settings)).digest_of,
            )
    finally:
        database.close()


def end_dead_runs(settings: Settings) -> tuple[EndedRun, ...]:
    """End the runs that killed processes of this host left RUNNING; call where there is a registry."""
    from ordinis_mlflow.tracker import MlflowTracker  # noqa: PLC0415  MLflow takes seconds to import

    tracker = MlflowTracker(
        tracking_uri=tracking_uri(settings), experiment=EXPERIMENT, artifact_root=settings.models_dir
    )
    return dead_runs.end_dead_runs(tracker)


def reconcile(settings: Settings, *, repair: bool) -> list[Disagreement]:
    """Compare ledger and registry, record what differs; with ``repair`` put the registry back."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from ordinis_mlflow.entry_points import registry_store  # noqa: PLC0415  MLflow takes seconds to import

    store = registry_store(_governed_uri(settings), tracking_uri(settings))
    found: list[Disagreement] = store.reconcile(repair=repair)
    return found


def _governed_uri(settings: Settings) -> str:
    """Return the database itself, also where ``MLFLOW_REGISTRY_URI`` names a server in front of it."""
    uri = registry_uri(settings)
    return uri if uri.startswith("ordinis+") else f"ordinis+sqlite:///{settings.database_path}"


def _database_uri(settings: Settings) -> str:
    """Return the database of the registry: what the gate asks (datasets, drift, alerts) has to stand beside what it decides."""
    return _governed_uri(settings).removeprefix("ordinis+")


def open_scraper(settings: Settings) -> Scraper:
    """Return what reads all metrics; nothing is opened before the first scrape, and no file is made."""
    from ordinis_registry import GovernanceDatabase, parse_target  # noqa: PLC0415  SQLAlchemy
    from ordinis_registry.catalogue_metrics import CatalogueSource, OutboxSource  # noqa: PLC0415
    from ordinis_registry.ledger_metrics import CheckpointSource, LedgerSource  # noqa: PLC0415
    from ordinis_registry.schedule_metrics import ScheduleSource  # noqa: PLC0415

    def log() -> EventLogSource:
        if settings.learn_events_url is None:
            _require(settings.event_log_path, what="the event log")
        return EventLogSource(
            open_event_log(
                settings.learn_events_url,
                path=settings.event_log_path,
                sealed=settings.sealed_dir,
                clock=_now,
            )
        )

    def database(url: str) -> GovernanceDatabase:
        file = url.removeprefix("sqlite:///")
        if file != url:
            _require(Path(file), what="the governance database")
        return GovernanceDatabase(url)

    governed = _database_uri(settings)
    target = settings.ledger_checkpoint_target
    sources = (
        LazySource("event_log", log),
        LazySource("catalogue", lambda: CatalogueSource(database(governed))),
        LazySource("outbox", lambda: OutboxSource(database(governed))),
        LazySource(
            "schedule",
            lambda: ScheduleSource(database(governed), schedule=drift_schedule(settings), clock=_now),
        ),
        LazySource("ledger", lambda: LedgerSource(database(governed))),
        LazySource(
            "checkpoints", lambda: CheckpointSource(parse_target(target, default=settings.checkpoints_path))
        ),
    )
    return Scraper(sources, timer=time.perf_counter)


def _require(path: Path, *, what: str) -> None:
    if not path.exists():
        raise StoreUnavailable(
            f"read {what} {path}",
            found="there is no such file (yet)",
            next_step="export ORDINIS_HOME to the desk's folder, or begin with: ordinis-learn events record",
        )


def tracking_uri(settings: Settings) -> str:
    """Return where runs go."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{settings.database_path}"


def registry_uri(settings: Settings) -> str:
    """Return where governed versions live; an ungoverned ``MLFLOW_REGISTRY_URI`` is not used."""
    asked = os.environ.get("MLFLOW_REGISTRY_URI", "")
    if asked.startswith(("ordinis+", "http://", "https://")):
        return asked
    return f"ordinis+sqlite:///{settings.database_path}"


def _make_folders(settings: Settings) -> None:
    folders: tuple[Path, ...] = (
        settings.database_path.parent,
        settings.event_log_path.parent,
        settings.models_dir,
    )
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"create {folder}",
                found=f"{type(error).__name__}: {error.strerror}",
                next_step="export ORDINIS_HOME=/a/folder/you/can/write",
            ) from error


def _now() -> datetime:
    return datetime.now(UTC)


def open_bus(url: str) -> Bus:
    """Return the bus behind an address; entering it connects.

    Raises
    ------
    ConfigInvalid
        The scheme is unknown, or the client of its broker is not installed.
    """
    scheme = url.partition("://")[0]
    if scheme == "memory":
        return InMemoryBus()
    if scheme not in _BUSES:
        raise ConfigInvalid(
            f"open the bus {scheme}://",
            found="no bus has this scheme",
            next_step=f"use one of memory://, {', '.join(f'{name}://' for name in _BUSES)}",
        )
    module, name = _BUSES[scheme]
    try:
        opener = getattr(importlib.import_module(f"ordinis_learn.bus.{module}"), name)
    except ImportError as error:
        raise ConfigInvalid(
            f"open the bus {scheme}://",
            found=f"its client is not installed: {error}",
            next_step='pip install "ordinis-learn[bus]"',
        ) from error
    bus: Bus = opener(url)
    return bus

"""What LEARN needs from the world, as protocols.

Adapters: the event log in :mod:`ordinis_learn.capture` (SQLite, PostgreSQL), the catalogue and the ledger in
``ordinis_registry`` (SQLAlchemy), the tracker and the model registry in ``ordinis_mlflow`` (MLflow).
In-memory fakes of each ship in :mod:`ordinis_learn.testing` and pass the same conformance tests.
They are in one long file so that what LEARN asks of the world can be read in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from ordinis_learn.records import (
    Actor,
    Alert,
    AlertChanges,
    AlertFact,
    Approval,
    AuditRecord,
    BenchPackManifest,
    DatasetManifest,
    Delivery,
    DriftAlert,
    DriftReport,
    Drill,
    Envelope,
    GateDecision,
    Heartbeat,
    Identity,
    LedgerNote,
    ModelArtifact,
    ModelRef,
    PreflightAnswer,
    Response,
    Retention,
    RollbackOrder,
    Scorecard,
    Segment,
    ShadowReport,
    State,
    Topic,
)

__all__ = [
    "AlertBook",
    "AlertPlan",
    "Catalogue",
    "Clock",
    "EventLog",
    "EventRow",
    "FailedAttempt",
    "HotDay",
    "IdentityBook",
    "Ledger",
    "MetricSource",
    "ModelExample",
    "ModelRegistry",
    "Notifier",
    "Preflight",
    "Rehearsal",
    "Run",
    "Sample",
    "SealableLog",
    "SegmentCatalogue",
    "Standing",
    "Tally",
    "Tracker",
]


class Clock(Protocol):
    """Where "now" comes from."""

    def __call__(self) -> datetime:
        """Return the aware UTC moment."""
        ...


class EventRow(NamedTuple):
    """A validated event in the columns in which it is stored.

    Times are microseconds since 1970 (UTC); ``envelope`` is the JSON text of what has no column,
    ``payload`` that of the payload.
    """

    event_id: str
    event_type: str
    ts_event: int
    ts_ingest: int
    partition_key: str
    correlation_id: str
    envelope: str
    payload: str


class Tally(NamedTuple):
    """How many events of each type a log held when its newest had ``position`` and ``segments`` files were sealed."""

    position: int
    segments: int
    counts: Mapping[str, int]


class Sample(NamedTuple):
    """One value of one metric at a moment; ``labels`` name which."""

    metric: str
    labels: Mapping[str, str]
    value: float


class Standing(NamedTuple):
    """Which versions of a model are in use; ``incumbent`` is the ACTIVE one, or while flat the one that was ACTIVE last."""

    active: str | None
    incumbent: str | None
    shadow: tuple[str, ...]


class MetricSource(Protocol):
    """Where facts for metrics come from. It is read whole or not at all, and need not be thread-safe."""

    @property
    def name(self) -> str:
        """What a reading that failed is reported under."""
        ...

    def samples(self) -> Iterable[Sample]:
        """Return what is there now; a LearnError (or LookupError, ValueError) where it cannot be read."""
        ...


class EventLog(Protocol):
    """Durable, append-only events.

    Threads may share one log. ``append`` returns after the rows are on disk. An ``event_id`` seen
    before is skipped, whatever its content. Positions are increasing integers without meaning between logs.
    """

    def append(self, events: Sequence[Envelope]) -> int:
        """Store events that are new; return how many were."""
        ...

    def append_rows(self, rows: Sequence[EventRow]) -> int:
        """Do what :meth:`append` does with events that are columns already."""
        ...

    def quarantine(self, raw: bytes, *, code: str, reason: str) -> None:
        """Keep a bad event whole with its reason; count it again if the same bytes come again."""
        ...

    def release(self, digest: str) -> bool:
        """Take an entry out of the quarantine; False where it is not there (any more)."""
        ...

    def scan(
        self,
        topic: Topic,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        after_position: int | None = None,
        until_position: int | None = None,
    ) -> pa.Table:
        """Return events of one type with ``start <= ts_event < end``, ordered by (ts_event, event_id).

        Of those only the ones with ``after_position < position <= until_position``, where these are given.

        Columns: position int64, event_id string, ts_event and ts_ingest timestamp[us, UTC],
        partition_key string, correlation_id string, payload string (JSON text).
        """
        ...

    def read_columns(
        self,
        topic: Topic,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        after_position: int | None = None,
        until_position: int | None = None,
        bucket: tuple[int, int] | None = None,
    ) -> pa.Table:
        """Return the same events as :meth:`scan`, in the same order, with their payloads as typed columns.

        Columns: ``PAYLOAD_COLUMNS[topic]`` of :mod:`ordinis_learn.capture`, the envelope's first. Sealed
        events are read from their columns and hot ones from their text; the answer is the same. ``bucket``
        ``(n, m)`` keeps the events whose ``partition_key`` falls into bucket n of m, 0 <= n < m, by
        :func:`ordinis_learn.capture.bucket_of`; the m buckets together are all events, each once.
        """
        ...

    def envelopes(
        self, topic: Topic, *, start: datetime | None = None, end: datetime | None = None, limit: int
    ) -> Sequence[str]:
        """Return the JSON texts of what has no column, of the newest ``limit`` events of a span, oldest first."""
        ...

    def position(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return stored events by type, sealed and hot."""
        ...

    def tally(self, since: Tally | None = None) -> Tally:
        """Return what :meth:`counts` does, of one moment with its position.

        ``since`` is an earlier answer of the same log: where nothing was sealed in between, only newer events are read.
        """
        ...

    def quarantine_counts(self) -> Mapping[str, int]:
        """Return how many entries the quarantine holds, by error code."""
        ...

    def quarantined(self) -> Sequence[Mapping[str, Any]]:
        """Return quarantined entries: digest, code, reason, count, first_seen, last_seen, raw."""
        ...

    def close(self) -> None:
        """Release the file; calling again does nothing."""
        ...


class HotDay(NamedTuple):
    """The hot events of one type and UTC day, up to a position of the log."""

    topic: Topic
    day: date
    rows: int
    until_position: int


class SealableLog(EventLog, Protocol):
    """A log whose closed days can be moved into sealed files.

    The log itself says which files are sealed: readers take that and the hot rows from one snapshot.
    """

    def identity(self) -> str:
        """Return what tells this log from every other, also after it was moved: 32 hex digits."""
        ...

    def sealing(self) -> AbstractContextManager[None]:
        """Be the only sealer of this log, also among other processes; StoreUnavailable when one is at work."""
        ...

    def hot_days(self, *, before: date) -> Sequence[HotDay]:
        """Return days before a date that have events which are not sealed, oldest first."""
        ...

    def hot_rows(self, day: HotDay) -> Iterator[pa.RecordBatch]:
        """Yield a day's events whole, ordered by (ts_event, event_id): ``SEALED_ENVELOPE`` columns."""
        ...

    def segments(self) -> Sequence[Segment]:
        """Return the sealed files that readers see, by type, day, generation and bucket."""
        ...

    def switch(self, segments: Sequence[Segment]) -> None:
        """Let readers see one generation's files of a day in place of its hot rows, at once and durably."""
        ...

    def purge(self) -> int:
        """Remove hot rows that are sealed, in short transactions; their ids stay known. Return how many."""
        ...


class SegmentCatalogue(Protocol):
    """The governance database's memory of sealed files."""

    def add_segments(self, segments: Sequence[Segment]) -> None:
        """Remember one generation's files; what an interrupted attempt said of the same generation is replaced."""
        ...

    def drop_segments(self, segments: Sequence[Segment]) -> None:
        """Forget files of an attempt that no reader ever saw."""
        ...

    def segments(self) -> Sequence[Segment]:
        """Return what is remembered, by type, day, generation and bucket."""
        ...


ModelExample = Mapping[str, Sequence[Any]]
"""A few rows that a model can be asked about: values by column."""


class Run(Protocol):
    """One open run of a tracker."""

    @property
    def run_id(self) -> str:
        """The tracker's id."""
        ...

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record parameters, once each."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Record finite metrics at a step."""
        ...

    def log_series(self, metrics: Mapping[str, Sequence[float]]) -> None:
        """Record whole curves, one point per step from 0."""
        ...

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Record tags."""
        ...

    def log_dataset(self, manifest: DatasetManifest, *, folder: Path) -> None:
        """Record the dataset input with our digest."""
        ...

    def log_file(self, path: Path, *, folder: str = "") -> None:
        """Copy a file into the run's artifacts."""
        ...

    def log_json(self, value: Any, *, path: str) -> None:
        """Write a JSON artifact."""
        ...

    def log_model(
        self,
        bundle: Path,
        *,
        name: str,
        feature_names: Sequence[str],
        model_type: str = "signal_model",
        example: ModelExample | None = None,
    ) -> str:
        """Store a model bundle with the signature of its type, and rows it can be asked about; return its URI."""
        ...

    def model_folder(self, model_uri: str) -> Path:
        """Return a local folder with everything that :meth:`log_model` stored."""
        ...

    def watched(self) -> AbstractContextManager[None]:
        """Record what the machine does (processor, memory, disk) until the block is left, where the tracker can."""
        ...


class Tracker(Protocol):
    """Where runs are recorded. A run that leaves its context with an exception is marked failed."""

    def start_run(
        self, name: str, *, parent: Run | None = None, tags: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Run]:
        """Open a run, as a child of ``parent`` where given."""
        ...

    def read_json(self, run_id: str, *, path: str) -> Any:
        """Return a JSON artifact of a run; ArtifactMissing where there is none."""
        ...

    def find_run(self, tag: str, value: str) -> str | None:
        """Return the id of a finished run that carries a tag, the newest; None where there is none."""
        ...

    def open_runs(self) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of every run that is still RUNNING, by its id."""
        ...

    def end_run(self, run_id: str, *, reason: str) -> None:
        """End a run whose process is gone as KILLED; the tag ``ordinis.error`` says why."""
        ...


class ModelRegistry(Protocol):
    """Governed model versions. Every change of state passes the gate behind this port."""

    def register(self, artifact: ModelArtifact, *, model_uri: str) -> ModelArtifact:
        """Create a version (state CANDIDATE); return the artifact with its ``version`` and digest filled in."""
        ...

    def local_path(self, name: str, version: str) -> Path:
        """Return a local folder with the version's model bundle, verified against its digest."""
        ...

    def link_prompts(self, name: str, version: str) -> Mapping[str, str]:
        """Let each task of a prompt pack's version be a prompt of MLflow too; return :meth:`linked_prompts`."""
        ...

    def linked_prompts(self, name: str, version: str) -> Mapping[str, str]:
        """Return the addresses of a version's linked prompts (``prompts:/…``) by task; empty where none is linked."""
        ...

    def transition(self, name: str, version: str, state: State) -> GateDecision:
        """Ask for a state; raise RolloutDenied (with the decision) on a refusal."""
        ...

    def submit_evidence(self, name: str, version: str, *, key: str, envelope: str) -> None:
        """Attach a signed statement (a DSSE envelope as JSON text) under a key of the ``ordinis.`` namespace."""
        ...

    def reference(self, name: str, version: str) -> ModelRef:
        """Return a version with the digest it was registered with, whoever registered it; an error where there is none."""
        ...

    def state(self, name: str, version: str) -> State:
        """Return a version's state."""
        ...

    def evidence_hash(self, name: str, version: str) -> str:
        """Return the hash of what the gate would read now; an approval is bound to it."""
        ...

    def shadow_report(self, name: str, version: str) -> ShadowReport | None:
        """Return the verified shadow report of a version, if it has one."""
        ...

    def approvals(self, name: str, version: str) -> Sequence[Approval]:
        """Return the verified answers of approvers to a version, valid or not any more."""
        ...

    def standings(self) -> Mapping[str, Standing]:
        """Return what is in use of every governed model, whoever registered it; the catalogue may know less."""
        ...

    def training(self, name: str, version: str) -> ModelArtifact | None:
        """Return what the verified training statement of a version says, if it has one."""
        ...

    def active_version(self, name: str) -> str | None:
        """Return the ACTIVE version of a model, None when flat."""
        ...

    def incumbent(self, name: str) -> str | None:
        """Return the version to beat: the ACTIVE one, or while flat the one that was ACTIVE last."""
        ...

    def roll_back(
        self,
        name: str,
        *,
        reason: str,
        from_version: str | None = None,
        order: RollbackOrder | None = None,
    ) -> str | None:
        """Swap the active pointer to the last known good version (re-verified); None means flat now.

        Nothing happens unless ``from_version`` (default: what is active) is ACTIVE, or where ``order`` was carried out before.
        An order is carried out as it was given, its cool-down included: RolloutDenied where nobody gave it, CoolingDown while the
        model cools down from an earlier one.
        """
        ...

    def retired(self, *, keep: int) -> Sequence[Retention]:
        """Return every retired version whose bytes are there, newest first, and why they stay or go."""
        ...

    def prune(self, name: str, version: str) -> AuditRecord | None:
        """Record that a version's bytes go, and remove them; RolloutDenied when they are to be kept."""
        ...

    def hold(self, name: str, version: str, *, reason: str) -> None:
        """Place a legal hold: the version's bytes stay until it is released."""
        ...

    def release(self, name: str, version: str, *, reason: str) -> None:
        """Release a legal hold; ConfigInvalid where there is none."""
        ...


class Ledger(Protocol):
    """The append-only record of who was allowed what; written only by the registry and the identity book."""

    def history(self, subject: str) -> Sequence[AuditRecord]:
        """Return a chain's records in order; ``*`` is the chain of what concerns no single model."""
        ...

    def verify(self) -> Sequence[str]:
        """Return one sentence per broken record, naming it; nothing when every chain holds."""
        ...

    def checkpoint(self, *, at: datetime, signer: Any) -> Any:
        """Write all heads as they are now, signed by a witness, to the ledger's target outside the database."""
        ...

    def checkpoints(self) -> int:
        """Return how many checkpoints :meth:`verify` compares with."""
        ...

    def active_at(self, name: str, moment: datetime) -> str | None:
        """Return the version that was ACTIVE at a moment, None when flat."""
        ...

    def replay(self, policy: Any = None) -> Sequence[Any]:
        """Make every recorded decision again, under its own policy or under another one."""
        ...


class Rehearsal(Protocol):
    """Rollbacks on a copy of the registry; the registry itself is only read."""

    def __call__(self, names: Sequence[str]) -> Sequence[Drill]:
        """Copy, roll each model back there, and throw the copy away; StoreUnavailable where no copy can be made."""
        ...


class Notifier(Protocol):
    """Where alerts are told to people outside."""

    def __call__(self, body: Mapping[str, Any], *, url: str, idempotency_key: str) -> None:
        """Post a message; AlertUndelivered unless the receiver said that it has it. The URL is in no message."""
        ...


class Preflight(Protocol):
    """A governance service outside that is asked besides the policy, and can only tighten."""

    def __call__(self, question: Mapping[str, Any]) -> PreflightAnswer:
        """Answer a request; never raise: silence and nonsense are ``unreachable``."""
        ...


class IdentityBook(Protocol):
    """The public keys that the desk trusts."""

    def trust(self, identity: Identity, *, actor: Actor) -> None:
        """Trust a key from now on; ConfigInvalid when the name is taken by another key."""
        ...

    def revoke(self, name: str, *, actor: Actor, reason: str, key_id: str = "") -> Identity:
        """Stop trusting a name's key, whatever it signed and when."""
        ...

    def rotate(self, successor: Identity, *, actor: Actor, reason: str) -> Identity:
        """Let a name's next key take over with the same powers; return the retired one."""
        ...

    def identities(self) -> Sequence[Identity]:
        """Return every identity, revoked ones too."""
        ...


class FailedAttempt(NamedTuple):
    """Work that failed: its error's code, what was found, and when."""

    code: str
    found: str
    at: datetime


class Catalogue(Protocol):
    """The governance database's memory of artifacts, datasets, packs, scorecards and drift.

    Each ``add_*`` is idempotent on the record's identity and writes its event to the outbox in the same
    transaction; a different record under the same identity is an error (DataCorrupt).
    """

    def add_dataset(self, manifest: DatasetManifest) -> None:
        """Remember a dataset manifest, accepted or rejected."""
        ...

    def dataset(self, ref: str) -> DatasetManifest:
        """Return a manifest by ``dataset_id@version``, or the newest by bare ``dataset_id``; else DataMissing."""
        ...

    def datasets(self) -> Sequence[DatasetManifest]:
        """Return every manifest, oldest first."""
        ...

    def record_dataset(
        self, action: str, *, actor: Actor, body: Mapping[str, Any], since: datetime | None = None
    ) -> AuditRecord:
        """Record in the ledger what is done to a dataset's rows; ``body["ref"]`` names it.

        With ``since``, a record of the same action and dataset that is not older stands and is returned, also where two
        callers come at once.
        """
        ...

    def dataset_records(self) -> Sequence[AuditRecord]:
        """Return what :meth:`record_dataset` recorded, oldest first."""
        ...

    def add_artifact(self, artifact: ModelArtifact) -> None:
        """Remember a model artifact."""
        ...

    def artifact(self, artifact_id: str) -> ModelArtifact:
        """Return an artifact; else ArtifactMissing."""
        ...

    def artifacts(self, name: str | None = None) -> Sequence[ModelArtifact]:
        """Return artifacts, oldest first."""
        ...

    def add_pack(self, pack: BenchPackManifest) -> None:
        """Remember a benchmark pack."""
        ...

    def pack(self, pack_id: str) -> BenchPackManifest:
        """Return a pack; else BenchDataMissing."""
        ...

    def add_scorecard(self, artifact_id: str, scorecard: Scorecard) -> None:
        """Remember an evaluation."""
        ...

    def scorecards(self, artifact_id: str) -> Sequence[Scorecard]:
        """Return an artifact's evaluations, oldest first."""
        ...

    def add_drift(self, report: DriftReport, alerts: Iterable[DriftAlert]) -> None:
        """Remember a drift check and its alerts."""
        ...

    def drift(self, model: str) -> Sequence[DriftReport]:
        """Return a model's drift checks, oldest first."""
        ...

    def add_failure(self, kind: str, *, label: str, subject: str, code: str, found: str) -> None:
        """Remember work that failed: ``kind`` is its verb, ``label`` the model type or pack it counts under."""
        ...

    def failures(self, kind: str) -> Mapping[str, int]:
        """Return how often work of a kind failed, by label."""
        ...

    def failures_of(self, kind: str, subject: str, *, since: datetime) -> Sequence[FailedAttempt]:
        """Return what failed of a kind for one subject since a moment, oldest first."""
        ...

    def keep_trace(self, subject: str, traceparent: str) -> None:
        """Remember the trace a subject was made in (W3C ``traceparent``); the first one stays."""
        ...

    def trace_of(self, subject: str) -> str | None:
        """Return the trace that was kept for a subject."""
        ...

    def pending_events(self, *, limit: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return (at most ``limit``) unpublished outbox entries, oldest first: id, topic, payload, created_at."""
        ...

    def mark_published(self, ids: Sequence[int]) -> None:
        """Forget outbox entries that a bus has accepted."""
        ...


AlertPlan = Callable[[Sequence[Alert]], AlertChanges]
"""From a subject's open alerts to what is to be written; pure, it may be called again."""


class AlertBook(Protocol):
    """Drift checks by their windows, incidents, orders, messages and signs of life.

    Each method that writes is one transaction. A plan sees the open alerts of its subject while nobody else can change
    them, and everything that it returns is written or nothing is: states, facts, messages, orders, outbox events and ledger
    records, the last under ``actor``. Facts, orders and messages are idempotent on their ids.
    """

    def check(self, identity: str) -> DriftReport | None:
        """Return the drift check of a window; None where it was not made."""
        ...

    def add_check(
        self, report: DriftReport, *, identity: str, session: date | None, plan: AlertPlan, actor: Actor
    ) -> DriftReport:
        """Remember a check with what follows from it; return the one that stands, the first of this identity.

        ``session`` is the one that a daily check is for; None for a span that was chosen by hand.
        """
        ...

    def last_session(self, model: str, version: str) -> date | None:
        """Return the newest session that a daily check of a version was for."""
        ...

    def checks(self, model: str, version: str, *, newest: int) -> Sequence[DriftReport]:
        """Return the newest daily checks of a version, oldest of them first."""
        ...

    def unlogged(self) -> Sequence[tuple[str, DriftReport]]:
        """Return the checks, with their identities, that no run is known of."""
        ...

    def mark_logged(self, identity: str, *, run_id: str) -> None:
        """Remember which run shows a check; the first answer stays."""
        ...

    def change(self, subject: str, plan: AlertPlan, *, actor: Actor) -> AlertChanges:
        """Carry a plan out; return what it said."""
        ...

    def finish(self, response: Response, plan: AlertPlan, *, actor: Actor) -> bool:
        """Mark an order as done together with a plan's changes; False, and nothing is written, where it was done before."""
        ...

    def defer(self, response: Response, note: LedgerNote, *, actor: Actor) -> bool:
        """Write why a pending order has to wait; False, and nothing is written, where that is known or it is done."""
        ...

    def alerts(self, subject: str | None = None, *, closed: bool = False) -> Sequence[Alert]:
        """Return alerts that are open (or all), oldest first."""
        ...

    def alert(self, prefix: str) -> Alert:
        """Return the alert whose id begins so; DataMissing where none or several do."""
        ...

    def facts(self, alert_id: str) -> Sequence[AlertFact]:
        """Return what happened to an alert, oldest first."""
        ...

    def responses(self, *, pending: bool) -> Sequence[Response]:
        """Return orders that are pending (or done), oldest first."""
        ...

    def deliveries(self, *, due: datetime | None = None, limit: int = 100) -> Sequence[Delivery]:
        """Return messages that are not delivered, oldest first, at most ``limit`` of each route.

        With ``due`` those that may be tried by that moment, without it all. A route whose receiver is away keeps none of another's.
        """
        ...

    def settle(self, delivery: Delivery) -> None:
        """Write what came of an attempt to deliver."""
        ...

    def beat(self, heartbeat: Heartbeat) -> None:
        """Remember a sign of life; the newest of a job replaces the one before."""
        ...

    def beats(self) -> Mapping[str, Heartbeat]:
        """Return the newest sign of life of each job."""
        ...

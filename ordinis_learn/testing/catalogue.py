"""A catalogue in memory, for tests and for trying things out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ordinis_learn.errors import ArtifactMissing, BenchDataMissing, DataCorrupt, DataMissing
from ordinis_learn.observability.origins import in_current_trace
from ordinis_learn.ports import Clock, FailedAttempt
from ordinis_learn.records import (
    Actor,
    AuditRecord,
    BenchPackManifest,
    DatasetManifest,
    DriftAlert,
    DriftReport,
    Envelope,
    ModelArtifact,
    Record,
    Scorecard,
    dataset_built,
    drift_alerted,
    evaluation_completed,
    model_trained,
    pack_generated,
)

__all__ = ["InMemoryCatalogue"]


class InMemoryCatalogue:
    """Keeps everything in dictionaries, in the order it came; forgotten with the process.

    See :class:`ordinis_learn.ports.Catalogue` for the contract.
    """

    def __init__(self, *, clock: Clock, env: str = "dev") -> None:
        self._clock = clock
        self._env = env
        self._datasets: dict[str, DatasetManifest] = {}
        self._artifacts: dict[str, ModelArtifact] = {}
        self._packs: dict[str, BenchPackManifest] = {}
        self._scorecards: dict[tuple[str, str], Scorecard] = {}
        self._drift: dict[tuple[str, str], DriftReport] = {}
        self._dataset_records: list[AuditRecord] = []
        self._failures: list[tuple[str, str, str, FailedAttempt]] = []
        self._traces: dict[str, str] = {}
        self._outbox: dict[int, dict[str, Any]] = {}
        self._last_id = 0

    def add_dataset(self, manifest: DatasetManifest) -> None:
        """Remember a dataset manifest, accepted or rejected."""
        if _is_new(self._datasets, manifest.ref, manifest):
            self._emit(dataset_built(manifest, at=self._clock(), env=self._env))

    def dataset(self, ref: str) -> DatasetManifest:
        """Return a manifest by ``dataset_id@version``, or the newest by bare ``dataset_id``."""
        found = [one for one in self._datasets.values() if ref in {one.ref, one.dataset_id}]
        if not found:
            raise DataMissing(
                f"find the dataset {ref!r}",
                found=f"datasets here: {', '.join(self._datasets) or 'none'}",
                next_step="build it",
                ref=ref,
            )
        return found[-1]

    def datasets(self) -> Sequence[DatasetManifest]:
        """Return every manifest, oldest first."""
        return list(self._datasets.values())

    def record_dataset(
        self, action: str, *, actor: Actor, body: Mapping[str, Any], since: datetime | None = None
    ) -> AuditRecord:
        """Keep a record on a chain of its own, which is not hashed; with ``since``, one that is not older stands."""
        for known in reversed(self._dataset_records):
            if since is None:
                break
            if known.action == action and known.body["ref"] == body["ref"] and known.at >= since:
                return known
        record = AuditRecord(
            subject="*",
            sequence=len(self._dataset_records) + 1,
            action=action,
            actor=actor,
            at=self._clock(),
            body=dict(body),
            previous_hash="0" * 64,
            hash="0" * 64,
        )
        self._dataset_records.append(record)
        return record

    def dataset_records(self) -> Sequence[AuditRecord]:
        """Return what was recorded of datasets, oldest first."""
        return list(self._dataset_records)

    def add_artifact(self, artifact: ModelArtifact) -> None:
        """Remember a model artifact."""
        if _is_new(self._artifacts, artifact.artifact_id, artifact):
            self._emit(model_trained(artifact, at=self._clock(), env=self._env))

    def artifact(self, artifact_id: str) -> ModelArtifact:
        """Return an artifact by its id."""
        if artifact_id not in self._artifacts:
            raise ArtifactMissing(
                f"find the artifact {artifact_id!r}", found="no artifact has this id", next_step="train it"
            )
        return self._artifacts[artifact_id]

    def artifacts(self, name: str | None = None) -> Sequence[ModelArtifact]:
        """Return artifacts, oldest first, of one model or of all."""
        return [one for one in self._artifacts.values() if name in {None, one.name}]

    def add_pack(self, pack: BenchPackManifest) -> None:
        """Remember a benchmark pack."""
        if _is_new(self._packs, pack.pack_id, pack):
            self._emit(pack_generated(pack, at=self._clock(), env=self._env))

    def pack(self, pack_id: str) -> BenchPackManifest:
        """Return a benchmark pack by its id."""
        if pack_id not in self._packs:
            raise BenchDataMissing(
                f"find the benchmark pack {pack_id!r}",
                found="no pack has this id",
                next_step="generate it",
            )
        return self._packs[pack_id]

    def add_scorecard(self, artifact_id: str, scorecard: Scorecard) -> None:
        """Remember an evaluation; every evaluation is kept."""
        key = (artifact_id, scorecard.content_hash())
        if key not in self._scorecards:
            self._scorecards[key] = scorecard
            self._emit(*evaluation_completed(artifact_id, scorecard, at=self._clock(), env=self._env))

    def scorecards(self, artifact_id: str) -> Sequence[Scorecard]:
        """Return an artifact's evaluations, oldest first."""
        return [card for (owner, _), card in self._scorecards.items() if owner == artifact_id]

    def add_drift(self, report: DriftReport, alerts: Iterable[DriftAlert]) -> None:
        """Remember a drift check and its alerts."""
        key = (report.model, report.content_hash())
        if key not in self._drift:
            self._drift[key] = report
            self._emit(*(drift_alerted(alert, at=self._clock(), env=self._env) for alert in alerts))

    def drift(self, model: str) -> Sequence[DriftReport]:
        """Return a model's drift checks, oldest first."""
        return [report for (owner, _), report in self._drift.items() if owner == model]

    def add_failure(self, kind: str, *, label: str, subject: str, code: str, found: str) -> None:
        """Remember work that failed."""
        self._failures.append((kind, label, subject, FailedAttempt(code=code, found=found, at=self._clock())))

    def failures(self, kind: str) -> Mapping[str, int]:
        """Return how often work of a kind failed, by label."""
        return dict(Counter(label for verb, label, _, _ in self._failures if verb == kind))

    def failures_of(self, kind: str, subject: str, *, since: datetime) -> Sequence[FailedAttempt]:
        """Return what failed of a kind for one subject since a moment, oldest first."""
        return [
            one
            for verb, _, about, one in self._failures
            if (verb, about) == (kind, subject) and one.at >= since
        ]

    def keep_trace(self, subject: str, traceparent: str) -> None:
        """Remember the trace a subject was made in; the first one stays."""
        self._traces.setdefault(subject, traceparent)

    def trace_of(self, subject: str) -> str | None:
        """Return the trace that was kept for a subject."""
        return self._traces.get(subject)

    def pending_events(self, *, limit: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return outbox entries not yet published, oldest first."""
        return list(self._outbox.values())[:limit]

    def mark_published(self, ids: Sequence[int]) -> None:
        """Forget outbox entries that a bus has accepted."""
        for entry_id in ids:
            self._outbox.pop(entry_id, None)

    def _emit(self, *events: Envelope) -> None:
        for event in events:
            self._last_id += 1
            self._outbox[self._last_id] = {
                "id": self._last_id,
                "topic": event.event_type,
                "payload": in_current_trace(event).to_json(),
                "created_at": self._clock(),
            }


def _is_new(known: dict[str, Any], identity: str, record: Record) -> bool:
    """Keep a record unless an equal one is there; another one under its identity is DataCorrupt."""
    if identity not in known:
        known[identity] = record
        return True
    before, now = known[identity].to_json(), record.to_json()
    differing = sorted(key for key in now if key != "created_at" and before[key] != now[key])
    if differing:
        raise DataCorrupt(
            f"remember {identity}",
            found=f"another record has this identity; they differ in {', '.join(differing)}",
            next_step="give the new one an identity of its own; what is stored was not changed",
            differing=differing,
        )
    return False

"""The events LEARN emits: their names, and the envelope around each.

They leave through an outbox that is written in the transaction of the change they report, so the same
change always makes the same ``event_id`` and a bus may drop what it has seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from ordinis_learn.records.alerts import Response
from ordinis_learn.records.artifact import ModelArtifact
from ordinis_learn.records.bench import BenchPackManifest
from ordinis_learn.records.canonical import hash_of
from ordinis_learn.records.dataset import DatasetManifest
from ordinis_learn.records.drift import DriftAlert
from ordinis_learn.records.events import Envelope
from ordinis_learn.records.scorecard import Scorecard

__all__ = [
    "LEARN_SOURCE",
    "LearnTopic",
    "dataset_built",
    "drift_alerted",
    "evaluation_completed",
    "learn_event",
    "model_trained",
    "pack_generated",
    "retrain_requested",
]

LEARN_SOURCE: Final = "learn"


class LearnTopic(StrEnum):
    """The event types that leave LEARN."""

    DATASET_BUILT = "ordinis.learn.dataset.built"
    MODEL_TRAINED = "ordinis.learn.model.trained"
    EVAL_COMPLETED = "ordinis.learn.eval.completed"
    ROLLOUT_COMPLETED = "ordinis.learn.rollout.completed"
    ROLLBACK_COMPLETED = "ordinis.learn.rollback.completed"
    DRIFT_ALERT = "ordinis.learn.drift.alert"
    REGISTRY_ALERT = "ordinis.learn.registry.alert"
    RETRAIN_REQUESTED = "ordinis.learn.retrain.requested"
    PACK_GENERATED = "ordinis.bench.pack.generated"
    SCORECARD_GENERATED = "ordinis.bench.scorecard.generated"


def learn_event(
    topic: LearnTopic,
    payload: Mapping[str, Any],
    *,
    subject: str,
    identity: str,
    at: datetime,
    env: str = "dev",
) -> Envelope:
    """Wrap a payload of JSON values for the bus.

    Parameters
    ----------
    topic : LearnTopic
        What happened.
    payload : Mapping
        What to tell about it.
    subject : str
        The dataset, pack or model it is about: the partition key, within which order is kept.
    identity : str
        What makes this event this event, e.g. a record's hash; it becomes the ``event_id``.
    at : datetime
        When it happened, aware.
    env : str
        The value of the required tag of that name. The other required tags say ``none``: these events
        are about models, not about instruments.
    """
    event_id = hash_of({"topic": topic.value, "identity": identity}, domain="ordinis.event.v1")
    return Envelope(
        event_id=event_id,
        event_type=topic.value,
        ts_event=at,
        ts_ingest=at,
        source=LEARN_SOURCE,
        correlation_id=subject,
        partition_key=subject,
        payload=dict(payload),
        tags={"instrument_type": "none", "venue": "none", "jurisdiction": "none", "env": env},
    )


def dataset_built(manifest: DatasetManifest, *, at: datetime, env: str = "dev") -> Envelope:
    """Tell that a dataset was built, accepted or rejected."""
    payload = {
        "dataset_id": manifest.dataset_id,
        "version": manifest.version,
        "kind": manifest.kind,
        "window": manifest.window.to_json(),
        "rows": manifest.rows,
        "content_sha256": manifest.content_sha256,
        "accepted": manifest.validation.success,
        "failed": list(manifest.validation.failed),
    }
    return learn_event(
        LearnTopic.DATASET_BUILT, payload, subject=manifest.dataset_id, identity=manifest.ref, at=at, env=env
    )


def model_trained(artifact: ModelArtifact, *, at: datetime, env: str = "dev") -> Envelope:
    """Tell that a model was trained (or declared) and registered."""
    payload = artifact.to_json()
    return learn_event(
        LearnTopic.MODEL_TRAINED,
        payload,
        subject=artifact.name,
        identity=artifact.artifact_id,
        at=at,
        env=env,
    )


def pack_generated(pack: BenchPackManifest, *, at: datetime, env: str = "dev") -> Envelope:
    """Tell that a benchmark pack was generated; the windows stay in the catalogue."""
    payload = {key: value for key, value in pack.to_json().items() if key != "windows"}
    payload["windows"] = len(pack.windows)
    return learn_event(
        LearnTopic.PACK_GENERATED,
        payload,
        subject=pack.pack_id,
        identity=pack.manifest_hash,
        at=at,
        env=env,
    )


def evaluation_completed(
    artifact_id: str, scorecard: Scorecard, *, at: datetime, env: str = "dev"
) -> tuple[Envelope, Envelope]:
    """Tell that an evaluation ended and that its scorecard is there: one event for each stream."""
    verdicts = {name: difference.verdict for name, difference in scorecard.differences.items()}
    common = {
        "artifact_id": artifact_id,
        "pack_id": scorecard.pack_id,
        "pack_hash": scorecard.pack_hash,
        "subject": scorecard.subject.to_json(),
        "baseline": None if scorecard.baseline is None else scorecard.baseline.to_json(),
        "scorecard_hash": scorecard.content_hash(),
    }
    record = scorecard.to_json()
    completed = {
        **common,
        "metrics": record["metrics"],
        "metric_quality": record["metric_quality"],
        "verdicts": verdicts,
    }
    subject, identity = scorecard.subject.name, f"{artifact_id}/{common['scorecard_hash']}"
    return (
        learn_event(LearnTopic.EVAL_COMPLETED, completed, subject=subject, identity=identity, at=at, env=env),
        learn_event(
            LearnTopic.SCORECARD_GENERATED, common, subject=subject, identity=identity, at=at, env=env
        ),
    )


def drift_alerted(alert: DriftAlert, *, at: datetime, env: str = "dev") -> Envelope:
    """Tell that a model drifted."""
    return learn_event(
        LearnTopic.DRIFT_ALERT,
        alert.to_json(),
        subject=alert.model,
        identity=alert.alert_id,
        at=at,
        env=env,
    )


def retrain_requested(response: Response, *, at: datetime, env: str = "dev") -> Envelope:
    """Tell that a policy asks for a new training of a model."""
    return learn_event(
        LearnTopic.RETRAIN_REQUESTED,
        response.to_json(),
        subject=response.model,
        identity=response.response_id,
        at=at,
        env=env,
    )

"""The events LEARN emits: their names, and the envelope around each.

They leave through an outbox that is written in the transaction of the change they report, so the same
change always makes the same ``event_id`` and a bus may drop what it has seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from ordinis_learn.records.canonical import hash_of
from ordinis_learn.records.events import Envelope

__all__ = ["LEARN_SOURCE", "LearnTopic", "learn_event"]

LEARN_SOURCE: Final = "learn"


class LearnTopic(StrEnum):
    """The event types that leave LEARN."""

    DATASET_BUILT = "ordinis.learn.dataset.built"
    MODEL_TRAINED = "ordinis.learn.model.trained"
    EVAL_COMPLETED = "ordinis.learn.eval.completed"
    ROLLOUT_COMPLETED = "ordinis.learn.rollout.completed"
    ROLLBACK_COMPLETED = "ordinis.learn.rollback.completed"
    DRIFT_ALERT = "ordinis.learn.drift.alert"
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

"""Alerts, what was done about them, who was told, and when the monitor last gave a sign of life."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ordinis_learn.records.base import Record, UtcDatetime
from ordinis_learn.records.drift import DriftAlert, Severity

__all__ = [
    "Alert",
    "AlertChanges",
    "AlertFact",
    "AlertKind",
    "Delivery",
    "Drill",
    "Heartbeat",
    "LedgerNote",
    "Response",
    "ResponseAction",
    "RollbackOrder",
]

AlertKind = Literal[
    "drift",
    "check_failed",
    "shadow_stopped",
    "no_signals",
    "train_failed",
    "missed_schedule",
    "flat",
    "drill_failed",
    "delivery_failed",
]
"""What an alert is about; ``docs/operations.md`` has a section for each."""

ResponseAction = Literal["block_promotions", "request_retrain", "roll_back"]
"""What a response policy may order besides telling."""


class Alert(Record):
    """One incident as it stands now: the fold of its facts.

    ``subject`` is a model, or ``*`` for what concerns no single one. ``last_source`` names what was counted last (a drift
    check, a missed beat), so that the same thing is never counted twice. ``clean`` counts checks in a row without it.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    alert_id: str
    kind: AlertKind
    subject: str
    version: str = ""
    metric: str = ""
    features: tuple[str, ...] = ()
    severity: Severity
    status: Literal["open", "acknowledged", "closed"] = "open"
    summary: str
    value: float | None = None
    threshold: float | None = None
    opened_at: UtcDatetime
    last_at: UtcDatetime
    repeats: int = Field(1, ge=1)
    clean: int = Field(0, ge=0)
    escalations: int = Field(0, ge=0)
    escalated_at: UtcDatetime | None = None
    acknowledged_by: str = ""
    acknowledged_at: UtcDatetime | None = None
    comment: str = ""
    blocks: bool = False
    policy_id: str
    policy_hash: str
    runbook: str
    last_source: str

    @property
    def is_open(self) -> bool:
        """Whether it still stands, acknowledged or not."""
        return self.status != "closed"


class AlertFact(Record):
    """Something that happened to an alert; never changed. ``source`` and ``what`` make its identity.

    ``failed`` is in books of before failed trainings were counted in the catalogue alone.
    """

    fact_id: str
    alert_id: str
    subject: str
    what: Literal["opened", "repeated", "escalated", "acknowledged", "clean", "closed", "failed"]
    source: str
    at: UtcDatetime
    by: str
    said: str


class Response(Record):
    """What a policy ordered because of an alert; carried out once, whatever is killed in between."""

    schema_version: Literal["1.0.0"] = "1.0.0"
    response_id: str
    alert_id: str
    model: str
    version: str
    action: ResponseAction
    reason: str
    rule: str
    policy_id: str
    policy_hash: str
    cool_down_hours: float = Field(0.0, ge=0)
    status: Literal["pending", "done"] = "pending"
    requested_at: UtcDatetime
    outcome: str = ""
    done_at: UtcDatetime | None = None
    seconds: float | None = None


class RollbackOrder(Record):
    """Which order a rollback carries out; the ledger keeps it, and the same order never rolls back twice."""

    response_id: str
    alert_id: str
    policy_id: str
    policy_hash: str

    @classmethod
    def of(cls, response: Response) -> RollbackOrder:
        """Return the name of an order as it was given."""
        return cls(
            response_id=response.response_id,
            alert_id=response.alert_id,
            policy_id=response.policy_id,
            policy_hash=response.policy_hash,
        )


class Delivery(Record):
    """One message to one route; ``delivery_id`` is its idempotency key, the same at every attempt."""

    delivery_id: str
    alert_id: str
    route: Literal["default", "escalation"]
    payload: dict[str, Any]
    created_at: UtcDatetime
    attempts: int = Field(0, ge=0)
    next_at: UtcDatetime
    delivered_at: UtcDatetime | None = None
    error: str = ""


class Heartbeat(Record):
    """When a job last ran, when it last succeeded, and how far it came (``through``: a session, or empty)."""

    job: str
    at: UtcDatetime
    ok_at: UtcDatetime | None = None
    through: str = ""
    said: str = ""


class Drill(Record):
    """What a rehearsed rollback did on a copy of the registry.

    ``to_version`` is what would be active afterwards, None where the model would go flat; ``unfit`` says why earlier versions would
    be passed over. ``seconds`` is the rollback alone.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    model: str
    from_version: str | None
    to_version: str | None
    unfit: tuple[str, ...] = ()
    error: str = ""
    seconds: float
    at: UtcDatetime

    @property
    def works(self) -> bool:
        """Whether a rollback would leave a model active."""
        return not self.error and self.to_version is not None


class LedgerNote(Record):
    """A record to append to the subject's chain in the transaction of the change.

    One that tells of an order, ``order``, is appended only where the order is new.
    """

    action: str
    body: dict[str, Any]
    order: str = ""


class AlertChanges(Record):
    """What one transaction is to write: new states, facts, messages, orders, events and ledger records."""

    alerts: tuple[Alert, ...] = ()
    facts: tuple[AlertFact, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    responses: tuple[Response, ...] = ()
    drift_alerts: tuple[DriftAlert, ...] = ()
    notes: tuple[LedgerNote, ...] = ()

    def __add__(self, other: AlertChanges) -> AlertChanges:
        """Return both, this one's first; of an alert that is in both, the later state is written last and stays."""
        mine, theirs = dict(self), dict(other)
        return AlertChanges(**{name: (*mine[name], *theirs[name]) for name in AlertChanges.model_fields})

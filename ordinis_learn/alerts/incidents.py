"""The life of an alert: opened once, counted when it comes again, escalated, acknowledged, closed.

Pure: open alerts and what was seen in, what is to be written out. Whoever writes it holds the subject meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ordinis_learn.alerts.context import Context
from ordinis_learn.alerts.responses import order
from ordinis_learn.records import (
    Alert,
    AlertChanges,
    AlertFact,
    AlertKind,
    LedgerNote,
    ModelType,
    Severity,
    hash_of,
)

__all__ = ["Sighting", "acknowledge", "escalate", "raise_alert", "resolve"]

_RANK: Final[dict[Severity, int]] = {"none": 0, "info": 1, "warning": 2, "critical": 3}
_HIGHER: Final[dict[Severity, Severity]] = {
    "none": "warning",
    "info": "warning",
    "warning": "critical",
    "critical": "critical",
}


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """Something that was seen: what it is about, how bad, and by which source (seen twice, it counts once)."""

    kind: AlertKind
    subject: str
    severity: Severity
    summary: str
    source: str
    version: str = ""
    metric: str = ""
    features: tuple[str, ...] = ()
    value: float | None = None
    threshold: float | None = None
    model_type: ModelType | None = None

    def is_about(self, alert: Alert) -> bool:
        """Tell whether an alert is about the same thing: its features include all of these."""
        return (alert.kind, alert.version, alert.metric) == (self.kind, self.version, self.metric) and set(
            self.features
        ) <= set(alert.features)


def raise_alert(standing: Sequence[Alert], seen: Sighting, *, context: Context) -> AlertChanges:
    """Open an alert, or count it again where one about the same stands open; nothing where this source was counted."""
    known = next((alert for alert in standing if seen.is_about(alert)), None)
    if known is None:
        return _open(seen, context=context)
    if known.last_source == seen.source:
        return AlertChanges()
    worse = _RANK[seen.severity] > _RANK[known.severity]
    changed = known.model_copy(
        update={
            "repeats": known.repeats + 1,
            "clean": 0,
            "last_at": context.now,
            "last_source": seen.source,
            "summary": seen.summary,
            "value": seen.value,
            "threshold": seen.threshold,
            "severity": seen.severity if worse else known.severity,
            "status": "open" if worse else known.status,  # somebody acknowledged something milder
        }
    )
    fact = context.fact(changed, "repeated", source=seen.source, nth=changed.repeats)
    if not worse:
        return AlertChanges(alerts=(changed,), facts=(fact,))
    return _told(changed, fact, context=context, model_type=seen.model_type)


def escalate(
    standing: Sequence[Alert], *, context: Context, model_type: ModelType | None = None
) -> AlertChanges:
    """Raise what nobody acknowledged after the policy's repeats or hours: severity, and another route.

    Each further step takes as many repeats, or hours, again. A severity that rose is judged by the rules again.
    """
    changes = AlertChanges()
    for alert in standing:
        if alert.status == "open" and _is_overdue(alert, context=context):
            step = alert.escalations + 1
            changed = alert.model_copy(
                update={
                    "severity": _HIGHER[alert.severity],
                    "escalations": step,
                    "escalated_at": context.now,
                }
            )
            fact = context.fact(changed, "escalated", source=f"step {step}")
            changes += _told(changed, fact, context=context, model_type=model_type)
    return changes


def acknowledge(alert: Alert, *, comment: str, context: Context) -> AlertChanges:
    """Note that a person has it in hand: it is not escalated any more. The ledger keeps who and why."""
    changed = alert.model_copy(
        update={
            "status": "acknowledged",
            "acknowledged_by": context.by,
            "acknowledged_at": context.now,
            "comment": comment,
        }
    )
    fact = context.fact(
        changed, "acknowledged", source=f"{context.by} {context.now.isoformat()}", said=comment
    )
    body = {"alert_id": alert.alert_id, "identity_name": context.by, "reason": comment, "kind": alert.kind}
    return AlertChanges(
        alerts=(changed,),
        facts=(fact,),
        deliveries=context.deliveries(changed, fact),
        notes=(LedgerNote(action="alert.acknowledged", body=body),),
    )


def resolve(
    standing: Sequence[Alert], kind: AlertKind, *, why: str, context: Context, version: str | None = None
) -> AlertChanges:
    """Close the alerts of a kind (of one version, where it is named) whose cause is gone."""
    changes = AlertChanges()
    for alert in standing:
        if alert.kind == kind and version in {None, alert.version}:
            changes += close(alert, why=why, context=context)
    return changes


def close(alert: Alert, *, why: str, context: Context) -> AlertChanges:
    """Close an alert; what it blocked is free again."""
    changed = alert.model_copy(update={"status": "closed", "last_at": context.now, "blocks": False})
    fact = context.fact(changed, "closed", source=alert.last_source, said=why)
    return AlertChanges(alerts=(changed,), facts=(fact,), deliveries=context.deliveries(changed, fact))


def _open(seen: Sighting, *, context: Context) -> AlertChanges:
    about = {
        "kind": seen.kind,
        "subject": seen.subject,
        "version": seen.version,
        "metric": seen.metric,
        "features": list(seen.features),
        "source": seen.source,
        # What was closed and is seen again is news, also by the same source: other facts, other messages, other orders.
        "opened_at": context.now.isoformat(),
    }
    alert = Alert(
        alert_id=hash_of(about, domain="ordinis.alert.v1")[:32],
        kind=seen.kind,
        subject=seen.subject,
        version=seen.version,
        metric=seen.metric,
        features=seen.features,
        severity=seen.severity,
        summary=seen.summary,
        value=seen.value,
        threshold=seen.threshold,
        opened_at=context.now,
        last_at=context.now,
        policy_id=context.policy.policy_id,
        policy_hash=context.policy.policy_hash,
        runbook=context.runbook(seen.kind),
        last_source=seen.source,
    )
    fact = context.fact(alert, "opened", source=seen.source)
    return _told(alert, fact, context=context, model_type=seen.model_type)


def _told(alert: Alert, fact: AlertFact, *, context: Context, model_type: ModelType | None) -> AlertChanges:
    """Return an alert with its fact, the message about it and what the policy orders."""
    ordered = order(alert, context=context, model_type=model_type)
    blocks = alert.blocks or any(one.action == "block_promotions" for one in ordered.responses)
    stands = alert.model_copy(update={"blocks": blocks})
    written = AlertChanges(alerts=(stands,), facts=(fact,), deliveries=context.deliveries(stands, fact))
    return written + ordered


def _is_overdue(alert: Alert, *, context: Context) -> bool:
    limits = context.policy.escalation
    since = alert.escalated_at or alert.opened_at
    by_time = context.now - since >= timedelta(hours=limits.after_hours)
    by_repeats = alert.repeats > limits.after_repeats * (alert.escalations + 1)
    return by_time or by_repeats

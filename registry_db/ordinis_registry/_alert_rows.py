"""The rows behind :mod:`ordinis_registry.alert_book`, within the caller's transaction."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.records import (
    Actor,
    Alert,
    AlertChanges,
    AlertFact,
    Delivery,
    Heartbeat,
    Response,
    drift_alerted,
    retrain_requested,
)
from ordinis_registry import ledger, outbox
from ordinis_registry.catalogue import alert_row
from ordinis_registry.models import (
    AlertFactRow,
    AlertRow,
    DeliveryRow,
    DriftAlertRow,
    HeartbeatRow,
    ResponseRow,
)
from ordinis_registry.once import insert_once, replace_row

__all__ = ["is_done", "open_alerts", "put_beat", "put_delivery", "put_reason", "write_changes"]


def open_alerts(session: Session, subject: str) -> list[Alert]:
    """Return a subject's open alerts, oldest first."""
    query = (
        sa.select(AlertRow.record)
        .where(AlertRow.subject == subject, AlertRow.status != "closed")
        .order_by(AlertRow.opened_at, AlertRow.alert_id)
    )
    return [Alert.model_validate_json(text) for text in session.scalars(query)]


def is_done(session: Session, response_id: str) -> bool:
    """Tell whether an order was carried out."""
    return (
        session.scalar(sa.select(ResponseRow.status).where(ResponseRow.response_id == response_id)) == "done"
    )


def write_changes(
    session: Session, changes: AlertChanges, *, head: ledger.Head, actor: Actor, at: datetime, env: str
) -> None:
    """Write everything that a plan said; ``head`` is the subject's chain, held by this transaction."""
    for alert in changes.alerts:
        _put_alert(session, alert)
    for fact in changes.facts:
        _put_fact(session, fact)
    new: set[str] = set()
    for response in changes.responses:
        if _put_response(session, response, at=at, env=env):
            new.add(response.response_id)
    for delivery in changes.deliveries:
        insert_once(session, DeliveryRow, **_delivery(delivery))
    for raised in changes.drift_alerts:
        if session.get(DriftAlertRow, raised.alert_id) is None:
            session.add(alert_row(raised, at=at))
            outbox.enqueue(session, drift_alerted(raised, at=at, env=env), at=at)
    session.flush()
    for note in changes.notes:
        if note.order in {"", *new}:
            ledger.append(
                session,
                subject=head.subject,
                action=note.action,
                actor=actor,
                at=at,
                body=note.body,
                head=head,
            )


def put_delivery(session: Session, delivery: Delivery) -> None:
    """Write what came of an attempt; a message that was delivered stays so."""
    session.execute(
        sa.update(DeliveryRow)
        .where(DeliveryRow.delivery_id == delivery.delivery_id, DeliveryRow.delivered.is_(False))
        .values(**_delivery(delivery))
    )


def put_reason(session: Session, response: Response) -> bool:
    """Write why a pending order has to wait, and nothing else about it; False where that is known or it is done."""
    row = session.get(ResponseRow, response.response_id)
    if row is None or row.status == "done":
        return False
    known = Response.model_validate_json(row.record)
    if known.outcome == response.outcome:
        return False
    row.record = known.model_copy(update={"outcome": response.outcome}).canonical().decode()
    return True


def put_beat(session: Session, beat: Heartbeat) -> None:
    """Replace a job's sign of life, also where another process writes its first one at the same moment."""
    replace_row(session, HeartbeatRow, job=beat.job, at=beat.at, record=beat.canonical().decode())


def _put_alert(session: Session, alert: Alert) -> None:
    session.merge(
        AlertRow(
            alert_id=alert.alert_id,
            subject=alert.subject,
            kind=alert.kind,
            metric=alert.metric,
            severity=alert.severity,
            status=alert.status,
            blocks=alert.blocks,
            opened_at=alert.opened_at,
            record=alert.canonical().decode(),
        )
    )


def _put_fact(session: Session, fact: AlertFact) -> None:
    insert_once(
        session,
        AlertFactRow,
        fact_id=fact.fact_id,
        alert_id=fact.alert_id,
        subject=fact.subject,
        what=fact.what,
        at=fact.at,
        record=fact.canonical().decode(),
    )


def _put_response(session: Session, response: Response, *, at: datetime, env: str) -> bool:
    """Write an order, or that it is done; tell whether it is new."""
    known = session.get(ResponseRow, response.response_id)
    if known is None:
        session.add(
            ResponseRow(
                response_id=response.response_id,
                alert_id=response.alert_id,
                model=response.model,
                action=response.action,
                status=response.status,
                requested_at=response.requested_at,
                record=response.canonical().decode(),
            )
        )
        if response.action == "request_retrain":
            outbox.enqueue(session, retrain_requested(response, at=at, env=env), at=at)
    elif known.status == "pending" and response.status == "done":
        known.status, known.record = response.status, response.canonical().decode()
    return known is None


def _delivery(delivery: Delivery) -> dict[str, object]:
    return {
        "delivery_id": delivery.delivery_id,
        "alert_id": delivery.alert_id,
        "route": delivery.route,
        "delivered": delivery.delivered_at is not None,
        "next_at": delivery.next_at,
        "created_at": delivery.created_at,
        "record": delivery.canonical().decode(),
    }

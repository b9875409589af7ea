"""Drift checks by window, incidents, orders, messages and signs of life, over SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.errors import DataMissing
from ordinis_learn.ports import AlertPlan, Clock
from ordinis_learn.records import (
    Actor,
    Alert,
    AlertChanges,
    AlertFact,
    Delivery,
    DriftReport,
    Heartbeat,
    LedgerNote,
    Record,
    Response,
)
from ordinis_registry import ledger
from ordinis_registry._alert_rows import (
    is_done,
    open_alerts,
    put_beat,
    put_delivery,
    put_reason,
    write_changes,
)
from ordinis_registry.catalogue import drift_row
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import (
    AlertFactRow,
    AlertRow,
    DeliveryRow,
    DriftReportRow,
    HeartbeatRow,
    ResponseRow,
)

__all__ = ["SqlAlertBook", "given_order", "is_blocked"]

_R = TypeVar("_R", bound=Record)


class SqlAlertBook:
    """The book over the governance database; see :class:`ordinis_learn.ports.AlertBook` for the contract.

    Parameters
    ----------
    database : GovernanceDatabase
        Upgraded to the newest schema.
    clock : Clock
        Stamps rows, events and ledger records.
    env : str
        What the events' required tag ``env`` says: the settings' profile.
    """

    def __init__(self, database: GovernanceDatabase, *, clock: Clock, env: str = "dev") -> None:
        self._database = database
        self._clock = clock
        self._env = env

    # ---- drift checks ---------------------------------------------------------------------------

    def check(self, identity: str) -> DriftReport | None:
        """Return the drift check of a window; None where it was not made."""
        with self._database.reading() as session:
            return _check(session, identity)

    def add_check(
        self, report: DriftReport, *, identity: str, session: date | None, plan: AlertPlan, actor: Actor
    ) -> DriftReport:
        """Remember a check with what follows from it; return the one that stands."""
        at = self._clock()
        with self._database.session() as writing:
            head = ledger.lock(writing, report.model)
            standing = _check(writing, identity)
            if standing is not None:
                return standing
            writing.add(drift_row(report, at=at, identity=identity, session=session))
            changes = plan(open_alerts(writing, report.model))
            write_changes(writing, changes, head=head, actor=actor, at=at, env=self._env)
        return report

    def last_session(self, model: str, version: str) -> date | None:
        """Return the newest session that a daily check of a version was for."""
        query = sa.select(sa.func.max(DriftReportRow.session)).where(
            DriftReportRow.model == model, DriftReportRow.version == version
        )
        with self._database.reading() as session:
            return session.scalar(query)

    def checks(self, model: str, version: str, *, newest: int) -> Sequence[DriftReport]:
        """Return the newest daily checks of a version, oldest of them first."""
        query = (
            sa.select(DriftReportRow.record)
            .where(
                DriftReportRow.model == model,
                DriftReportRow.version == version,
                DriftReportRow.session.is_not(None),
            )
            .order_by(DriftReportRow.session.desc(), DriftReportRow.position.desc())
            .limit(newest)
        )
        return self._read(query, DriftReport)[::-1]

    def unlogged(self) -> Sequence[tuple[str, DriftReport]]:
        """Return the checks, with their identities, that no run is known of."""
        query = sa.select(DriftReportRow.identity, DriftReportRow.record).where(
            DriftReportRow.identity.is_not(None), DriftReportRow.run_id.is_(None)
        )
        with self._database.reading() as session:
            rows = session.execute(query.order_by(DriftReportRow.position)).all()
        return [(row.identity, DriftReport.model_validate_json(row.record)) for row in rows]

    def mark_logged(self, identity: str, *, run_id: str) -> None:
        """Remember which run shows a check; the first answer stays."""
        with self._database.session() as session:
            session.execute(
                sa.update(DriftReportRow)
                .where(DriftReportRow.identity == identity, DriftReportRow.run_id.is_(None))
                .values(run_id=run_id)
            )

    # ---- incidents ------------------------------------------------------------------------------

    def change(self, subject: str, plan: AlertPlan, *, actor: Actor) -> AlertChanges:
        """Carry a plan out; return what it said."""
        with self._database.session() as session:
            head = ledger.lock(session, subject)
            changes = plan(open_alerts(session, subject))
            write_changes(session, changes, head=head, actor=actor, at=self._clock(), env=self._env)
        return changes

    def finish(self, response: Response, plan: AlertPlan, *, actor: Actor) -> bool:
        """Mark an order as done together with a plan's changes; False where it was done before."""
        with self._database.session() as session:
            head = ledger.lock(session, response.model)
            if is_done(session, response.response_id):
                return False
            changes = plan(open_alerts(session, response.model)) + AlertChanges(responses=(response,))
            write_changes(session, changes, head=head, actor=actor, at=self._clock(), env=self._env)
        return True

    def defer(self, response: Response, note: LedgerNote, *, actor: Actor) -> bool:
        """Write why a pending order has to wait; False where that is known or it is done."""
        with self._database.session() as session:
            head = ledger.lock(session, response.model)
            if not put_reason(session, response):
                return False
            changes = AlertChanges(notes=(note,))
            write_changes(session, changes, head=head, actor=actor, at=self._clock(), env=self._env)
        return True

    def alerts(self, subject: str | None = None, *, closed: bool = False) -> Sequence[Alert]:
        """Return alerts that are open (or all), oldest first."""
        query = sa.select(AlertRow.record).order_by(AlertRow.opened_at, AlertRow.alert_id)
        if subject is not None:
            query = query.where(AlertRow.subject == subject)
        return self._read(query if closed else query.where(AlertRow.status != "closed"), Alert)

    def alert(self, prefix: str) -> Alert:
        """Return the alert whose id begins so."""
        query = sa.select(AlertRow.record).where(AlertRow.alert_id.startswith(prefix, autoescape=True))
        found = self._read(query.limit(2), Alert) if prefix else []
        if len(found) != 1:
            raise DataMissing(
                f"find the alert {prefix!r}",
                found="several alerts have an id that begins so" if found else "no alert has this id",
                next_step="ordinis-learn alerts list --all",
            )
        return found[0]

    def facts(self, alert_id: str) -> Sequence[AlertFact]:
        """Return what happened to an alert, oldest first."""
        query = sa.select(AlertFactRow.record).where(AlertFactRow.alert_id == alert_id)
        return self._read(query.order_by(AlertFactRow.position), AlertFact)

    # ---- orders, messages, signs of life ----------------------------------------------------------

    def responses(self, *, pending: bool) -> Sequence[Response]:
        """Return orders that are pending (or done), oldest first."""
        query = sa.select(ResponseRow.record).where(ResponseRow.status == ("pending" if pending else "done"))
        return self._read(query.order_by(ResponseRow.requested_at, ResponseRow.response_id), Response)

    def deliveries(self, *, due: datetime | None = None, limit: int = 100) -> Sequence[Delivery]:
        """Return messages that are not delivered, oldest first, at most ``limit`` of each route."""
        waiting: list[sa.ColumnElement[bool]] = [DeliveryRow.delivered.is_(False)]
        if due is not None:
            waiting.append(DeliveryRow.next_at <= due)
        place = sa.func.row_number().over(
            partition_by=DeliveryRow.route, order_by=(DeliveryRow.created_at, DeliveryRow.delivery_id)
        )
        first = sa.select(DeliveryRow.record, DeliveryRow.created_at, place.label("place")).where(*waiting)
        found = first.subquery()
        query = sa.select(found.c.record).where(found.c.place <= limit)
        return self._read(query.order_by(found.c.created_at, found.c.place), Delivery)

    def settle(self, delivery: Delivery) -> None:
        """Write what came of an attempt to deliver."""
        with self._database.session() as session:
            put_delivery(session, delivery)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Remember a sign of life."""
        with self._database.session() as session:
            put_beat(session, heartbeat)

    def beats(self) -> Mapping[str, Heartbeat]:
        """Return the newest sign of life of each job."""
        found = self._read(sa.select(HeartbeatRow.record).order_by(HeartbeatRow.job), Heartbeat)
        return {one.job: one for one in found}

    def _read(self, query: sa.Select[str], record_type: type[_R]) -> list[_R]:
        with self._database.reading() as session:
            return [record_type.model_validate_json(text) for text in session.scalars(query)]


def is_blocked(session: Session, model: str, version: str) -> bool:
    """Tell whether an alert that blocks a version's promotion stands open. Other versions, a retrained one say, are free."""
    query = sa.select(AlertRow.record).where(
        AlertRow.subject == model, AlertRow.blocks.is_(True), AlertRow.status != "closed"
    )
    return any(Alert.model_validate_json(text).version in {"", version} for text in session.scalars(query))


def given_order(session: Session, response_id: str) -> Response | None:
    """Return an order as it was given, pending or done; None where there is none of this id."""
    text = session.scalar(sa.select(ResponseRow.record).where(ResponseRow.response_id == response_id))
    return None if text is None else Response.model_validate_json(text)


def _check(session: Session, identity: str) -> DriftReport | None:
    text = session.scalar(sa.select(DriftReportRow.record).where(DriftReportRow.identity == identity))
    return None if text is None else DriftReport.model_validate_json(text)

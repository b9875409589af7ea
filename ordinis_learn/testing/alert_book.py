"""An alert book in memory, for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ordinis_learn.errors import DataMissing
from ordinis_learn.ports import AlertPlan, Clock
from ordinis_learn.records import (
    Actor,
    Alert,
    AlertChanges,
    AlertFact,
    Delivery,
    DriftReport,
    Envelope,
    Heartbeat,
    LedgerNote,
    Response,
    drift_alerted,
    retrain_requested,
)

__all__ = ["InMemoryAlertBook"]


class InMemoryAlertBook:
    """Keeps everything in dictionaries; forgotten with the process.

    See :class:`ordinis_learn.ports.AlertBook` for the contract. ``events`` holds what would be in the outbox, ``notes``
    (subject, action, actor, body) what would be in the ledger.
    """

    def __init__(self, *, clock: Clock, env: str = "dev") -> None:
        self._clock = clock
        self._env = env
        self._checks: dict[str, tuple[DriftReport, date | None]] = {}
        self._runs: dict[str, str] = {}
        self._alerts: dict[str, Alert] = {}
        self._facts: dict[str, AlertFact] = {}
        self._responses: dict[str, Response] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._beats: dict[str, Heartbeat] = {}
        self.events: list[Envelope] = []
        self.notes: list[tuple[str, str, Actor, dict[str, Any]]] = []

    def check(self, identity: str) -> DriftReport | None:
        """Return the drift check of a window; None where it was not made."""
        return self._checks[identity][0] if identity in self._checks else None

    def add_check(
        self, report: DriftReport, *, identity: str, session: date | None, plan: AlertPlan, actor: Actor
    ) -> DriftReport:
        """Remember a check with what follows from it; return the one that stands."""
        if identity not in self._checks:
            changes = plan(self.alerts(report.model))
            self._checks[identity] = (report, session)
            self._write(report.model, changes, actor=actor)
        return self._checks[identity][0]

    def last_session(self, model: str, version: str) -> date | None:
        """Return the newest session that a daily check of a version was for."""
        return max((session for session, _ in self._daily(model, version)), default=None)

    def checks(self, model: str, version: str, *, newest: int) -> Sequence[DriftReport]:
        """Return the newest daily checks of a version, oldest of them first."""
        daily = sorted(self._daily(model, version), key=lambda pair: pair[0])
        return [report for _, report in daily[-newest:]] if newest else []

    def unlogged(self) -> Sequence[tuple[str, DriftReport]]:
        """Return the checks, with their identities, that no run is known of."""
        return [(key, report) for key, (report, _) in self._checks.items() if key not in self._runs]

    def mark_logged(self, identity: str, *, run_id: str) -> None:
        """Remember which run shows a check; the first answer stays."""
        if identity in self._checks:
            self._runs.setdefault(identity, run_id)

    def change(self, subject: str, plan: AlertPlan, *, actor: Actor) -> AlertChanges:
        """Carry a plan out; return what it said."""
        changes = plan(self.alerts(subject))
        self._write(subject, changes, actor=actor)
        return changes

    def finish(self, response: Response, plan: AlertPlan, *, actor: Actor) -> bool:
        """Mark an order as done together with a plan's changes; False where it was done before."""
        known = self._responses.get(response.response_id)
        if known is not None and known.status == "done":
            return False
        changes = plan(self.alerts(response.model)) + AlertChanges(responses=(response,))
        self._write(response.model, changes, actor=actor)
        return True

    def defer(self, response: Response, note: LedgerNote, *, actor: Actor) -> bool:
        """Write why a pending order has to wait; False where that is known or it is done."""
        known = self._responses.get(response.response_id)
        if known is None or known.status == "done" or known.outcome == response.outcome:
            return False
        self._responses[response.response_id] = known.model_copy(update={"outcome": response.outcome})
        self.notes.append((response.model, note.action, actor, note.body))
        return True

    def alerts(self, subject: str | None = None, *, closed: bool = False) -> Sequence[Alert]:
        """Return alerts that are open (or all), oldest first."""
        found = [
            one for one in self._alerts.values() if subject in {None, one.subject} and (closed or one.is_open)
        ]
        return sorted(found, key=lambda one: (one.opened_at, one.alert_id))

    def alert(self, prefix: str) -> Alert:
        """Return the alert whose id begins so."""
        found = [one for one in self._alerts.values() if prefix and one.alert_id.startswith(prefix)]
        if len(found) != 1:
            raise DataMissing(
                f"find the alert {prefix!r}",
                found="several alerts have an id that begins so" if found else "no alert has this id",
                next_step="give a whole id",
            )
        return found[0]

    def facts(self, alert_id: str) -> Sequence[AlertFact]:
        """Return what happened to an alert, oldest first."""
        return [one for one in self._facts.values() if one.alert_id == alert_id]

    def responses(self, *, pending: bool) -> Sequence[Response]:
        """Return orders that are pending (or done), oldest first."""
        found = [one for one in self._responses.values() if (one.status == "pending") is pending]
        return sorted(found, key=lambda one: (one.requested_at, one.response_id))

    def deliveries(self, *, due: datetime | None = None, limit: int = 100) -> Sequence[Delivery]:
        """Return messages that are not delivered, oldest first, at most ``limit`` of each route."""
        found = [
            one
            for one in self._deliveries.values()
            if one.delivered_at is None and (due is None or one.next_at <= due)
        ]
        found.sort(key=lambda one: one.created_at)
        by_route = {one.route: [other for other in found if other.route == one.route] for one in found}
        kept = (one for waiting in by_route.values() for one in waiting[:limit])
        return sorted(kept, key=lambda one: one.created_at)

    def settle(self, delivery: Delivery) -> None:
        """Write what came of an attempt to deliver; a message that was delivered stays so."""
        known = self._deliveries.get(delivery.delivery_id)
        if known is not None and known.delivered_at is None:
            self._deliveries[delivery.delivery_id] = delivery

    def beat(self, heartbeat: Heartbeat) -> None:
        """Remember a sign of life."""
        self._beats[heartbeat.job] = heartbeat

    def beats(self) -> Mapping[str, Heartbeat]:
        """Return the newest sign of life of each job."""
        return dict(sorted(self._beats.items()))

    def _daily(self, model: str, version: str) -> list[tuple[date, DriftReport]]:
        return [
            (session, report)
            for report, session in self._checks.values()
            if session is not None and (report.model, report.version) == (model, version)
        ]

    def _write(self, subject: str, changes: AlertChanges, *, actor: Actor) -> None:
        self._alerts |= {one.alert_id: one for one in changes.alerts}
        for fact in changes.facts:
            self._facts.setdefault(fact.fact_id, fact)
        for delivery in changes.deliveries:
            self._deliveries.setdefault(delivery.delivery_id, delivery)
        new = {one.response_id for one in changes.responses} - self._responses.keys()
        for response in changes.responses:
            self._put_response(response)
        told = {event.event_id for event in self.events}
        for alert in changes.drift_alerts:
            event = drift_alerted(alert, at=self._clock(), env=self._env)
            if event.event_id not in told:
                self.events.append(event)
        told_now = (note for note in changes.notes if note.order in {"", *new})
        self.notes.extend((subject, note.action, actor, note.body) for note in told_now)

    def _put_response(self, response: Response) -> None:
        known = self._responses.get(response.response_id)
        if known is None and response.action == "request_retrain":
            self.events.append(retrain_requested(response, at=self._clock(), env=self._env))
        if known is None or (known.status == "pending" and response.status == "done"):
            self._responses[response.response_id] = response

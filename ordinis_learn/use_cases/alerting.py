"""Open, acknowledge and close alerts by the response policy in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from ordinis_learn.alerts import (
    Context,
    DriftSighting,
    ResponsePolicy,
    Sighting,
    acknowledge,
    escalate,
    load_response_policy,
    on_drift_check,
    raise_alert,
    resolve,
)
from ordinis_learn.alerts.schedule import Schedule
from ordinis_learn.drift import alerts_for
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Actor, Alert, AlertChanges, AlertKind, DriftReport, ModelType
from ordinis_learn.settings import Settings
from ordinis_learn.workbench import Workbench

__all__ = [
    "acknowledge_alert",
    "alert_context",
    "desk_actor",
    "drift_schedule",
    "escalate_alerts",
    "remember",
    "resolve_alerts",
    "response_policy",
    "sight",
]


def response_policy(settings: Settings) -> ResponsePolicy:
    """Return the response policy in force; ConfigInvalid or PolicyMissing where it cannot be read."""
    return load_response_policy(settings.learn_response_policy, folder=settings.home / "policies")


def drift_schedule(settings: Settings) -> Schedule:
    """Return when the daily drift check is due."""
    delay = timedelta(minutes=settings.learn_watch_delay_minutes)
    return Schedule(calendar=settings.learn_watch_calendar, delay=delay)


def desk_actor(bench: Workbench) -> Actor:
    """Return who acts here: the settings' name, which nothing has proven."""
    return Actor(name=bench.settings.actor, kind="claimed")


def alert_context(bench: Workbench) -> Context:
    """Return what decisions about alerts are made with, at this moment."""
    settings = bench.settings
    return Context(
        policy=response_policy(settings),
        now=bench.clock(),
        by=settings.actor,
        runbook_url=settings.learn_runbook_url,
        is_told=settings.learn_alert_url is not None,
    )


def remember(
    bench: Workbench,
    report: DriftReport,
    *,
    model_type: ModelType | None,
    identity: str,
    session: date | None,
) -> DriftReport:
    """Remember a drift check together with what follows from it; return the one that stands."""
    context = alert_context(bench)
    days = max(context.policy.persistence.warning.n, context.policy.persistence.critical.n)
    history: Sequence[DriftReport] = ()
    if session is not None:
        history = bench.alerts.checks(report.model, report.version, newest=days - 1)
    seen = DriftSighting(
        report=report,
        raised=alerts_for(report),
        identity=identity,
        history=history,
        daily=session is not None,
        model_type=model_type,
    )

    def plan(standing: Sequence[Alert]) -> AlertChanges:
        return on_drift_check(standing, seen, context=context)

    return bench.alerts.add_check(
        report, identity=identity, session=session, plan=plan, actor=desk_actor(bench)
    )


def sight(bench: Workbench, seen: Sighting) -> AlertChanges:
    """Open an alert about something that was seen, or count it again."""
    context = alert_context(bench)
    return bench.alerts.change(
        seen.subject,
        lambda standing: raise_alert(standing, seen, context=context),
        actor=desk_actor(bench),
    )


def resolve_alerts(
    bench: Workbench, kind: AlertKind, subject: str, *, why: str, version: str | None = None
) -> None:
    """Close a subject's alerts of a kind; nothing is written where there is none."""
    if any(alert.kind == kind for alert in bench.alerts.alerts(subject)):
        context = alert_context(bench)
        bench.alerts.change(
            subject,
            lambda standing: resolve(standing, kind, why=why, context=context, version=version),
            actor=desk_actor(bench),
        )


def acknowledge_alert(bench: Workbench, prefix: str, *, by: str, comment: str) -> Alert:
    """Note that a named person has an alert in hand.

    Raises
    ------
    DataMissing
        No alert, or several, have an id that begins so.
    ConfigInvalid
        It is closed, or the comment says nothing.
    """
    asked = f"acknowledge the alert {prefix}"
    if not by.strip() or not comment.strip():
        raise ConfigInvalid(
            asked, found="no name, or no comment", next_step="give --by and --comment: the ledger keeps them"
        )
    found = bench.alerts.alert(prefix)
    context = alert_context(bench)
    mine = Context(
        policy=context.policy,
        now=context.now,
        by=by.strip(),
        runbook_url=context.runbook_url,
        is_told=context.is_told,
    )

    def plan(standing: Sequence[Alert]) -> AlertChanges:
        now = [alert for alert in standing if alert.alert_id == found.alert_id]
        return acknowledge(now[0], comment=comment.strip(), context=mine) if now else AlertChanges()

    changes = bench.alerts.change(found.subject, plan, actor=Actor(name=by.strip(), kind="claimed"))
    if not changes.alerts:
        raise ConfigInvalid(
            asked, found="it is closed", next_step="ordinis-learn alerts list shows what is open"
        )
    return changes.alerts[0]


def escalate_alerts(bench: Workbench) -> list[Alert]:
    """Raise what nobody acknowledged in time; return what was raised."""
    context = alert_context(bench)
    types = {artifact.name: artifact.model_type for artifact in bench.catalogue.artifacts()}
    raised: list[Alert] = []
    for subject in dict.fromkeys(alert.subject for alert in bench.alerts.alerts()):
        changes = bench.alerts.change(
            subject,
            lambda standing, subject=subject: escalate(  # type: ignore[misc]
                standing, context=context, model_type=types.get(subject)
            ),
            actor=desk_actor(bench),
        )
        raised.extend(changes.alerts)
    return raised

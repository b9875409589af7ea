"""What is wrong when nothing happens: the dead-man's switch, models that are flat, alerts nobody looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ordinis_learn.alerts import Sighting
from ordinis_learn.alerts.schedule import CLOCKS_DIFFER, DRIFT_JOB
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Alert, State
from ordinis_learn.settings import Settings
from ordinis_learn.use_cases.alerting import (
    drift_schedule,
    escalate_alerts,
    resolve_alerts,
    response_policy,
    sight,
)
from ordinis_learn.use_cases.deliver import deliver_alerts
from ordinis_learn.use_cases.in_use import active_models, unknown_versions
from ordinis_learn.workbench import Workbench

__all__ = [
    "AlertCheck",
    "Missed",
    "check_alerts",
    "missed_check",
    "see_dead_man",
    "see_flat_models",
    "see_unknown_models",
]

_UNKNOWN: Final = "unknown:"
_NEGLECTED: Final = {State.ACTIVE: "checks its drift", State.SHADOW: "scores it or checks its drift"}


@dataclass(frozen=True, kw_only=True)
class AlertCheck:
    """What the check found, in one line, and the open alerts that nobody has acknowledged."""

    said: str
    unacknowledged: tuple[Alert, ...]


def check_alerts(bench: Workbench) -> AlertCheck:
    """Evaluate what needs no market data, escalate what is overdue, and deliver what waits."""
    alive = see_dead_man(bench)
    see_flat_models(bench)
    see_unknown_models(bench)
    escalate_alerts(bench)
    delivered = deliver_alerts(bench)
    return AlertCheck(
        said=f"{alive}; {delivered.sent} messages sent, {delivered.waiting} wait",
        unacknowledged=tuple(alert for alert in bench.alerts.alerts() if alert.status == "open"),
    )


def see_dead_man(bench: Workbench) -> str:
    """Alert where a session's daily drift check has been due for longer than the policy's grace and none has ended since.

    A sign from the future, more than clocks differ by, is as bad as none: a clock has jumped, and nobody can tell. Where no
    calendar says what is due, the policy's hours count by the clock on the wall: silence is no answer.
    """
    beat = bench.alerts.beats().get(DRIFT_JOB)
    now = bench.clock()
    if beat is None:
        names = active_models(bench)
        if not names:
            return "nothing is active, so no drift check is missed"
        summary = f"no drift check has ever come to its end, and {', '.join(names)} is active"
        _missed(bench, summary, source=f"never:{now.date()}")
        return summary
    age = now - beat.at
    if age < -CLOCKS_DIFFER:
        summary = f"the last drift check is dated {beat.at:%Y-%m-%d %H:%M}Z, which is in the future: a clock has jumped"
        _missed(bench, summary, source=f"{beat.at.isoformat()}:future:{now.date()}")
        return summary
    missed = missed_check(bench.settings, since=beat.at, now=now)
    if missed is not None:
        summary = f"{missed.said}; the last one ended {beat.at:%Y-%m-%d %H:%M}Z"
        _missed(bench, summary, source=f"{beat.at.isoformat()}:{missed.which}")
        return summary
    why = f"a drift check ended {beat.at:%Y-%m-%d %H:%M}Z"
    resolve_alerts(bench, "missed_schedule", "*", why=why)
    return why


@dataclass(frozen=True, kw_only=True)
class Missed:
    """A drift check that was missed: which one, and the same in words."""

    which: str
    said: str


def missed_check(settings: Settings, *, since: datetime, now: datetime) -> Missed | None:
    """Return the newest check that should have ended after ``since``, where there is one."""
    policy = response_policy(settings)
    try:
        due = drift_schedule(settings).missed(since=since, now=now, grace=policy.dead_man_grace)
    except ConfigInvalid as error:
        periods = int((now - since) / timedelta(hours=policy.dead_man_hours))
        said = f"no drift check in {policy.dead_man_hours:g} h, and no calendar says when one is due ({error.found})"
        return Missed(which=str(periods), said=said) if periods else None
    if due is None:
        return None
    return Missed(
        which=str(due.session), said=f"no drift check of {due.session}, due {due.at:%Y-%m-%d %H:%M}Z"
    )


def see_flat_models(bench: Workbench) -> list[str]:
    """Alert for each model that traded and has nothing active; close the alerts of those that have again."""
    flat: list[str] = []
    for name, standing in bench.registry.standings().items():
        if standing.incumbent is None or standing.active is not None:
            resolve_alerts(bench, "flat", name, why="a version is active")
            continue
        flat.append(name)
        sight(bench, flat_sighting(bench, name, traded=standing.incumbent))
    return flat


def see_unknown_models(bench: Workbench) -> list[str]:
    """Alert for each version in use that nobody can check, because the catalogue does not know it; close the others."""
    unknown = unknown_versions(bench)
    for alert in bench.alerts.alerts():
        if alert.last_source.startswith(_UNKNOWN) and (alert.subject, alert.version) not in unknown:
            why = "it is known to the catalogue, or not in use any more"
            resolve_alerts(bench, "check_failed", alert.subject, version=alert.version, why=why)
    for (name, version), state in sorted(unknown.items()):
        sight(bench, _unknown_sighting(bench, name, version, state=state))
    return [f"{name} v{version}" for name, version in sorted(unknown)]


def _unknown_sighting(bench: Workbench, name: str, version: str, *, state: State) -> Sighting:
    return Sighting(
        kind="check_failed",
        subject=name,
        version=version,
        severity="critical" if state is State.ACTIVE else "warning",
        summary=f"{name} v{version} is {state.value} and nobody {_NEGLECTED[state]}: it was registered by another door and is not "
        f"in the catalogue; next: ordinis-learn models adopt {name} {version}",
        source=f"{_UNKNOWN}{version}:{state.value}:{bench.clock().date()}",
    )


def flat_sighting(bench: Workbench, name: str, *, traded: str) -> Sighting:
    """Return the sighting of a flat model; the record that made it flat is its source, so it counts once."""
    moves = [record for record in bench.ledger.history(name) if "pointers" in record.body]
    since = f" since {moves[-1].at:%Y-%m-%d %H:%M}Z" if moves else ""
    return Sighting(
        kind="flat",
        subject=name,
        severity="critical",
        summary=f"{name} is FLAT: v{traded} traded last, and nothing is active{since}",
        source=f"flat:{moves[-1].sequence if moves else 0}",
    )


def _missed(bench: Workbench, summary: str, *, source: str) -> None:
    seen = Sighting(kind="missed_schedule", subject="*", severity="critical", summary=summary, source=source)
    sight(bench, seen)

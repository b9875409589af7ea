"""Say whether the monitor gives signs of life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from ordinis_learn.alerts import ResponsePolicy
from ordinis_learn.alerts.schedule import CLOCKS_DIFFER, DRIFT_JOB
from ordinis_learn.errors import LearnError
from ordinis_learn.ports import Clock
from ordinis_learn.records import Alert, Heartbeat
from ordinis_learn.settings import Settings
from ordinis_learn.use_cases.alert_check import missed_check
from ordinis_learn.use_cases.alerting import response_policy
from ordinis_learn.use_cases.diagnose_registry import RegistryLook

__all__ = ["monitor_trouble"]


def monitor_trouble(settings: Settings, look: RegistryLook, *, clock: Clock) -> list[tuple[str, str, str]]:
    """Return subject, what was found, and what to type, which is empty where nothing is to be done.

    A home whose drift was never checked is not scolded for it: the dead-man's switch of ``ordinis-learn alerts check`` knows
    whether something is active.
    """
    try:
        policy = response_policy(settings)
    except LearnError as error:
        return [("response policy", error.found, error.next_step)]
    found = [("response policy", f"{policy.policy_id}, hash {policy.policy_hash[:12]}", "")]
    if not look.in_use:
        return found  # not made yet, a schema from before, or the finding on the database itself says why
    return [
        *found,
        _drift(settings, look.beats, clock),
        _drill(look.beats, policy, clock),
        _open(look.alerts),
    ]


def _drift(settings: Settings, beats: Mapping[str, Heartbeat], clock: Clock) -> tuple[str, str, str]:
    beat, now = beats.get(DRIFT_JOB), clock()
    if beat is None:
        return "drift check", "none so far", "ordinis-learn drift run --all, daily; docs/operations.md"
    found = f"last at {beat.at:%Y-%m-%d %H:%M}Z: {beat.said}"
    missed = missed_check(settings, since=beat.at, now=now)
    if missed is None and beat.at <= now + CLOCKS_DIFFER:
        return "drift check", found, ""
    why = f"; {missed.said}" if missed else ", which is in the future: a clock has jumped"
    step = "see why the daily job does not run; then ordinis-learn watch --once"
    return "drift check", found + why, step


def _drill(beats: Mapping[str, Heartbeat], policy: ResponsePolicy, clock: Clock) -> tuple[str, str, str]:
    beat = beats.get("drill")
    if beat is None:
        return "rollback drill", "none so far", "ordinis-learn drill"
    late = clock() - beat.at >= timedelta(days=policy.drill_every_days)
    found = f"last at {beat.at:%Y-%m-%d %H:%M}Z: {beat.said}"
    return "rollback drill", found, "ordinis-learn drill" if late else ""


def _open(alerts: Sequence[Alert]) -> tuple[str, str, str]:
    waiting = sum(alert.status == "open" for alert in alerts)
    found = f"{len(alerts)} open, {waiting} of them acknowledged by nobody" if alerts else "none open"
    return "alerts", found, "ordinis-learn alerts list" if waiting else ""

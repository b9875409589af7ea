"""Say whether the monitor gives signs of life, from what lies on disk; nothing is opened for writing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Final

from ordinis_learn.alerts import ResponsePolicy
from ordinis_learn.errors import LearnError
from ordinis_learn.ports import Clock
from ordinis_learn.records import Alert, Heartbeat
from ordinis_learn.settings import Settings
from ordinis_learn.use_cases.alerting import response_policy

__all__ = ["monitor_trouble"]

_ALERTS: Final = "SELECT record FROM learn_alerts WHERE status != 'closed' ORDER BY opened_at"
_BEATS: Final = "SELECT record FROM learn_heartbeats"


def monitor_trouble(settings: Settings, *, clock: Clock) -> list[tuple[str, str, str]]:
    """Return subject, what was found, and what to type, which is empty where nothing is to be done.

    A home whose drift was never checked is not scolded for it: the dead-man's switch of ``ordinis-learn alerts check`` knows
    whether something is active.
    """
    try:
        policy = response_policy(settings)
    except LearnError as error:
        return [("response policy", error.found, error.next_step)]
    found = [("response policy", f"{policy.policy_id}, hash {policy.policy_hash[:12]}", "")]
    if not settings.database_path.exists():
        return found
    try:
        uri = f"file:{settings.database_path}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            beats = [Heartbeat.model_validate_json(text) for (text,) in connection.execute(_BEATS)]
            alerts = [Alert.model_validate_json(text) for (text,) in connection.execute(_ALERTS)]
    except sqlite3.Error:
        return found  # a schema from before, or the finding on the database itself says why
    by_job = {beat.job: beat for beat in beats}
    return [*found, _drift(by_job, policy, clock), _drill(by_job, policy, clock), _open(alerts)]


def _drift(beats: dict[str, Heartbeat], policy: ResponsePolicy, clock: Clock) -> tuple[str, str, str]:
    beat = beats.get("drift")
    if beat is None:
        return "drift check", "none so far", "ordinis-learn drift run --all, daily; docs/operations.md"
    late = not timedelta(minutes=-5) <= clock() - beat.at < timedelta(hours=policy.dead_man_hours)
    step = "see why the daily job does not run; then ordinis-learn watch --once" if late else ""
    return "drift check", f"last at {beat.at:%Y-%m-%d %H:%M}Z: {beat.said}", step


def _drill(beats: dict[str, Heartbeat], policy: ResponsePolicy, clock: Clock) -> tuple[str, str, str]:
    beat = beats.get("drill")
    if beat is None:
        return "rollback drill", "none so far", "ordinis-learn drill"
    late = clock() - beat.at >= timedelta(days=policy.drill_every_days)
    found = f"last at {beat.at:%Y-%m-%d %H:%M}Z: {beat.said}"
    return "rollback drill", found, "ordinis-learn drill" if late else ""


def _open(alerts: list[Alert]) -> tuple[str, str, str]:
    waiting = sum(alert.status == "open" for alert in alerts)
    found = f"{len(alerts)} open, {waiting} of them acknowledged by nobody" if alerts else "none open"
    return "alerts", found, "ordinis-learn alerts list" if waiting else ""

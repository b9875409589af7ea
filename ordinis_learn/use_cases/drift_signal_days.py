"""The sessions of a signal model that the daily drift check is due for, and those that nobody signalled on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow.compute as pc

from ordinis_learn.alerts import Sighting
from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.labelling.calendar import SessionCalendar, load_calendar
from ordinis_learn.records import DECLARED, DatasetManifest, DriftReport, ModelArtifact, Topic
from ordinis_learn.use_cases.alerting import resolve_alerts, sight
from ordinis_learn.use_cases.daily_plan import DailyPlan
from ordinis_learn.use_cases.drift import check_model_drift
from ordinis_learn.use_cases.drift_reference import reference_manifest
from ordinis_learn.workbench import Workbench

__all__ = ["plan_signals"]

_RECENT: Final = timedelta(days=45)


def plan_signals(bench: Workbench, artifact: ModelArtifact, *, dataset: str | None, seed: int) -> DailyPlan:
    """Plan the sessions that have closed and have signals, after the last check of a signal model."""
    reference = _reference_name(bench, artifact, dataset)
    due = _due(bench, artifact, reference_manifest(bench, artifact, reference))
    return DailyPlan(
        sessions=due.sessions,
        check=lambda session: _check(bench, artifact, due, session=session, dataset=reference, seed=seed),
        nothing=f"nothing new since {due.last}" if due.last else "no signals were captured",
        afterwards=lambda: _see_empty_days(bench, artifact, due),
    )


@dataclass(frozen=True, kw_only=True)
class _Due:
    """The sessions to check, those that closed since without a signal, and how many in a row are usual."""

    last: date | None
    sessions: tuple[date, ...]
    empty: tuple[date, ...]
    usual: int
    calendar: SessionCalendar


def _due(bench: Workbench, artifact: ModelArtifact, manifest: DatasetManifest) -> _Due:
    """Compare the sessions that have closed with those that have signals, after the last check.

    A version that was never checked begins at the newest session that has signals: what lies before is the past of another.
    """
    now = bench.clock()
    last = bench.alerts.last_session(artifact.name, artifact.version)
    first = last or _newest_signal(bench, now=now)
    calendar = load_calendar(
        manifest.window.calendar,
        start=(first or now.date()) - timedelta(days=2 * bench.settings.learn_drift_window_sessions + 14),
        end=now.date() + timedelta(days=7),
    )
    if first is None:
        return _Due(last=None, sessions=(), empty=(), usual=0, calendar=calendar)
    micros = int(now.timestamp() * 1_000_000)
    closed = [_day(number) for number in calendar.day[calendar.closes <= micros]]
    after = [session for session in closed if session > first or (last is None and session >= first)]
    signalled = _sessions_with_signals(
        bench, manifest, first=_day(calendar.day[0]), last=max(after, default=first)
    )
    captured = [session for session in after if session in signalled]
    if last is None:
        captured = captured[-1:]
    newest = max(captured, default=last)
    return _Due(
        last=last,
        sessions=tuple(captured),
        empty=tuple(session for session in closed if newest is not None and session > newest),
        usual=_longest_gap(closed, signalled),
        calendar=calendar,
    )


def _check(
    bench: Workbench,
    artifact: ModelArtifact,
    due: _Due,
    *,
    session: date,
    dataset: str | None,
    seed: int,
) -> DriftReport:
    days = [_day(number) for number in due.calendar.day]
    place = days.index(session)
    start = days[max(0, place - bench.settings.learn_drift_window_sessions + 1)]
    return check_model_drift(
        bench,
        artifact.name,
        version=artifact.version,
        dataset=dataset,
        start=start,
        end=session,
        seed=seed,
        session=session,
    )


def _see_empty_days(bench: Workbench, artifact: ModelArtifact, due: _Due) -> None:
    """Alert where more sessions closed without a signal than ever before in the recent past; a holiday is no session.

    A desk that signals daily is missed after one session, one that signals weekly after five.
    """
    newest = max(due.sessions, default=due.last)
    if len(due.empty) <= due.usual:
        if due.sessions:
            resolve_alerts(bench, "no_signals", artifact.name, why=f"signals were captured for {newest}")
        return
    seen = Sighting(
        kind="no_signals",
        subject=artifact.name,
        severity="warning",
        summary=f"no signals were captured for {len(due.empty)} closed sessions since {newest}, the last of them "
        f"{due.empty[-1]}; {due.usual} in a row are usual",
        source=f"{due.empty[-1]}",
    )
    sight(bench, seen)


def _longest_gap(closed: Sequence[date], signalled: frozenset[date]) -> int:
    """Return the most closed sessions in a row without a signal that were followed by one with some."""
    longest = gap = 0
    seen = False
    for session in closed:
        if session in signalled:
            longest, gap, seen = max(longest, gap), 0, True
        elif seen:
            gap += 1
    return longest


def _sessions_with_signals(
    bench: Workbench, manifest: DatasetManifest, *, first: date, last: date
) -> frozenset[date]:
    window = manifest.window.model_copy(update={"start": first, "end": last, "as_of": None})
    rows = assemble(bench.log, window=window).table
    return frozenset(pc.unique(rows["session"]).to_pylist()) if rows.num_rows else frozenset()


def _newest_signal(bench: Workbench, *, now: datetime) -> date | None:
    """Return the day of the newest signal that is not from the future, less a week: its session lies behind it."""
    for start in (now - _RECENT, None):
        told = bench.log.read_columns(Topic.SIGNAL, start=start, end=now + timedelta(seconds=1))["ts_event"]
        if len(told):
            newest = np.asarray(told.to_numpy()).max()
            moment = datetime.fromtimestamp(newest.astype("datetime64[s]").astype(int).item(), tz=UTC)
            return moment.date() - timedelta(days=7)
    return None


def _reference_name(bench: Workbench, artifact: ModelArtifact, dataset: str | None) -> str | None:
    """Return the reference of a declared model; fitted ones have their own."""
    declared = artifact.data_snapshot_ref == DECLARED
    return (dataset or bench.settings.learn_drift_dataset) if declared else None


def _day(number: int | np.int64) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))

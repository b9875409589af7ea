"""The daily drift check: every session since the last one, in order, each exactly once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import numpy as np
import pyarrow.compute as pc

from ordinis_learn.alerts import Sighting
from ordinis_learn.alerts.schedule import DRIFT_JOB
from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.errors import ArtifactMissing, LearnError
from ordinis_learn.labelling.calendar import SessionCalendar, load_calendar
from ordinis_learn.records import (
    DECLARED,
    DatasetManifest,
    DriftReport,
    Heartbeat,
    ModelArtifact,
    ModelType,
    State,
    Topic,
)
from ordinis_learn.use_cases.alerting import resolve_alerts, sight
from ordinis_learn.use_cases.answer_drift_daily import check_answers_of, due_answers
from ordinis_learn.use_cases.drift import check_model_drift
from ordinis_learn.use_cases.drift_reference import reference_manifest
from ordinis_learn.use_cases.drift_runs import log_missing
from ordinis_learn.use_cases.in_use import in_use
from ordinis_learn.workbench import Workbench

__all__ = ["DRIFT_JOB", "DailyCheck", "run_daily_drift", "watched_versions"]

_LOGGER: Final = logging.getLogger(__name__)
_RECENT: Final = timedelta(days=45)
_WATCHED: Final = frozenset({State.ACTIVE, State.SHADOW})
_CHECKED: Final = frozenset({ModelType.SIGNAL_MODEL, ModelType.PROMPT_PACK})


@dataclass(frozen=True, kw_only=True)
class DailyCheck:
    """What came of one session of one version; ``session`` is None where it did not come to a check."""

    model: str
    version: str
    session: date | None
    outcome: Literal["checked", "nothing", "failed"]
    said: str
    report: DriftReport | None = None


def watched_versions(bench: Workbench, *, name: str | None = None) -> list[ModelArtifact]:
    """Return the signal models and prompt packs that are ACTIVE or in SHADOW, all or those of a name.

    What the catalogue does not know cannot be checked; :func:`~ordinis_learn.use_cases.alert_check.see_unknown_models` alerts.
    """
    used = in_use(bench)
    return [
        artifact
        for artifact in bench.catalogue.artifacts(name)
        if artifact.model_type in _CHECKED and used.get((artifact.name, artifact.version)) in _WATCHED
    ]


def run_daily_drift(
    bench: Workbench, *, name: str | None = None, dataset: str | None = None, seed: int = 7
) -> list[DailyCheck]:
    """Check every watched version for each session since its last check; go on where one fails.

    A failure, and sessions without signals, are alerts; they are looked at again the next time. The heartbeat says that the job
    came to its end, whatever it found.

    Parameters
    ----------
    name : str, optional
        One model; default: all.
    dataset : str, optional
        The reference of declared models; default ``LEARN_DRIFT_DATASET``.

    Raises
    ------
    ArtifactMissing
        No model of that name was ever registered here.
    """
    if name is not None and not bench.catalogue.artifacts(name):
        raise ArtifactMissing(
            f"check the drift of {name!r}", found="no model of this name", next_step="ordinis-learn models"
        )
    log_missing(bench)
    done: list[DailyCheck] = []
    for artifact in watched_versions(bench, name=name):
        done.extend(_catch_up(bench, artifact, dataset=dataset, seed=seed))
    if name is None:
        _beat(bench, done)
    return done


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """The sessions of a version to check, how, why there may be none, and what is looked at when all went well."""

    sessions: tuple[date, ...]
    check: Callable[[date], DriftReport]
    nothing: str
    afterwards: Callable[[], None]


def _catch_up(
    bench: Workbench, artifact: ModelArtifact, *, dataset: str | None, seed: int
) -> list[DailyCheck]:
    """Check a version's sessions in order; the first that fails ends it, so that none is left out."""
    done: list[DailyCheck] = []
    session: date | None = None
    try:
        if artifact.model_type is ModelType.PROMPT_PACK:
            plan = _plan_answers(bench, artifact, seed=seed)
        else:
            plan = _plan_signals(bench, artifact, dataset=dataset, seed=seed)
        for session in plan.sessions:
            done.append(_checked(artifact, plan.check(session), session=session))
    except LearnError as error:
        _LOGGER.warning("the drift check of %s v%s failed: %s", artifact.name, artifact.version, error)
        sight(bench, _failure(artifact, error, session=session, on=bench.clock().date()))
        done.append(_outcome(artifact, session=session, outcome="failed", said=str(error)))
        return done
    resolve_alerts(
        bench, "check_failed", artifact.name, version=artifact.version, why="a check has succeeded"
    )
    plan.afterwards()
    return done or [_outcome(artifact, session=None, outcome="nothing", said=plan.nothing)]


def _plan_answers(bench: Workbench, artifact: ModelArtifact, *, seed: int) -> _Plan:
    due = due_answers(bench, artifact)
    return _Plan(
        sessions=due.days,
        check=lambda day: check_answers_of(bench, artifact, due, day=day, seed=seed),
        nothing=due.nothing,
        afterwards=lambda: None,  # who asks a language model nothing for a day has lost nothing
    )


def _plan_signals(bench: Workbench, artifact: ModelArtifact, *, dataset: str | None, seed: int) -> _Plan:
    reference = _reference_name(bench, artifact, dataset)
    due = _due(bench, artifact, reference_manifest(bench, artifact, reference))
    return _Plan(
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


def _checked(artifact: ModelArtifact, report: DriftReport, *, session: date) -> DailyCheck:
    breaches = sum(finding.severity in {"warning", "critical"} for finding in report.findings)
    said = f"{breaches} of {len(report.findings)} findings breached" if report.breached else "no breach"
    return _outcome(artifact, session=session, outcome="checked", said=said, report=report)


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


def _failure(artifact: ModelArtifact, error: LearnError, *, session: date | None, on: date) -> Sighting:
    return Sighting(
        kind="check_failed",
        subject=artifact.name,
        version=artifact.version,
        severity="warning",
        summary=f"the drift check of {artifact.name} v{artifact.version} failed: {error}",
        source=f"{artifact.version}:{session}:{error.code}:{on}",
    )


def _beat(bench: Workbench, done: Sequence[DailyCheck]) -> None:
    now = bench.clock()
    bad = [check for check in done if check.outcome == "failed"]
    before = bench.alerts.beats().get(DRIFT_JOB)
    sessions = [check.session for check in done if check.session is not None and check not in bad]
    through = str(max(sessions)) if sessions else (before.through if before else "")
    bench.alerts.beat(
        Heartbeat(
            job=DRIFT_JOB,
            at=now,
            ok_at=now if not bad else (before.ok_at if before else None),
            through=through,
            said=f"{len(done) - len(bad)} done, {len(bad)} failed",
        )
    )


def _outcome(
    artifact: ModelArtifact,
    *,
    session: date | None,
    outcome: Literal["checked", "nothing", "failed"],
    said: str,
    report: DriftReport | None = None,
) -> DailyCheck:
    return DailyCheck(
        model=artifact.name,
        version=artifact.version,
        session=session,
        outcome=outcome,
        said=said,
        report=report,
    )


def _day(number: int | np.int64) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))

"""The daily drift check: every session since the last one, in order, each exactly once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from ordinis_learn.alerts import Sighting
from ordinis_learn.alerts.schedule import DRIFT_JOB
from ordinis_learn.errors import ArtifactMissing, LearnError
from ordinis_learn.records import DriftReport, Heartbeat, ModelArtifact, ModelType, State
from ordinis_learn.use_cases.alerting import resolve_alerts, sight
from ordinis_learn.use_cases.answer_drift_daily import plan_answers
from ordinis_learn.use_cases.daily_plan import DailyPlan
from ordinis_learn.use_cases.drift_runs import log_missing
from ordinis_learn.use_cases.drift_signal_days import plan_signals
from ordinis_learn.use_cases.in_use import in_use, unknown_versions
from ordinis_learn.use_cases.query_drift_daily import plan_queries
from ordinis_learn.workbench import Workbench

__all__ = ["DRIFT_JOB", "DailyCheck", "run_daily_drift", "watched_versions"]

_LOGGER: Final = logging.getLogger(__name__)
_WATCHED: Final = frozenset({State.ACTIVE, State.SHADOW})


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
    """Return the versions that are ACTIVE or in SHADOW, all or those of a name.

    What the catalogue does not know cannot be checked; :func:`~ordinis_learn.use_cases.alert_check.see_unknown_models` alerts.
    """
    used = in_use(bench)
    return [
        artifact
        for artifact in bench.catalogue.artifacts(name)
        if used.get((artifact.name, artifact.version)) in _WATCHED
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
        raise _unknown(bench, name)
    log_missing(bench)
    done: list[DailyCheck] = []
    for artifact in watched_versions(bench, name=name):
        done.extend(_catch_up(bench, artifact, dataset=dataset, seed=seed))
    if name is None:
        _beat(bench, done)
    return done


def _unknown(bench: Workbench, name: str) -> ArtifactMissing:
    asked = f"check the drift of {name!r}"
    for of, version in sorted(unknown_versions(bench)):
        if of == name:
            return ArtifactMissing(
                asked,
                found=f"version {version} in the registry, which the catalogue does not know",
                next_step=f"ordinis-learn models adopt {name} {version}",
            )
    return ArtifactMissing(asked, found="no model of this name", next_step="ordinis-learn models")


def _catch_up(
    bench: Workbench, artifact: ModelArtifact, *, dataset: str | None, seed: int
) -> list[DailyCheck]:
    """Check a version's sessions in order; the first that fails ends it, so that none is left out."""
    done: list[DailyCheck] = []
    session: date | None = None
    try:
        plan = _plan(bench, artifact, dataset=dataset, seed=seed)
        for session in plan.sessions:
            done.append(_checked(artifact, plan.check(session), session=session))
        if done:
            resolve_alerts(
                bench, "check_failed", artifact.name, version=artifact.version, why="a check has succeeded"
            )
        plan.afterwards()
    except LearnError as error:
        _LOGGER.warning("the drift check of %s v%s failed: %s", artifact.name, artifact.version, error)
        done.append(_failed(bench, artifact, error, session=session))
    except Exception as error:
        # A defect that one version's rows bring out must not leave the others unchecked, nor the job without a sign of life.
        _LOGGER.exception("the drift check of %s v%s broke off", artifact.name, artifact.version)
        done.append(_failed(bench, artifact, error, session=session))
    return done or [_outcome(artifact, session=None, outcome="nothing", said=plan.nothing)]


def _plan(bench: Workbench, artifact: ModelArtifact, *, dataset: str | None, seed: int) -> DailyPlan:
    if artifact.model_type is ModelType.PROMPT_PACK:
        return plan_answers(bench, artifact, seed=seed)
    if artifact.model_type is ModelType.EMBED_MODEL:
        return plan_queries(bench, artifact, seed=seed)
    return plan_signals(bench, artifact, dataset=dataset, seed=seed)


def _checked(artifact: ModelArtifact, report: DriftReport, *, session: date) -> DailyCheck:
    breaches = sum(finding.severity in {"warning", "critical"} for finding in report.findings)
    said = f"{breaches} of {len(report.findings)} findings breached" if report.breached else "no breach"
    return _outcome(artifact, session=session, outcome="checked", said=said, report=report)


def _failed(
    bench: Workbench, artifact: ModelArtifact, error: Exception, *, session: date | None
) -> DailyCheck:
    """Alert about a check that could not be made; the next one that succeeds closes the alert."""
    code, said = type(error).__name__, f"{type(error).__name__}: {error}"
    if isinstance(error, LearnError):
        code, said = error.code, str(error)
    sighting = Sighting(
        kind="check_failed",
        subject=artifact.name,
        version=artifact.version,
        severity="warning",
        summary=f"the drift check of {artifact.name} v{artifact.version} failed: {said}",
        source=f"{artifact.version}:{session}:{code}:{bench.clock().date()}",
    )
    sight(bench, sighting)
    return _outcome(artifact, session=session, outcome="failed", said=said)


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

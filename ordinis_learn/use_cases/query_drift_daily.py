"""The days on which an embedding model's queries are due for a check."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import Final

from ordinis_learn.records import DECLARED, DatasetManifest, DriftReport, ModelArtifact
from ordinis_learn.use_cases.daily_plan import DailyPlan
from ordinis_learn.use_cases.query_drift import asked_queries, check_query_drift
from ordinis_learn.workbench import Workbench

__all__ = ["plan_queries"]

_FEWEST_DAYS: Final = 5
"""With queries, before a version is checked for the first time."""


def plan_queries(bench: Workbench, artifact: ModelArtifact, *, seed: int) -> DailyPlan:
    """Plan the whole UTC days with queries after the last check, and after the training's last one.

    A version that was never checked begins at the newest such day. One that was trained on nothing has nothing to be compared with.

    Raises
    ------
    DataMissing
        The catalogue does not know the dataset that the version was trained on.
    """
    if artifact.data_snapshot_ref == DECLARED:
        return _nothing(
            "it was registered without a training (epochs 0), so there is nothing to compare queries with"
        )
    manifest = bench.catalogue.dataset(artifact.data_snapshot_ref)
    days = _days_since(bench, manifest)
    if len(days) < _FEWEST_DAYS:
        return _nothing(f"{_FEWEST_DAYS - len(days)} days of queries since {manifest.window.end} are missing")
    last = bench.alerts.last_session(artifact.name, artifact.version)
    due = days[-1:] if last is None else [day for day in days if day > last]

    def check(day: date) -> DriftReport:
        window = [known for known in days if known <= day][-bench.settings.learn_drift_window_sessions :]
        return check_query_drift(bench, artifact, start=window[0], end=day, session=day, seed=seed)

    return DailyPlan(sessions=tuple(due), check=check, nothing="no new day with queries")


def _days_since(bench: Workbench, manifest: DatasetManifest) -> list[date]:
    """Return the days with queries after the training dataset's last one that are over."""
    first = manifest.window.end + timedelta(days=1)
    yesterday = bench.clock().astimezone(UTC).date() - timedelta(days=1)
    if yesterday < first:
        return []
    return sorted(set(asked_queries(bench, manifest, start=first, end=yesterday).days))


def _nothing(why: str) -> DailyPlan:
    def check(day: date) -> DriftReport:
        raise ValueError(f"{day} is not planned: {why}")

    return DailyPlan(sessions=(), check=check, nothing=why)

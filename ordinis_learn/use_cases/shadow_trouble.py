"""A shadow that cannot go on is an alert, and the next pass that goes on closes it."""

from __future__ import annotations

from ordinis_learn.alerts import Sighting
from ordinis_learn.errors import DataCorrupt, LearnError, ShadowSetAside
from ordinis_learn.records import ModelArtifact
from ordinis_learn.use_cases.alerting import resolve_alerts, sight
from ordinis_learn.workbench import Workbench

__all__ = ["see_shadow_goes_on", "see_shadow_trouble"]


def see_shadow_trouble(bench: Workbench, artifact: ModelArtifact, error: LearnError) -> None:
    """Alert where a version was set aside or cannot be started; once a day, however often it is tried.

    Another runner at work, or a log that is locked, is no trouble of the version.
    """
    if isinstance(error, (ShadowSetAside, DataCorrupt)):
        sight(
            bench,
            Sighting(
                kind="shadow_stopped",
                subject=artifact.name,
                version=artifact.version,
                severity="warning",
                summary=f"the shadow of {artifact.name} v{artifact.version} is set aside until the next pass: {error.found}; "
                f"next: {error.next_step}",
                source=f"shadow:{bench.clock().date()}",
                model_type=artifact.model_type,
            ),
        )


def see_shadow_goes_on(bench: Workbench, artifact: ModelArtifact) -> None:
    """Close the alert of a version that was scored again."""
    resolve_alerts(
        bench, "shadow_stopped", artifact.name, version=artifact.version, why="a pass has scored its events"
    )

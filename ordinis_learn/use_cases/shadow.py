"""Run a candidate beside the active model over captured sessions, and attest what was seen."""

from __future__ import annotations

from datetime import date

from ordinis_learn.capture import price_history
from ordinis_learn.market import compute_features
from ordinis_learn.models import load_bundle
from ordinis_learn.records import ShadowReport
from ordinis_learn.rollout.shadow import run_shadow
from ordinis_learn.rollout.tags import SHADOW_TAG
from ordinis_learn.use_cases.evaluate import incumbent
from ordinis_learn.use_cases.sign import reference, submit
from ordinis_learn.use_cases.stages import asked_of_artifact, stage
from ordinis_learn.workbench import Workbench

__all__ = ["shadow"]


@stage("shadow", asked=asked_of_artifact)
def shadow(bench: Workbench, artifact_id: str, *, start: date, end: date) -> ShadowReport:
    """Replay the captured sessions from ``start`` to ``end`` through candidate and active model.

    Raises
    ------
    DataMissing
        No captured bars in the span.
    """
    artifact = bench.catalogue.artifact(artifact_id)
    active_ref, active = incumbent(bench, artifact)
    history = price_history(bench.log)
    report = run_shadow(
        load_bundle(bench.registry.local_path(artifact.name, artifact.version)),
        active,
        features=compute_features(history),
        history=history,
        start=start,
        end=end,
        subject=reference(artifact),
        active_ref=active_ref,
        folder=bench.settings.shadow_dir,
        clock=bench.clock,
    )
    submit(bench, "shadow", key=SHADOW_TAG, subject=reference(artifact), predicate=report)
    return report

"""What the tracking server says of the runs behind the versions, where a policy asks for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from mlflow.entities import Run  # noqa: TID253  a leaf, loaded by name
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.rollout.policy import Policy
from ordinis_mlflow._artifacts import ArtifactReader
from ordinis_mlflow._change import Change

__all__ = ["NO_RUNS", "NO_RUN_METRICS", "RunFacts", "read_runs", "run_metrics_named"]

NO_RUN_METRICS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """The metrics that were asked for, of the version's run and of the incumbent's, and who ran the former."""

    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    incumbent: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    user: str = ""


NO_RUNS: Final = RunFacts()


def run_metrics_named(policy: Policy) -> frozenset[str]:
    """Return the run metrics that any rule of a policy is about."""
    return frozenset(
        spec.params["name"]
        for of_type in policy.rules.values()
        for move in (of_type.shadow, of_type.active)
        for spec in (*move.default, *move.first_model)
        if spec.rule == "run_metric"
    )


def read_runs(change: Change, version: str, *, names: frozenset[str], artifacts: ArtifactReader) -> RunFacts:
    """Look up the named metrics; a run that cannot be found has none, and its rule does not pass."""
    if not names:
        return NO_RUNS
    run = _run(change, version, artifacts=artifacts)
    beaten = change.pointers.incumbent
    incumbent = None if beaten in {None, version} else _run(change, str(beaten), artifacts=artifacts)
    return RunFacts(
        metrics=_metrics(run, names),
        incumbent=_metrics(incumbent, names),
        user="" if run is None else str(run.data.tags.get("mlflow.user", run.info.user_id or "")),
    )


def _run(change: Change, version: str, *, artifacts: ArtifactReader) -> Run | None:
    run_id = change.plain.get_model_version(change.bare_name, version).run_id
    if not run_id:
        return None
    try:
        return artifacts.run(run_id)
    except MlflowException:
        return None


def _metrics(run: Run | None, names: frozenset[str]) -> dict[str, float]:
    if run is None:
        return {}
    return {name: value for name, value in run.data.metrics.items() if name in names and math.isfinite(value)}

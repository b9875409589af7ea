"""Rehearse rollbacks on a copy of the registry, and keep what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ordinis_learn.alerts import Sighting
from ordinis_learn.errors import ArtifactMissing
from ordinis_learn.records import Alert, AlertChanges, Drill, Heartbeat, LedgerNote
from ordinis_learn.use_cases.alerting import desk_actor, resolve_alerts, sight
from ordinis_learn.use_cases.in_use import active_models
from ordinis_learn.workbench import Workbench

__all__ = ["DRILL_JOB", "drill"]

DRILL_JOB: Final = "drill"


def drill(bench: Workbench, *, name: str | None = None) -> list[Drill]:
    """Rehearse the rollback of one model, or of every one that is active; each is recorded in the ledger.

    Where it would not leave a model active, that is an alert until a drill succeeds.

    Raises
    ------
    ArtifactMissing
        The model named has nothing active.
    StoreUnavailable
        No copy can be made.
    """
    active = active_models(bench)
    names = [one for one in active if one == name] if name else active
    if name and not names:
        raise ArtifactMissing(
            f"rehearse a rollback of {name!r}",
            found="nothing of it is ACTIVE",
            next_step="ordinis-learn models list",
        )
    done = list(bench.rehearse(names)) if names else []
    for result in done:
        _record(bench, result)
    if name is None:
        said = f"{sum(one.works for one in done)} of {len(done)} would work"
        now = bench.clock()
        bench.alerts.beat(Heartbeat(job=DRILL_JOB, at=now, ok_at=now, said=said))
    return done


def _record(bench: Workbench, result: Drill) -> None:
    note = LedgerNote(action="drill.completed", body=_told(result))

    def plan(_standing: Sequence[Alert]) -> AlertChanges:
        return AlertChanges(notes=(note,))

    bench.alerts.change(result.model, plan, actor=desk_actor(bench))
    if result.works:
        why = f"a drill went back to v{result.to_version}"
        resolve_alerts(bench, "drill_failed", result.model, why=why)
        return
    why = result.error or "; ".join(result.unfit) or "no earlier version was ever active"
    seen = Sighting(
        kind="drill_failed",
        subject=result.model,
        severity="warning",
        summary=f"a rollback of {result.model} from v{result.from_version} would leave nothing active: {why}",
        source=result.at.isoformat(),
    )
    sight(bench, seen)


def _told(result: Drill) -> dict[str, object]:
    told = result.to_json()
    return {"version": told.pop("from_version"), "to": told.pop("to_version"), **told}

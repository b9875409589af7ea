"""Swap what is active for the last known good."""

from __future__ import annotations

from typing import Any

from ordinis_learn.use_cases.stages import Made, Work, artifact_subject, stage
from ordinis_learn.workbench import Workbench

__all__ = ["passed_over", "roll_back"]


def _asked(bench: Workbench, name: str, **_: Any) -> Work:
    """Go on in the trace of the version that is left."""
    active = bench.registry.active_version(name)
    known = [one for one in bench.catalogue.artifacts(name) if one.version == active]
    follows = artifact_subject(known[-1].artifact_id) if known else ""
    return Work(subject=name, follows=follows, attributes={"ordinis.version": active or ""})


@stage(
    "rollback",
    asked=_asked,
    made=lambda version: Made(attributes={"ordinis.to_version": version or "", "ordinis.flat": not version}),
)
def roll_back(bench: Workbench, name: str, *, reason: str) -> str | None:
    """Swap ACTIVE to the last known good version, re-verified; None means that nothing is active now.

    Nobody is asked.
    """
    return bench.registry.roll_back(name, reason=reason)


def passed_over(bench: Workbench, name: str) -> list[str]:
    """Return why the rollback just made left versions in good standing aside, newest first.

    Nothing where none was, or where the ledger is a server's.
    """
    last = bench.ledger.history(name)[-1:]
    unfit = [one for record in last if record.action == "rolled_back" for one in record.body.get("unfit", ())]
    return [f"v{one['version']}: {one['why']}" for one in unfit]

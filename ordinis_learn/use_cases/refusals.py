"""What stood in the way the last time a version was refused."""

from __future__ import annotations

from ordinis_learn.records import GateDecision, ModelArtifact
from ordinis_learn.workbench import Workbench

__all__ = ["decisions", "refused_rules"]


def decisions(bench: Workbench, artifact: ModelArtifact) -> tuple[GateDecision, ...]:
    """Return every recorded decision about a version, oldest first."""
    bodies = [record.body.get("decision") for record in bench.ledger.history(artifact.name)]
    read = [GateDecision.model_validate(body) for body in bodies if body is not None]
    return tuple(entry for entry in read if entry.subject.version == artifact.version)


def refused_rules(bench: Workbench, artifact: ModelArtifact) -> set[str]:
    """Return the rules that did not pass in the newest decision; empty when it was allowed."""
    made = decisions(bench, artifact)
    return {verdict.rule for verdict in made[-1].reasons} if made else set()

"""What stood in the way the last time a version was refused."""

from __future__ import annotations

from pydantic import ValidationError

from ordinis_learn.records import AuditRecord, GateDecision, ModelArtifact, ModelRef
from ordinis_learn.use_cases.history import garbled
from ordinis_learn.workbench import Workbench

__all__ = ["decisions", "refused_rules"]


def decisions(bench: Workbench, artifact: ModelArtifact | ModelRef) -> tuple[GateDecision, ...]:
    """Return every recorded decision about a version, oldest first.

    Raises
    ------
    AuditChainBroken
        A record holds something else.
    """
    read = [_read(record) for record in bench.ledger.history(artifact.name) if record.body.get("decision")]
    return tuple(entry for entry in read if entry.subject.version == artifact.version)


def _read(record: AuditRecord) -> GateDecision:
    try:
        return GateDecision.model_validate(record.body["decision"])
    except ValidationError as error:
        raise garbled(record, error) from error


def refused_rules(bench: Workbench, artifact: ModelArtifact) -> set[str]:
    """Return the rules that did not pass in the newest decision; empty when it was allowed."""
    made = decisions(bench, artifact)
    return {verdict.rule for verdict in made[-1].reasons} if made else set()

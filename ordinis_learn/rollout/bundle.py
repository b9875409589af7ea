"""What a decision was made from, as one record: enough to make the decision again, years later.

It holds the evidence as the gate saw it. Together with the policy, which is kept under its hash, and the request,
which the decision itself repeats, nothing else is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from ordinis_learn.records import (
    Approval,
    DatasetManifest,
    GateDecision,
    ModelArtifact,
    ModelRef,
    PreflightAnswer,
    Record,
    Scorecard,
    ShadowReport,
    State,
    WaiverGrant,
)
from ordinis_learn.rollout.evidence import Evidence
from ordinis_learn.rollout.gate import decide
from ordinis_learn.rollout.policy import Policy

__all__ = ["Again", "EvidenceBundle", "decide_again"]


class EvidenceBundle(Record):
    """The fields of :class:`~ordinis_learn.rollout.evidence.Evidence`, as they are stored and hashed."""

    schema_version: Literal["1.0.0"] = "1.0.0"
    subject: ModelRef
    state: State
    artifact: ModelArtifact | None
    scorecards: dict[str, Scorecard]
    shadow: ShadowReport | None
    approvals: tuple[Approval, ...]
    stored_sha256: str | None
    dataset: DatasetManifest | None
    incumbent: ModelRef | None
    drift_breached: bool
    earlier_trials: int
    faults: tuple[str, ...]
    trained_by: str
    approver_groups: dict[str, tuple[str, ...]]
    voided: tuple[str, ...]
    grants: tuple[WaiverGrant, ...]
    preflight: PreflightAnswer | None = None
    run_metrics: dict[str, float] = Field(default_factory=dict)
    incumbent_run_metrics: dict[str, float] = Field(default_factory=dict)
    run_by: str = ""

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceBundle:
        """Return evidence as a record."""
        names = [name for name in cls.model_fields if name != "schema_version"]
        values = {name: getattr(evidence, name) for name in names}
        plain = {
            name: dict(value) if isinstance(value, MappingProxyType) else value
            for name, value in values.items()
        }
        return cls.model_validate(plain)

    def evidence(self) -> Evidence:
        """Return the evidence that was recorded."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name != "schema_version"}
        return Evidence(**values)


@dataclass(frozen=True, kw_only=True)
class Again:
    """A decision made again, and the fields in which it differs from the recorded one."""

    decision: GateDecision
    differing: tuple[str, ...]


def decide_again(bundle: EvidenceBundle, policy: Policy, recorded: GateDecision) -> Again:
    """Make a recorded decision again, at its own moment and for its own requester."""
    again = decide(
        bundle.evidence(),
        to_state=recorded.to_state,
        requester=recorded.requester,
        policy=policy,
        now=recorded.decided_at,
    )
    now, before = again.to_json(), recorded.to_json()
    return Again(decision=again, differing=tuple(sorted(name for name in now if now[name] != before[name])))

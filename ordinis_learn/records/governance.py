"""Who asked, what the policy said, and the record that remains."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from ordinis_learn.records.base import Record, Sha256, UtcDatetime
from ordinis_learn.records.scorecard import ModelRef

__all__ = [
    "Actor",
    "Approval",
    "AuditRecord",
    "CoolDownLift",
    "GateDecision",
    "Identity",
    "PreflightAnswer",
    "Retention",
    "Role",
    "RuleVerdict",
    "State",
    "Waiver",
    "WaiverGrant",
]


class State(StrEnum):
    """Where a model version stands; each change is a fact in the ledger."""

    CANDIDATE = "CANDIDATE"
    SHADOW = "SHADOW"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class Role(StrEnum):
    """What a key may sign."""

    TRAINER = "trainer"
    EVALUATOR = "evaluator"
    SHADOW_RUNNER = "shadow_runner"
    APPROVER = "approver"
    WITNESS = "witness"


class Identity(Record):
    """A public key that the desk trusts, and for what.

    ``groups`` are titles that a policy may ask for among approvers, such as ``risk``. A *revoked* key vouches for
    nothing any more; a *retired* one (replaced by the next key of its name) vouches for what the registry
    accepted before ``retired_at``.
    """

    name: str
    key_id: str
    public_key: str
    roles: tuple[Role, ...]
    trusted_since: UtcDatetime
    revoked_at: UtcDatetime | None = None
    groups: tuple[str, ...] = ()
    retired_at: UtcDatetime | None = None

    @property
    def signs(self) -> bool:
        """Whether the key may sign anything new."""
        return self.revoked_at is None and self.retired_at is None


class Actor(Record):
    """Who makes a request, and how we know. ``claimed`` names were not proven by anything."""

    name: str
    kind: Literal["claimed", "os_user", "authenticated", "signed"]


class Approval(Record):
    """A person's answer, bound to the evidence they saw (``evidence_hash``)."""

    subject: ModelRef
    target: State
    answer: Literal["approve", "refuse"]
    evidence_hash: Sha256
    approver: str
    comment: str = ""
    given_at: UtcDatetime
    expires_at: UtcDatetime


class PreflightAnswer(Record):
    """What a governance service outside said to a request; ``unreachable`` where it said nothing usable."""

    answer: Literal["allow", "warn", "modify", "defer", "deny", "unreachable"]
    reason: str
    source: str


class Retention(Record):
    """A retired version and why its bytes are kept; ``kept`` is empty where they may be pruned."""

    name: str
    version: str
    kept: str

    @property
    def goes(self) -> bool:
        """Whether the bytes may be pruned."""
        return not self.kept


class WaiverGrant(Record):
    """One person's word for setting a rule aside, bound to the evidence they saw; it takes two."""

    subject: ModelRef
    target: State
    rule: str
    reason: str = Field(min_length=1)
    compensating_control: str = Field(min_length=1)
    evidence_hash: Sha256
    granted_by: str
    granted_at: UtcDatetime
    expires_at: UtcDatetime


class CoolDownLift(Record):
    """One person's word for ending the cool-down of a rollback early; it takes two.

    ``subject`` is the version that was rolled back, ``rollback`` the hash of that rollback's ledger record: it lifts no other.
    """

    subject: ModelRef
    rollback: Sha256
    reason: str = Field(min_length=1)
    lifted_by: str
    lifted_at: UtcDatetime


class Waiver(Record):
    """A rule set aside for a while, by two people, with something else in its place."""

    subject: ModelRef
    rule: str
    reason: str
    compensating_control: str
    granted_by: tuple[str, str]
    granted_at: UtcDatetime
    expires_at: UtcDatetime


class RuleVerdict(Record):
    """One rule of the policy: asked, found, and where it was found.

    A rule that tests something says how small an effect its sample could have shown (``detectable``, in the unit of what it
    tests) and, where it is inconclusive, how many sessions more would settle it if all else stays as it is
    (``sessions_missing``; None where no number would). Both are left out of the JSON where there are none, so that
    decisions made before them keep their bytes.
    """

    rule: str
    verdict: Literal["pass", "fail", "inconclusive", "not_evaluable"]
    code: str
    asked: str
    found: str
    source: str
    next_step: str = ""
    detectable: Annotated[float | None, Field(exclude_if=lambda value: value is None)] = None
    sessions_missing: Annotated[int | None, Field(exclude_if=lambda value: value is None)] = None

    @property
    def passed(self) -> bool:
        """Only a clear pass passes."""
        return self.verdict == "pass"


class GateDecision(Record):
    """What the gate answered to one request, with every number it used.

    ``rule_set`` is ``first_model`` where no incumbent was there to beat, else ``default``. ``waivers`` set aside
    the rules in ``waived``, whose verdicts stay what they are; ``waiver_notes`` say why others do not count.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    subject: ModelRef
    from_state: State
    to_state: State
    allowed: bool
    code: str
    verdicts: tuple[RuleVerdict, ...]
    rule_set: str
    policy_id: str
    policy_hash: Sha256
    evidence_hash: Sha256
    incumbent: ModelRef | None
    requester: Actor
    approvers: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    waiver_notes: tuple[str, ...] = ()
    break_glass: bool = False
    decided_at: UtcDatetime

    @property
    def reasons(self) -> tuple[RuleVerdict, ...]:
        """The rules that did not pass and were not waived."""
        return tuple(v for v in self.verdicts if not v.passed and v.rule not in self.waived)


class AuditRecord(Record):
    """One line of the ledger. ``subject`` is the chain it belongs to: a model name, or ``*``.

    ``hash`` = SHA-256 in domain ``ordinis.ledger.v1`` over all other fields; ``previous_hash`` is the
    hash of the record with ``sequence - 1`` on the same chain (64 zeros for the first).
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    subject: str
    sequence: int = Field(ge=1)
    action: str
    actor: Actor
    at: UtcDatetime
    body: dict[str, Any]
    previous_hash: Sha256
    hash: Sha256

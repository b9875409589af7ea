"""The gate: evidence and policy in, a decision with every number out.

Pure: the same evidence, request, policy and moment give the same decision, byte for byte. It writes
nothing and changes nothing; the registry records the decision and acts on it in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ordinis_learn.errors import GateFailed, RolloutDenied
from ordinis_learn.records import Actor, GateDecision, ModelType, RuleVerdict, State
from ordinis_learn.rollout.evidence import Evidence, evidence_hash
from ordinis_learn.rollout.outside import judge_preflight
from ordinis_learn.rollout.policy import Policy, RuleSpec
from ordinis_learn.rollout.rules import RULES, Context, counted_approvers
from ordinis_learn.rollout.rules.base import JUDGE_ERRORS
from ordinis_learn.rollout.rules.paired import PAIRED_SOURCE
from ordinis_learn.rollout.states import check_move
from ordinis_learn.rollout.waivers import BREAK_GLASS, apply_waivers

__all__ = ["decide", "describe_power", "explain"]


@dataclass(frozen=True, kw_only=True)
class _Ruling:
    verdicts: tuple[RuleVerdict, ...]
    approvers: tuple[str, ...]


def decide(
    evidence: Evidence, *, to_state: State, requester: Actor, policy: Policy, now: datetime
) -> GateDecision:
    """Judge one request.

    Parameters
    ----------
    evidence : Evidence
        From :func:`ordinis_learn.rollout.evidence.read_evidence`.
    to_state : State
        What is asked for. Retiring needs no evidence.
    requester : Actor
        Who asks; their own approval does not count.
    policy : Policy
        From :func:`ordinis_learn.rollout.policy.load_policy`.
    now : datetime
        The moment of the decision.

    Returns
    -------
    GateDecision
        ``allowed`` only when every rule passed or is waived; ``code`` is then empty.

    Notes
    -----
    It does not ask whether the policy governs the model
    (:func:`ordinis_learn.rollout.policy.governs` does), and it does not judge a rollback.
    """
    first_model = evidence.incumbent is None
    artifact = evidence.artifact
    # Without a training record the type is unknown; the rules of signal models say best what is missing.
    model_type = ModelType.SIGNAL_MODEL if artifact is None else artifact.model_type
    context = Context(
        evidence=evidence,
        evidence_hash=evidence_hash(evidence),
        packs=policy.packs_of(model_type),
        to_state=to_state,
        requester=requester,
        now=now,
    )
    ruling = _rule(context, policy=policy, model_type=model_type, first_model=first_model)
    outside = () if to_state is State.RETIRED else judge_preflight(evidence)
    verdicts = (_judge_move(evidence.state, to_state), *ruling.verdicts, *outside)
    waived = apply_waivers(context, verdicts, rules=policy.waivers)
    allowed = all(verdict.passed or verdict.rule in waived.rules for verdict in verdicts)
    return GateDecision(
        subject=evidence.subject,
        from_state=evidence.state,
        to_state=to_state,
        allowed=allowed,
        code="" if allowed else RolloutDenied.code,
        verdicts=verdicts,
        rule_set="first_model" if first_model else "default",
        policy_id=policy.policy_id,
        policy_hash=policy.policy_hash,
        evidence_hash=context.evidence_hash,
        incumbent=evidence.incumbent,
        requester=requester,
        approvers=ruling.approvers,
        waived=tuple(sorted(waived.rules)),
        waivers=waived.waivers,
        waiver_notes=waived.notes,
        break_glass=any(waiver.rule == BREAK_GLASS for waiver in waived.waivers),
        decided_at=now,
    )


def explain(decision: GateDecision) -> str:
    """Return a decision as plain text: what did not pass first, each with what to do next."""
    subject = decision.subject
    move = f"{decision.from_state.value} to {decision.to_state.value}"
    rules = f"policy {decision.policy_id}, rules {decision.rule_set}"
    lines = [f"{decision.code or 'allowed'}: {subject.name} {subject.version}, {move} ({rules})"]
    if decision.break_glass:
        lines.append(f"  *** GLASS BROKEN: set aside {', '.join(decision.waived)} ***")
    for verdict in decision.reasons:
        lines += [
            f"  {verdict.verdict.replace('_', ' ').upper():<13} {verdict.rule} [{verdict.code}]",
            f"    asked: {verdict.asked}",
            f"    found: {verdict.found}",
        ]
        lines += [f"    power: {power}"] if (power := describe_power(verdict)) else []
        lines += [f"    next:  {verdict.next_step}"] if verdict.next_step else []
    for waiver in decision.waivers:
        lines += [
            f"  WAIVED        {waiver.rule} by {' and '.join(waiver.granted_by)} until {waiver.expires_at.isoformat()}",
            f"    reason: {waiver.reason}; instead: {waiver.compensating_control}",
        ]
    lines += [f"  note: {note}" for note in decision.waiver_notes]
    if held := [verdict.rule for verdict in decision.verdicts if verdict.passed]:
        lines.append(f"  PASS          {', '.join(held)}")
    return "\n".join(lines)


def describe_power(verdict: RuleVerdict) -> str:
    """Return what a test could have shown and what it lacks, as words; empty for a rule that tests nothing."""
    parts = []
    if verdict.detectable is not None:
        parts.append(f"detectable {verdict.detectable:.2f} or more")
    if verdict.sessions_missing is not None:
        counted = "questions" if verdict.source == PAIRED_SOURCE else "sessions"
        parts.append(f"{verdict.sessions_missing:,} {counted} still needed")
    return ", ".join(parts)


def _rule(context: Context, *, policy: Policy, model_type: ModelType, first_model: bool) -> _Ruling:
    if context.to_state is State.RETIRED:
        return _Ruling(verdicts=(), approvers=())
    specs = policy.specs(model_type, to_state=context.to_state, first_model=first_model)
    if not specs:
        return _Ruling(verdicts=(_uncovered(policy, model_type, context.to_state),), approvers=())
    return _Ruling(
        verdicts=tuple(_judge(spec, context) for spec in specs), approvers=_approvers(specs, context)
    )


def _judge(spec: RuleSpec, context: Context) -> RuleVerdict:
    return RULES[spec.rule].verdict(context, spec.params)


def _approvers(specs: Sequence[RuleSpec], context: Context) -> tuple[str, ...]:
    for spec in specs:
        if spec.rule == "approvals":
            try:
                return counted_approvers(context, spec.params)
            except JUDGE_ERRORS:
                return ()
    return ()


def _judge_move(from_state: State, to_state: State) -> RuleVerdict:
    found, next_step = f"it is {from_state.value}", ""
    try:
        check_move(from_state, to_state)
    except RolloutDenied as error:
        found, next_step = f"it is {from_state.value}: {error.found}", error.next_step
    return RuleVerdict(
        rule="allowed_move",
        verdict="fail" if next_step else "pass",
        code=GateFailed.code if next_step else "",
        asked=f"{to_state.value} is a step from where the version stands",
        found=found,
        source="life cycle",
        next_step=next_step,
    )


def _uncovered(policy: Policy, model_type: ModelType, to_state: State) -> RuleVerdict:
    return RuleVerdict(
        rule="policy_covers",
        verdict="not_evaluable",
        code=GateFailed.code,
        asked=f"the policy has rules for {model_type.value} to {to_state.value}",
        found=f"{policy.policy_id} has none",
        source="policy",
        next_step="write a policy with rules for this type of model",
    )

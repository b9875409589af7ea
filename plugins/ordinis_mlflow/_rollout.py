"""Judge a request for a state, carry it out, and roll back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from mlflow.exceptions import MlflowException  # noqa: TID253  a leaf, loaded by name

from ordinis_learn.errors import AuditChainBroken
from ordinis_learn.observability.tracing import span
from ordinis_learn.records import (
    DECLARED,
    GateDecision,
    LearnTopic,
    PreflightAnswer,
    Response,
    RollbackOrder,
    State,
)
from ordinis_learn.rollout.bundle import EvidenceBundle
from ordinis_learn.rollout.cool_down import UNTIL
from ordinis_learn.rollout.evidence import Evidence, read_evidence
from ordinis_learn.rollout.gate import decide
from ordinis_learn.rollout.policy import Policy
from ordinis_mlflow import _cool_down as cool_down
from ordinis_mlflow._artifacts import ArtifactReader
from ordinis_mlflow._change import DECISION_TAG, UNKNOWN_SHA256, Change
from ordinis_mlflow._runs import NO_RUNS, RunFacts
from ordinis_registry.acceptance import accepted_statements, altered_statements, submissions
from ordinis_registry.alert_book import is_blocked
from ordinis_registry.catalogue import find_dataset, is_drift_breached, trials_before
from ordinis_registry.evidence import keep_evidence
from ordinis_registry.identities import known_identities
from ordinis_registry.policies import keep_policy, refuse_changed
from ordinis_registry.retention import pruned

_TOLD: Final = {
    "from_state",
    "to_state",
    "policy_id",
    "policy_hash",
    "evidence_hash",
    "waived",
    "break_glass",
}

__all__ = ["adopt", "carry_out", "gather", "judge", "roll_back"]


def adopt(change: Change, *, artifacts: ArtifactReader) -> None:
    """Begin the chain of a model that was registered before the ledger; do nothing for others.

    What its stages say is recorded as it is, with the digest each version in use has now.
    """
    if change.recorded_pointers is not None:
        return
    found = change.pointers
    for version in [*found.shadow, *([found.active] if found.active else [])]:
        address = change.plain.get_model_version_download_uri(change.bare_name, version)
        digest = artifacts.digest(address)
        body = {"version": version, "address": address, "artifact_sha256": digest, "adopted": True}
        change.record("version.registered", body)
    change.record("model.adopted", {}, pointers=found)
    change.recorded_pointers = found


def gather(change: Change, version: str, *, stored_sha256: str | None, runs: RunFacts = NO_RUNS) -> Evidence:
    """Collect what the gate looks at, as it is now."""
    incumbent = change.pointers.incumbent
    identities = known_identities(change.session)
    evidence = read_evidence(
        change.tags(version),
        subject=change.reference(version, stored_sha256=stored_sha256),
        state=change.state(version),
        identities=identities,
        stored_sha256=stored_sha256,
        dataset=None,
        incumbent=None if incumbent in {None, version} else change.reference(incumbent),
        drift_breached=is_drift_breached(change.session, change.name, version)
        or is_blocked(change.session, change.name, version),
        earlier_trials=trials_before(change.session, change.name, version),
        now=change.at,
        accepted=accepted_statements(change.session, change.name, identities=identities),
    )
    if runs is not NO_RUNS:
        evidence = replace(
            evidence,
            run_metrics=runs.metrics,
            run_by=runs.user,
            incumbent_run_metrics={} if evidence.incumbent is None else runs.incumbent,
        )
    artifact = evidence.artifact
    if artifact is None or artifact.data_snapshot_ref == DECLARED:
        return evidence
    return replace(evidence, dataset=find_dataset(change.session, artifact.data_snapshot_ref))


def judge(
    change: Change,
    version: str,
    *,
    to_state: State,
    stored_sha256: str | None,
    policy: Policy,
    preflight: PreflightAnswer | None = None,
    runs: RunFacts = NO_RUNS,
) -> tuple[GateDecision, str]:
    """Ask the gate, and record its answer; the caller commits it whatever it is.

    Returns
    -------
    tuple
        The decision, and the hash of the evidence bundle from which it can be made again.

    Raises
    ------
    AuditChainBroken
        Stage or statements are not what the ledger says. Retiring is still possible.
    """
    if to_state is not State.RETIRED:
        change.check_agreement(version)
        refuse_altered(change, version)
        if to_state is State.ACTIVE:
            cool_down.refuse(change, asked=f"promote {change.name} {version}")
        refuse_changed(change.session, policy_id=policy.policy_id, source_sha256=policy.source_sha256)
    if pruned(change.session, change.name, version) is not None:
        stored_sha256 = None  # what was given up does not come back, whatever is left of it
    found = gather(change, version, stored_sha256=stored_sha256, runs=runs)
    evidence = replace(found, preflight=preflight)
    decision = _decided(evidence, to_state=to_state, change=change, policy=policy)
    bundle = keep_evidence(change.session, EvidenceBundle.of(evidence), at=change.at)
    keep_policy(
        change.session,
        policy.to_json(),
        policy_id=policy.policy_id,
        policy_hash=policy.policy_hash,
        at=change.at,
    )
    if not decision.allowed:
        body = {"version": version, "decision": decision.to_json(), "bundle": bundle}
        change.record("rollout.denied", body)
    return decision, bundle


def _decided(evidence: Evidence, *, to_state: State, change: Change, policy: Policy) -> GateDecision:
    """Decide, in a span that carries what the decision is bound to."""
    with span("learn.gate", attributes={"ordinis.subject": change.name}) as opened:
        decision = decide(evidence, to_state=to_state, requester=change.actor, policy=policy, now=change.at)
        opened.set_attributes(
            {
                "ordinis.version": decision.subject.version,
                "ordinis.to_state": decision.to_state.value,
                "ordinis.allowed": decision.allowed,
                "ordinis.code": decision.code,
                "ordinis.policy_hash": decision.policy_hash,
                "ordinis.evidence_hash": decision.evidence_hash,
            }
        )
    return decision


def refuse_altered(change: Change, version: str) -> None:
    """See that the version's statements are those that were accepted last.

    Raises
    ------
    AuditChainBroken
        Somebody took one away or put another in its place behind the store.
    """
    altered = altered_statements(change.tags(version), submissions(change.session, change.name, version))
    if altered:
        raise AuditChainBroken(
            f"read the statements about {change.name} {version}",
            found="; ".join(altered),
            next_step="find who changed them, and let their authors submit them again",
        )


def carry_out(change: Change, decision: GateDecision, *, bundle: str, alone: bool) -> None:
    """Do what an allowed decision says.

    Parameters
    ----------
    change : Change
        The change in which the decision was made.
    decision : GateDecision
        Allowed.
    bundle : str
        The hash of the evidence bundle it was made from.
    alone : bool
        Retire the other versions in SHADOW too, when the target is SHADOW. There is one ACTIVE in any case.
    """
    version, target, before = decision.subject.version, decision.to_state, change.pointers
    left = [other for other in _leaving(change, target, alone=alone) if other != version]
    for other in left:
        change.put(other, State.RETIRED)
    change.put(version, target)
    if target is State.ACTIVE:
        after = before.promoted(version)
    elif target is State.SHADOW:
        after = before.shadowed(version)
        for other in left:
            after = after.retired(other)
    else:
        after = before.retired(version)
    change.point(after)
    change.tag(version, DECISION_TAG, decision.canonical().decode())
    body = {
        "version": version,
        "decision": decision.to_json(),
        "bundle": bundle,
        "retired": left,
        "break_glass": decision.break_glass,
    }
    record = change.record("rollout.allowed", body, pointers=after)
    told = decision.model_dump(mode="json", include=_TOLD)
    change.emit(LearnTopic.ROLLOUT_COMPLETED, {"version": version, "retired": left, **told}, record=record)


def roll_back(
    change: Change,
    *,
    reason: str,
    artifacts: ArtifactReader,
    given: Response | None = None,
) -> str | None:
    """Swap ACTIVE to the newest version in good standing whose bytes are still what they were.

    Nobody is asked. ``given`` is the order that it carries out, which says for how long the model cools down. Returns the version that is active now; None when none was fit: the model is flat.
    A model that is flat already stays so.
    """
    before = change.pointers
    if before.active is None:
        return None
    target, unfit = _fit_version(change, before.good, artifacts=artifacts)
    change.put(before.active, State.RETIRED)
    if target is not None:
        change.put(target, State.ACTIVE)
    after = before.rolled_back(to=target)
    change.point(after)
    body: dict[str, Any] = {"version": before.active, "to": target, "reason": reason, "unfit": unfit}
    if given is not None:
        body["order"] = RollbackOrder.of(given).to_json()
        if given.cool_down_hours:
            body[UNTIL] = (change.at + timedelta(hours=given.cool_down_hours)).isoformat()
    record = change.record("rolled_back", body, pointers=after)
    told: dict[str, Any] = {"from": before.active, "to": target, "reason": reason, "unfit": unfit}
    told |= {key: body[key] for key in ("order", UNTIL) if key in body}
    change.emit(LearnTopic.ROLLBACK_COMPLETED, told, record=record)
    return target


def _leaving(change: Change, target: State, *, alone: bool) -> list[str]:
    if target is State.ACTIVE:
        return change.versions_in(State.ACTIVE)
    return change.versions_in(State.SHADOW) if target is State.SHADOW and alone else []


def _fit_version(
    change: Change, good: tuple[str, ...], *, artifacts: ArtifactReader
) -> tuple[str | None, list[dict[str, Any]]]:
    unfit: list[dict[str, Any]] = []
    for version in reversed(good):
        why = _why_unfit(change, version, artifacts=artifacts)
        if not why:
            return version, unfit
        unfit.append({"version": version, "why": why})
    return None, unfit


def _why_unfit(change: Change, version: str, *, artifacts: ArtifactReader) -> str:
    try:
        address = change.plain.get_model_version_download_uri(change.bare_name, version)
    except MlflowException as error:
        return str(error.message)
    stored = artifacts.digest(address)
    expected = change.reference(version).artifact_sha256
    if stored is None:
        return "its bytes cannot be read"
    if expected == UNKNOWN_SHA256:
        return "no digest was recorded for it"
    return "" if stored == expected else "its bytes are not what was registered"

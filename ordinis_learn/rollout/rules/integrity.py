"""Is the evidence what it says it is: bytes, signatures, data."""

from __future__ import annotations

from ordinis_learn.records import DECLARED, DatasetManifest, ModelArtifact
from ordinis_learn.rollout.rules.base import Context, Finding, NoParams, Params, Rule, blocked, failed, passed

__all__ = ["ARTIFACT_INTACT", "DATASET_ACCEPTED", "DATASET_CHECKED", "EVIDENCE_VERIFIED"]


class Attested(Params):
    """Whether a signed training statement must speak of the bytes too; plain MLflow models have none."""

    attested: bool = True


def _judge_artifact(context: Context, params: Attested) -> Finding:
    evidence = context.evidence
    if evidence.artifact is None and params.attested:
        return blocked("no signed training record", "submit the training statement (training does it)")
    if evidence.stored_sha256 is None:
        return blocked("the stored model cannot be read", "restore the artifact, or register a new version")
    digests = {
        "stored": evidence.stored_sha256,
        "registered": evidence.subject.artifact_sha256,
    }
    if evidence.artifact is not None:
        digests["attested"] = evidence.artifact.artifact_sha256
    if len(set(digests.values())) > 1:
        shown = ", ".join(f"{where} {digest[:12]}…" for where, digest in digests.items())
        return failed(shown, "restore the bytes that were registered, or register these as a new version")
    return passed(f"sha256 {evidence.stored_sha256[:12]}… {', '.join(digests)}")


def _judge_signatures(context: Context, _params: NoParams) -> Finding:
    faults = context.evidence.faults
    if not faults:
        return passed("every statement verifies")
    return failed("; ".join(faults), "submit each anew, signed with a trusted key in the right role")


def _judge_dataset(context: Context, _params: NoParams) -> Finding:
    artifact, dataset = context.evidence.artifact, context.evidence.dataset
    if artifact is None:
        return blocked("no signed training record", "submit the training statement (training does it)")
    if artifact.data_snapshot_ref == DECLARED:
        return _judge_declared(artifact)
    if dataset is None:
        return blocked(
            f"no manifest of {artifact.data_snapshot_ref}", "build the dataset here, then train on it"
        )
    return _judge_manifest(artifact, dataset)


def _judge_declared(artifact: ModelArtifact) -> Finding:
    if artifact.data_sha256 is not None or artifact.trained_until is not None:
        return failed("declared, yet the record names training data", "register it with its dataset")
    return passed("parameters were declared, not trained: there is no dataset to accept")


def _judge_manifest(artifact: ModelArtifact, dataset: DatasetManifest) -> Finding:
    if dataset.ref != artifact.data_snapshot_ref:
        return blocked(f"the manifest is of {dataset.ref}", f"look up {artifact.data_snapshot_ref}")
    if dataset.content_sha256 != artifact.data_sha256:
        return failed(
            "the dataset holds other data than was trained on", "train again on the dataset as it is"
        )
    check = dataset.validation
    if (
        not check.success
        or check.failed
        or check.error
        or check.evaluated != check.expected
        or not check.evaluated
    ):
        failures = (
            ", ".join(check.failed) or check.error or f"{check.evaluated} of {check.expected} evaluated"
        )
        return failed(
            f"{dataset.ref} was rejected: {failures}", "correct the data, build it again, train again"
        )
    return passed(f"{dataset.ref}, {dataset.rows} rows, {check.evaluated} expectations met")


def _judge_checked(context: Context, params: NoParams) -> Finding:
    finding, dataset = _judge_dataset(context, params), context.evidence.dataset
    if finding.verdict != "pass" or dataset is None:
        return finding
    return passed(f"{dataset.ref}, {dataset.rows} rows, {dataset.validation.summary}")


ARTIFACT_INTACT = Rule(
    name="artifact_intact",
    params=Attested,
    asked=lambda params: (
        f"the stored bytes are the registered{' and the attested' if params.attested else ''} ones"
    ),
    judge=_judge_artifact,
    source="registry, training statement",
)

EVIDENCE_VERIFIED = Rule(
    name="evidence_verified",
    params=NoParams,
    asked=lambda _: "no statement on this version fails to verify",
    judge=_judge_signatures,
    source="tags of the version",
)

DATASET_ACCEPTED = Rule(
    name="dataset_accepted",
    params=NoParams,
    asked=lambda _: "the training data is known and met its expectations",
    judge=_judge_dataset,
    source="dataset manifest",
)

DATASET_CHECKED = Rule(
    name="dataset_checked",
    params=NoParams,
    asked=lambda _: "the training data is known, and no expectation that would reject it failed",
    judge=_judge_checked,
    source="dataset manifest",
)
"""As :data:`DATASET_ACCEPTED`, which counts warnings among what was met; past decisions keep those words."""

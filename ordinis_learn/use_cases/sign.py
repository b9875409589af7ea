"""Sign statements with the service's key and attach them to a model version."""

from __future__ import annotations

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Actor, ModelArtifact, ModelRef, Record, Role
from ordinis_learn.rollout.statements import sign
from ordinis_learn.workbench import SERVICE_IDENTITY, Workbench

__all__ = ["create_identity", "ensure_service_identity", "reference", "submit"]


def reference(artifact: ModelArtifact) -> ModelRef:
    """Return the pinned reference of a registered artifact."""
    return ModelRef(name=artifact.name, version=artifact.version, artifact_sha256=artifact.artifact_sha256)


def submit(bench: Workbench, kind: str, *, key: str, subject: ModelRef, predicate: Record) -> None:
    """Sign a predicate about a version as the service and attach it under a governed tag."""
    ensure_service_identity(bench)
    envelope = sign(kind, subject=subject, predicate=predicate, signer=bench.keys.signer(SERVICE_IDENTITY))
    bench.registry.submit_evidence(subject.name, subject.version, key=key, envelope=envelope)


def create_identity(bench: Workbench, name: str, *, roles: tuple[Role, ...], actor: Actor) -> None:
    """Make a key for a name and trust it in the given roles; the ledger remembers who did."""
    bench.keys.create(name)
    bench.identities.trust(bench.keys.identity(name, roles=roles, clock=bench.clock), actor=actor)


def ensure_service_identity(bench: Workbench) -> None:
    """Create the service's key on first use; in the ``prod`` profile an operator must do it."""
    known = {entry.name for entry in bench.identities.identities()}
    if bench.keys.exists(SERVICE_IDENTITY) and SERVICE_IDENTITY in known:
        return
    if bench.settings.profile == "prod":
        raise ConfigInvalid(
            f"sign as {SERVICE_IDENTITY}",
            found="no trusted key of that name, and profile prod does not make one by itself",
            next_step=f"ordinis-learn keys create {SERVICE_IDENTITY} --role trainer --role evaluator "
            "--role shadow_runner",
        )
    roles = (Role.TRAINER, Role.EVALUATOR, Role.SHADOW_RUNNER)
    actor = Actor(name=bench.settings.actor, kind="claimed")
    create_identity(bench, SERVICE_IDENTITY, roles=roles, actor=actor)

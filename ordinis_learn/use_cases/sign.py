"""Sign statements with the service's key and attach them to a model version."""

from __future__ import annotations

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Actor, Identity, ModelArtifact, ModelRef, Record, Role
from ordinis_learn.rollout.statements import sign
from ordinis_learn.workbench import SERVICE_IDENTITY, Workbench

__all__ = ["create_identity", "ensure_service_identity", "reference", "rotate_identity", "submit"]


def reference(artifact: ModelArtifact) -> ModelRef:
    """Return the pinned reference of a registered artifact."""
    return ModelRef(name=artifact.name, version=artifact.version, artifact_sha256=artifact.artifact_sha256)


def submit(bench: Workbench, kind: str, *, key: str, subject: ModelRef, predicate: Record) -> None:
    """Sign a predicate about a version as the service and attach it under a governed tag."""
    ensure_service_identity(bench)
    envelope = sign(kind, subject=subject, predicate=predicate, signer=bench.keys.signer(SERVICE_IDENTITY))
    bench.registry.submit_evidence(subject.name, subject.version, key=key, envelope=envelope)


def create_identity(
    bench: Workbench, name: str, *, roles: tuple[Role, ...], actor: Actor, groups: tuple[str, ...] = ()
) -> None:
    """Make a key for a name and trust it in the given roles; the ledger remembers who did."""
    bench.keys.create(name)
    made = bench.keys.identity(name, roles=roles, groups=groups, clock=bench.clock)
    bench.identities.trust(made, actor=actor)


def rotate_identity(bench: Workbench, name: str, *, actor: Actor, reason: str) -> Identity:
    """Make a name's next key and let it take over; return the retired identity.

    What the old key signed and the registry accepted goes on counting; it signs nothing new. Interrupted
    between file and book, it is completed by typing it again.

    Raises
    ------
    ConfigInvalid
        The name has no key that signs, or no key file on this machine.
    """
    current = [one for one in bench.identities.identities() if one.name == name and one.signs]
    if len(current) != 1:
        raise ConfigInvalid(
            f"rotate the key of {name!r}",
            found="no trusted key has this name",
            next_step="ordinis-learn keys list",
        )
    bench.keys.rotate(name)
    successor = bench.keys.identity(name, roles=current[0].roles, groups=current[0].groups, clock=bench.clock)
    return bench.identities.rotate(successor, actor=actor, reason=reason)


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

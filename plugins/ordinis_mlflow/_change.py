"""One governed change of one model, inside one transaction.

It holds the head of the model's chain from the start, so that two changes of one model never decide from
the same past. Everything it writes is committed with its ledger record or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from mlflow.entities.model_registry import ModelVersion  # noqa: TID253  a leaf, loaded by name
from mlflow.utils.time import get_current_time_millis  # noqa: TID253
from sqlalchemy.orm import Session

from ordinis_learn.errors import AuditChainBroken
from ordinis_learn.records import (
    Actor,
    AuditRecord,
    LearnTopic,
    ModelRef,
    State,
    canonical_json,
    learn_event,
)
from ordinis_learn.rollout.states import MLFLOW_STAGES, mlflow_stage, parse_stage
from ordinis_mlflow._rows import ModelRows
from ordinis_registry import ledger, outbox, permits
from ordinis_registry.linked_prompts import followed, links_of, prompts_of
from ordinis_registry.pointers import Pointers
from ordinis_registry.subjects import split_subject, subject_of

__all__ = ["DECISION_TAG", "DIGEST_TAG", "EVIDENCE_HASH_TAG", "STATE_TAG", "UNKNOWN_SHA256", "Change"]

STATE_TAG: Final = "ordinis.state"
DIGEST_TAG: Final = "ordinis.artifact_sha256"
DECISION_TAG: Final = "ordinis.decision"
EVIDENCE_HASH_TAG: Final = "ordinis.gate.evidence_hash"  # not below ordinis.evidence: that is for statements
UNKNOWN_SHA256: Final = "0" * 64
"""Stands for a digest that nobody could ever compute; no statement can be about it."""


class Change:
    """What a governed operation may do to one model.

    Parameters
    ----------
    session : Session
        The open transaction; the head of the model's chain is taken.
    plain : SqlAlchemyStore
        MLflow's own methods, without guards, joined to the same transaction.
    name : str
        The registered model, as MLflow calls it within its workspace. ``change.name`` is what the ledger, statements and
        messages call it, see :mod:`ordinis_registry.subjects`.
    workspace : str
        The workspace that ``plain`` works in.
    actor : Actor
        Who asked.
    at : datetime
        The moment of the change, aware.
    env : str
        For the events' required tag of that name.
    """

    def __init__(
        self,
        session: Session,
        *,
        plain: Any,
        name: str,
        workspace: str,
        actor: Actor,
        at: datetime,
        env: str,
    ) -> None:
        self.session = session
        self.plain = plain
        self.bare_name = name
        self.workspace = workspace
        self.name = subject_of(name, workspace=workspace)
        self.actor = actor
        self.at = at
        self._env = env
        self._head = ledger.lock(session, self.name)
        permits.grant(session, self.name)
        self._began_ms = get_current_time_millis()
        self._rows = ModelRows(session, plain=plain, name=name)
        self._references: dict[str, str | None] = {}

    @cached_property
    def recorded_pointers(self) -> Pointers | None:
        """What the ledger says is active, in shadow and last known good; None where it never said."""
        return ledger.pointers(self.session, self.name)

    @property
    def pointers(self) -> Pointers:
        """What is active, in shadow and last known good.

        A model that was registered before the ledger is taken as its stages say.
        """
        if self.recorded_pointers is not None:
            return self.recorded_pointers
        stages = self.versions_in(State.ACTIVE)
        active = stages[-1] if stages else None
        return Pointers(active=active, last_active=active, shadow=tuple(self.versions_in(State.SHADOW)))

    def versions_in(self, state: State) -> list[str]:
        """Return the versions whose MLflow stage is that of a state, in order of number."""
        return self._rows.versions_in(mlflow_stage(state))

    def has_versions(self) -> bool:
        """Tell whether the model has any version that is not deleted."""
        return any(self._rows.versions_in(stage) for stage in MLFLOW_STAGES.values())

    def state(self, version: str) -> State:
        """Return the state of a version by its stage; MLflow's error when there is none."""
        return parse_stage(self._rows.version(version)["current_stage"])

    def check_agreement(self, version: str) -> None:
        """See that stage and ledger say the same of a version.

        Raises
        ------
        AuditChainBroken
            Somebody changed the stage behind the store.
        """
        known = self.recorded_pointers
        if known is None:
            return
        state = self.state(version)
        expected = (
            State.ACTIVE if known.active == version else State.SHADOW if version in known.shadow else None
        )
        found = state if state in {State.ACTIVE, State.SHADOW} else None
        if expected is not found:
            raise AuditChainBroken(
                f"read the state of {self.name} {version}",
                found=f"its stage says {state.value}, the ledger {expected.value if expected else 'otherwise'}",
                next_step=f"retire {self.name} {version}, find who changed it, and begin again",
            )

    def tags(self, version: str) -> dict[str, str]:
        """Return all tags of a version."""
        return self._rows.tags(version)

    def reference(self, version: str, *, stored_sha256: str | None = None) -> ModelRef:
        """Return a version pinned by the digest it was registered with.

        Where none could be computed then, the digest of the bytes as they are now stands in.
        """
        if version not in self._references:
            self._references[version] = self._recorded_sha256(version)
        digest = self._references[version] or stored_sha256
        return ModelRef(name=self.name, version=version, artifact_sha256=digest or UNKNOWN_SHA256)

    def permit(self, name: str) -> None:
        """Let the change touch the rows of another name in its workspace too: the one a model is renamed to."""
        permits.grant(self.session, subject_of(name, workspace=self.workspace))

    def put(self, version: str, state: State) -> None:
        """Move a version to a state, without asking anybody."""
        self._rows.set_stage(version, mlflow_stage(state), at_ms=self._began_ms)
        self.tag(version, STATE_TAG, state.value)

    def tag(self, version: str, key: str, value: str) -> None:
        """Set a tag of the governed namespace."""
        self._rows.set_tag(version, key, value)

    def entity(self, version: str) -> ModelVersion:
        """Return a version as MLflow's clients see it, with what this change did to it."""
        return self._rows.entity(version)

    def create(self, *, source: str, address: str, tags: Mapping[str, str], **columns: Any) -> str:
        """Add a version, registered from ``source``, whose bytes lie at ``address``; return its number."""
        return self._rows.create(source=source, storage_location=address, tags=tags, **columns)

    def point(self, pointers: Pointers) -> None:
        """Put the governed aliases where the pointers say."""
        for alias, version in pointers.aliases.items():
            self._rows.set_alias(alias, version)
        self.follow(pointers)

    def follow(self, pointers: Pointers) -> None:
        """Put the governed aliases of the prompts that are linked to this pack where its pointers say."""
        for subject in prompts_of(self.session, self.name):
            links = links_of(self.session, subject)
            if any(link.pack == self.name for link in links.values()):
                prompt = self.beside(split_subject(subject)[1])
                for alias, version in followed(pointers, links).items():
                    prompt.alias(alias, version)

    def beside(self, name: str) -> Change:
        """Open the change of another model of the workspace in the same transaction; models in order of name, after this one."""
        return Change(
            self.session,
            plain=self.plain,
            name=name,
            workspace=self.workspace,
            actor=self.actor,
            at=self.at,
            env=self._env,
        )

    def alias(self, alias: str, version: str | None) -> None:
        """Let one alias point at a version, or at nothing."""
        self._rows.set_alias(alias, version)

    def record(
        self, action: str, body: Mapping[str, Any], *, pointers: Pointers | None = None
    ) -> AuditRecord:
        """Append to the model's chain; ``pointers`` where the change moved them."""
        moved = {} if pointers is None else {"pointers": pointers.to_json()}
        return ledger.append(
            self.session,
            subject=self.name,
            action=action,
            actor=self.actor,
            at=self.at,
            body={**body, **moved},
            head=self._head,
        )

    def emit(self, topic: LearnTopic, payload: Mapping[str, Any], *, record: AuditRecord) -> None:
        """Tell the bus, through the outbox, about a change and where the ledger has it."""
        place = {"ledger": {"subject": self.name, "sequence": record.sequence, "hash": record.hash}}
        event = learn_event(
            topic,
            {"name": self.name, **payload, **place},
            subject=self.name,
            identity=record.hash,
            at=self.at,
            env=self._env,
        )
        outbox.enqueue(self.session, event, at=self.at)

    def _recorded_sha256(self, version: str) -> str | None:
        holding = f'"version":{canonical_json(version).decode()}'
        for record in ledger.newest(self.session, self.name, action="version.registered", holding=holding):
            if record.body.get("version") == version:
                digest: str | None = record.body.get("artifact_sha256")
                return digest
        return None

"""What the ledger has to say, for monitoring: states, decisions, rollbacks, checkpoints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.ports import Sample
from ordinis_learn.records import ModelType, State
from ordinis_learn.rollout.policy import Policy
from ordinis_registry.catalogue_metrics import UNKNOWN_TYPE, model_types
from ordinis_registry.checkpoint_targets import CheckpointTarget
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.ledger import EVERYTHING
from ordinis_registry.models import HeadRow, LedgerRow
from ordinis_registry.pointers import Pointers
from ordinis_registry.policies import policy_document

__all__ = ["CheckpointSource", "LedgerSource"]

_ACTIONS: Final = (
    "model.adopted",
    "model.created",
    "model.deleted",
    "rolled_back",
    "rollout.allowed",
    "rollout.denied",
    "version.deleted",
    "version.registered",
)
_DENIED: Final = "E_LEARN_ROLLOUT_DENIED"
"""The code of a refusal that could not be judged: no decision was made, only the refusal was recorded."""


@dataclass(kw_only=True)
class _Model:
    """One chain as far as it was read. ``entered`` never falls: it counts facts."""

    read: int = 0
    states: dict[str, State] = field(default_factory=dict)
    entered: Counter[State] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    rolled_back: Counter[str] = field(default_factory=Counter)
    active: str | None = None
    active_since: datetime | None = None
    was_active: bool = False

    def enter(self, version: str, state: State) -> None:
        """Count a change of state; staying is none."""
        if self.states.get(version) is not state:
            self.states[version] = state
            self.entered[state] += 1

    def point(self, pointers: Pointers, *, at: datetime) -> None:
        """Move versions to where the pointers say; who left ACTIVE or SHADOW is retired."""
        held = dict.fromkeys(pointers.shadow, State.SHADOW)
        if pointers.active is not None:
            held[pointers.active] = State.ACTIVE
        for version, state in list(self.states.items()):
            if state in {State.ACTIVE, State.SHADOW} and version not in held:
                self.enter(version, State.RETIRED)
        for version, state in held.items():
            self.enter(version, state)
        if pointers.active != self.active:
            self.active_since = at
        self.active = pointers.active
        self.was_active = pointers.last_active is not None


class LedgerSource:
    """Follows every chain; a reading costs what was written since the one before.

    Each chain is followed by its own numbers, which its writers give out one after the other: a record that another
    writer commits late is not missed.

    Parameters
    ----------
    database : GovernanceDatabase
        Where the ledger is.
    """

    name = "ledger"

    def __init__(self, database: GovernanceDatabase) -> None:
        self._database = database
        self._models: dict[str, _Model] = {}
        self._packs: dict[tuple[str, str], tuple[str, ...]] = {}

    def samples(self) -> Iterator[Sample]:
        """Yield what is there now, of one moment."""
        with self._database.reading() as session:
            heads = session.execute(sa.select(HeadRow.subject, HeadRow.sequence)).all()
            types = model_types(session)
            for subject, sequence in sorted(heads):
                if subject != EVERYTHING:
                    self._follow(session, subject, until=sequence, model_type=types.get(subject))
        yield Sample("learn_ledger_records_total", {}, sum(sequence for _, sequence in heads))
        for name in ModelType:
            for state in State:
                labels = {"model_type": name.value, "state": state.value}
                yield Sample("learn_model_state_total", labels, 0)
        for subject, model in self._models.items():
            yield from _said_of(subject, model, model_type=types.get(subject, UNKNOWN_TYPE))
        yield from self._now(types)

    def _now(self, types: Mapping[str, str]) -> Iterator[Sample]:
        there = Counter({(name.value, state): 0 for name in ModelType for state in State})
        for subject, model in self._models.items():
            there.update((types.get(subject, UNKNOWN_TYPE), state) for state in model.states.values())
        for (model_type, state), number in there.items():
            labels = {"model_type": model_type, "state": state.value}
            yield Sample("learn_model_versions", labels, number)

    def _follow(self, session: Session, subject: str, *, until: int, model_type: str | None) -> None:
        model = self._models.setdefault(subject, _Model())
        if until == model.read:
            return
        query = (
            sa.select(LedgerRow.sequence, LedgerRow.action, LedgerRow.at, LedgerRow.hashed_text)
            .where(LedgerRow.subject == subject, LedgerRow.action.in_(_ACTIONS))
            .where(LedgerRow.sequence > model.read, LedgerRow.sequence <= until)
            .order_by(LedgerRow.sequence)
            .execution_options(yield_per=200)
        )
        with session.execute(query) as rows:
            for sequence, action, at, text in rows:
                self._note(
                    session, model, action, at=at, body=json.loads(text)["body"], model_type=model_type
                )
                model.read = sequence
        model.read = until

    def _note(
        self,
        session: Session,
        model: _Model,
        action: str,
        *,
        at: datetime,
        body: Mapping[str, Any],
        model_type: str | None,
    ) -> None:
        if action == "version.registered":
            model.enter(str(body["version"]), State.CANDIDATE)
        elif action == "version.deleted":
            model.states.pop(str(body["version"]), None)
        elif action == "model.deleted":
            model.states.clear()
        elif action == "rolled_back":
            model.rolled_back["flat" if body.get("to") is None else "swapped"] += 1
        elif action == "rollout.denied":
            decision = body.get("decision")
            model.refused[_DENIED if decision is None else str(decision["code"])] += 1
        elif action == "rollout.allowed":
            self._allowed(session, model, body["decision"], model_type=model_type)
        if "pointers" in body:
            model.point(Pointers.model_validate(body["pointers"]), at=at)

    def _allowed(
        self, session: Session, model: _Model, decision: Mapping[str, Any], *, model_type: str | None
    ) -> None:
        to = State(decision["to_state"])
        if to is State.RETIRED:
            model.enter(str(decision["subject"]["version"]), to)
            return
        for pack in self._packs_of(session, str(decision["policy_hash"]), model_type=model_type):
            model.passed[pack] += 1

    def _packs_of(self, session: Session, policy_hash: str, *, model_type: str | None) -> tuple[str, ...]:
        """Return the packs that a policy asked for; its own, where the model's type is not known."""
        key = policy_hash, model_type or ""
        if key not in self._packs:
            text = policy_document(session, policy_hash)
            policy = None if text is None else Policy.model_validate_json(text)
            known = policy.packs_of(ModelType(model_type)) if policy and model_type else None
            self._packs[key] = known or (policy.packs if policy else ())
        return self._packs[key]


class CheckpointSource:
    """How far the newest checkpoint outside the database reaches.

    Parameters
    ----------
    target : CheckpointTarget
        Where checkpoints are.
    """

    name = "checkpoints"

    def __init__(self, target: CheckpointTarget) -> None:
        self._target = target

    def samples(self) -> Iterator[Sample]:
        """Yield what the newest line says; it is not verified here, ``ordinis-learn ledger verify`` does that."""
        lines = self._target.lines()
        if not lines:
            yield Sample("learn_ledger_checkpoint_records", {}, 0)
            return
        newest = json.loads(lines[-1])
        at = datetime.fromisoformat(newest["at"])
        yield Sample("learn_ledger_checkpoint_records", {}, int(newest["size"]))
        yield Sample("learn_ledger_checkpoint_timestamp_seconds", {}, at.timestamp())


def _said_of(subject: str, model: _Model, *, model_type: str) -> Iterator[Sample]:
    kind = {"model_type": model_type}
    for state, number in model.entered.items():
        yield Sample("learn_model_state_total", {**kind, "state": state.value}, number)
    for pack, number in model.passed.items():
        yield Sample("learn_gate_pass_total", {**kind, "pack": pack}, number)
    for code, number in model.refused.items():
        yield Sample("learn_gate_refusal_total", {**kind, "code": code}, number)
    for outcome in ("swapped", "flat"):
        yield Sample("learn_rollback_total", {**kind, "outcome": outcome}, model.rolled_back[outcome])
    if model.active is not None and model.active_since is not None:
        since = model.active_since.timestamp()
        yield Sample("learn_model_active_since_timestamp_seconds", {"model": subject}, since)
    if model.was_active:
        yield Sample("learn_model_flat", {"model": subject}, float(model.active is None))

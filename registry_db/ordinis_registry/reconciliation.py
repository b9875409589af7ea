"""Compare what the ledger says with what MLflow's tables show, and name each difference.

Triggers keep honest mistakes out; whoever may write any SQL can remove them. What such a change leaves behind
is found here: the ledger says which version is what, and stages, aliases, ``ordinis.`` tags and the bytes of the
artifacts have to agree. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.errors import AuditChainBroken
from ordinis_learn.records import State
from ordinis_learn.rollout.states import MLFLOW_STAGES, is_governed_alias
from ordinis_registry import ledger
from ordinis_registry._reading import UNREADABLE
from ordinis_registry._texts import as_it_is
from ordinis_registry.acceptance import altered_statements, submissions
from ordinis_registry.hooks import foreign_hooks
from ordinis_registry.linked_prompts import (
    IS_PROMPT,
    PACK_ALIAS,
    Link,
    aliases_of,
    links_of,
    pack_aliases,
    prompt_sha256,
)
from ordinis_registry.models import HeadRow
from ordinis_registry.permits import SCOPE
from ordinis_registry.pointers import Pointers
from ordinis_registry.subjects import split_subject, subject_column
from ordinis_registry.succession import unlawful_moves
from ordinis_registry.triggers import missing_triggers

__all__ = [
    "REPAIR",
    "Disagreement",
    "Shown",
    "compare",
    "examine",
    "expected_state",
    "registered",
    "shown",
    "shown_pack_aliases",
]

REPAIR: Final = "ordinis-learn ledger reconcile --repair"
_VERSIONS: Final = sa.table(
    "model_versions",
    *map(sa.column, ("workspace", "name", "version", "current_stage", "source", "storage_location")),
)
_ALIASES: Final = sa.table(
    "registered_model_aliases", *map(sa.column, ("workspace", "name", "alias", "version"))
)
_TAGS: Final = sa.table(
    "model_version_tags", *map(sa.column, ("workspace", "name", "version", "key", "value"))
)
_MARKS: Final = sa.table("registered_model_tags", *map(sa.column, ("workspace", "name", "key", "value")))
_STATES: Final = {stage: state for state, stage in MLFLOW_STAGES.items()}


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One thing that the ledger and the registry say differently, and what to type."""

    name: str
    kind: Literal[
        "stage",
        "alias",
        "state_tag",
        "digest_tag",
        "statement",
        "artifact",
        "unrecorded",
        "unlawful",
        "unreadable",
        "triggers",
    ]
    found: str
    next_step: str
    version: str | None = None

    def __str__(self) -> str:
        """Return the sentence an operator reads."""
        place = self.name if self.version is None else f"{self.name} {self.version}"
        return f"{place}: {self.kind}: {self.found}"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What MLflow's tables show of one model; versions are text, deleted ones are left out."""

    stages: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def examine(
    session: Session, *, governs: Callable[[str], bool], digest: Callable[[str, str], str | None]
) -> list[Disagreement]:
    """Return every disagreement, by name of model, in all workspaces; an empty list when all agrees.

    Parameters
    ----------
    session : Session
        Reads one snapshot of MLflow's tables and ours.
    governs : callable
        Tells whether the policy is about a model of this name, without its workspace; others are left alone.
    digest : callable
        Given a model's subject and an address, returns the digest of the bytes there, None where they cannot be read.
    """
    tables = set(sa.inspect(session.connection()).get_table_names())
    if not {_VERSIONS.name, HeadRow.__tablename__} <= tables:
        return []  # nobody has opened a governed store here yet
    names = {*session.scalars(sa.select(subject_column(_VERSIONS)).distinct()), *_chains(session)}
    found = list(_hooks(session))
    if names or SCOPE.name in tables:  # keys may be trusted before a governed store is opened
        found.extend(_triggers(session))
    for name in sorted(name for name in names if governs(split_subject(name)[1])):
        try:
            with as_it_is(session):
                found.extend(_of_model(session, name, digest))
        except (
            *UNREADABLE,
            AuditChainBroken,
        ) as error:  # one chain that nobody can read must not hide the other models
            found.append(_unreadable(name, error))
    return found


def _of_model(session: Session, name: str, digest: Callable[[str, str], str | None]) -> list[Disagreement]:
    now = shown(session, name)
    known = ledger.pointers(session, name)
    if known is None:
        return list(_unrecorded(name, now))
    if links := links_of(session, name):
        return _of_prompt(session, name, now, links)
    digests = registered(session, name)
    bytes_now = {one: digest(name, now.addresses[one]) for one in digests if one in now.addresses}
    return [
        *compare(name, known, now, registered=digests, bytes_now=bytes_now),
        *_statements(session, name, now),
        *_unlawful(session, name),
    ]


def _of_prompt(session: Session, name: str, now: Shown, links: Mapping[str, Link]) -> list[Disagreement]:
    """Return what differs of a prompt that is linked to a pack: it has no states, its bytes are tags."""
    wanted = aliases_of(session, name, Pointers())
    return [
        *_stages(name, Pointers(), now),
        *_aliases(name, wanted, now),
        *_tags(name, Pointers(), now, {}),
        *_texts(name, now, links),
        *_links_shown(session, name, links),
        *_unlawful(session, name),
    ]


def _links_shown(session: Session, name: str, links: Mapping[str, Link]) -> Iterator[Disagreement]:
    """Tell which aliases of a pack's versions were moved, and whether the model still says that it is a prompt."""
    found = session.execute(sa.select(_ALIASES).where(*_of(_ALIASES, name))).all()
    aliases = {
        row.alias.lower(): str(row.version) for row in found if row.alias.lower().startswith(PACK_ALIAS)
    }
    wanted = pack_aliases(links)
    pack = next(iter(links.values())).pack
    for alias in sorted({*wanted, *aliases}):
        if wanted.get(alias) != aliases.get(alias):
            said = f"{alias!r} points to {aliases.get(alias)}, the ledger says {wanted.get(alias)}"
            yield Disagreement(name=name, kind="alias", found=said, next_step=REPAIR)
    marks = session.execute(sa.select(_MARKS).where(*_of(_MARKS, name), _MARKS.c.key == IS_PROMPT)).all()
    if [row.value for row in marks] != ["true"]:
        step = f"ordinis-learn prompts link {pack} {next(iter(links.values())).pack_version}"
        yield Disagreement(
            name=name, kind="artifact", found="it no longer says that it is a prompt", next_step=step
        )


def shown_pack_aliases(session: Session, name: str) -> dict[str, str]:
    """Return the aliases of a linked prompt that name versions of its pack, as MLflow's tables show them."""
    found = session.execute(sa.select(_ALIASES).where(*_of(_ALIASES, name))).all()
    return {row.alias: str(row.version) for row in found if row.alias.lower().startswith(PACK_ALIAS)}


def _texts(name: str, now: Shown, links: Mapping[str, Link]) -> Iterator[Disagreement]:
    for version in now.stages:
        link = links.get(version)
        if link is None or prompt_sha256(now.tags.get(version, {})) != link.sha256:
            found = "made behind the store" if link is None else "its text is not what was linked"
            step = "find who changed it; loading it is refused, its pack is not concerned"
            yield Disagreement(name=name, version=version, kind="artifact", found=found, next_step=step)


def compare(
    name: str,
    known: Pointers,
    now: Shown,
    *,
    registered: Mapping[str, str],
    bytes_now: Mapping[str, str | None],
) -> list[Disagreement]:
    """Return what differs of one model.

    Parameters
    ----------
    name : str
        The model.
    known : Pointers
        What the ledger says.
    now : Shown
        What MLflow's tables show.
    registered : Mapping
        The digest each version was registered with.
    bytes_now : Mapping
        The digest its bytes have now. Where they cannot be read, that counts for versions in use and for
        those a rollback could go to: a retired artifact may have been pruned.
    """
    return [
        *_stages(name, known, now),
        *_aliases(name, known.aliases, now),
        *_tags(name, known, now, registered),
        *_artifacts(name, known, registered, bytes_now),
    ]


def expected_state(known: Pointers, version: str) -> State | None:
    """Return ACTIVE or SHADOW where the ledger says so, else None: CANDIDATE or RETIRED."""
    if version == known.active:
        return State.ACTIVE
    return State.SHADOW if version in known.shadow else None


def shown(session: Session, name: str) -> Shown:
    """Read one model, by its subject, as MLflow's tables show it."""
    versions = session.execute(sa.select(_VERSIONS).where(*_of(_VERSIONS, name))).all()
    kept = [row for row in versions if row.current_stage in _STATES]
    aliases = session.execute(sa.select(_ALIASES).where(*_of(_ALIASES, name))).all()
    tags = session.execute(sa.select(_TAGS).where(*_of(_TAGS, name))).all()
    by_version: dict[str, dict[str, str]] = {}
    for row in tags:
        by_version.setdefault(str(row.version), {})[row.key] = row.value
    return Shown(
        tags=by_version,
        stages={str(row.version): row.current_stage for row in kept},
        addresses={str(row.version): row.storage_location or row.source or "" for row in kept},
        aliases={row.alias: str(row.version) for row in aliases if is_governed_alias(row.alias)},
        states={str(row.version): row.value for row in tags if row.key == "ordinis.state"},
        digests={str(row.version): row.value for row in tags if row.key == "ordinis.artifact_sha256"},
    )


def _of(table: sa.TableClause, subject: str) -> tuple[sa.ColumnElement[bool], ...]:
    workspace, name = split_subject(subject)
    return table.c.workspace == workspace, table.c.name == name


def _stages(name: str, known: Pointers, now: Shown) -> Iterator[Disagreement]:
    for version in sorted({*now.stages, *known.shadow, *([known.active] if known.active else [])}, key=int):
        wanted = expected_state(known, version)
        stage = now.stages.get(version)
        state = _STATES.get(stage or "")
        if stage is None:
            found, step = f"the ledger says {wanted}, and it is gone", "restore the database from a backup"
        elif state is wanted or (wanted is None and state in {State.CANDIDATE, State.RETIRED}):
            continue
        else:
            found, step = (
                f"its stage is {stage}, the ledger says {wanted or 'neither ACTIVE nor SHADOW'}",
                REPAIR,
            )
        yield Disagreement(name=name, version=version, kind="stage", found=found, next_step=step)


def _aliases(name: str, known: Mapping[str, str | None], now: Shown) -> Iterator[Disagreement]:
    wanted = {alias: version for alias, version in known.items() if version is not None}
    for alias in sorted({*wanted, *now.aliases}):
        if wanted.get(alias) != now.aliases.get(alias):
            found = f"{alias!r} points to {now.aliases.get(alias)}, the ledger says {wanted.get(alias)}"
            yield Disagreement(name=name, kind="alias", found=found, next_step=REPAIR)


def _tags(name: str, known: Pointers, now: Shown, registered: Mapping[str, str]) -> Iterator[Disagreement]:
    for version, stage in now.stages.items():
        said = now.states.get(version)
        wanted = expected_state(known, version) or _STATES[stage]
        if said != wanted and (said is not None or version in registered):
            found = f"the tag ordinis.state says {said}, the ledger {wanted}"
            yield Disagreement(name=name, version=version, kind="state_tag", found=found, next_step=REPAIR)
        digest = now.digests.get(version)
        if digest is not None and registered.get(version, digest) != digest:
            found = f"the tag ordinis.artifact_sha256 says {digest[:12]}…, registered is {registered[version][:12]}…"
            yield Disagreement(name=name, version=version, kind="digest_tag", found=found, next_step=REPAIR)


def _artifacts(
    name: str, known: Pointers, registered: Mapping[str, str], bytes_now: Mapping[str, str | None]
) -> Iterator[Disagreement]:
    needed = {known.active, known.last_active, *known.shadow, *known.good}
    for version, digest in bytes_now.items():
        if digest == registered[version] or (digest is None and version not in needed):
            continue
        found = "its bytes cannot be read" if digest is None else "its bytes are not what was registered"
        step = "restore the artifact from a backup"
        if version == known.active:
            step = f"ordinis-learn rollback {name} --reason 'its bytes changed', or {step}"
        yield Disagreement(name=name, version=version, kind="artifact", found=found, next_step=step)


def _statements(session: Session, name: str, now: Shown) -> Iterator[Disagreement]:
    """Yield statements that were taken away, played back or hung up behind the store."""
    for version in sorted(now.stages, key=int):
        accepted = submissions(session, name, version)
        for found in altered_statements(now.tags.get(version, {}), accepted):
            yield Disagreement(
                name=name,
                version=version,
                kind="statement",
                found=found,
                next_step="let its author submit it again; until then the gate stays closed for this version",
            )


def _unlawful(session: Session, name: str) -> Iterator[Disagreement]:
    for fault in unlawful_moves(session, name):
        yield Disagreement(
            name=name,
            kind="unlawful",
            found=f"record {fault.sequence} was not written by the store: {fault.detail}",
            next_step=f"ordinis-learn rollback {name} --reason 'forged record {fault.sequence}', then find who wrote it",
        )


def _unreadable(name: str, error: Exception) -> Disagreement:
    return Disagreement(
        name=name,
        kind="unreadable",
        found=f"a record of its chain, or a row of MLflow's, says nothing that can be read ({type(error).__name__})",
        next_step="ordinis-learn ledger verify names the record; restore the database from a backup",
    )


def _unrecorded(name: str, now: Shown) -> Iterator[Disagreement]:
    """Yield versions in use of a model that has no chain: older than the ledger, or made behind the store."""
    for version, stage in now.stages.items():
        if _STATES[stage] in {State.ACTIVE, State.SHADOW}:
            yield Disagreement(
                name=name,
                version=version,
                kind="unrecorded",
                found=f"its stage is {stage}, and the ledger knows nothing of it",
                next_step=f"transition_model_version_stage({name!r}, {version!r}, 'archived') unless it was there "
                "before the ledger; then the next request for it takes it as it is",
            )


def _triggers(session: Session) -> Iterator[Disagreement]:
    missing = missing_triggers(session)
    if missing:
        yield Disagreement(
            name=ledger.EVERYTHING,
            kind="triggers",
            found=f"not there as they should be: {', '.join(missing)}",
            next_step=f"restart the server, or {REPAIR}; then find who dropped them",
        )


def _hooks(session: Session) -> Iterator[Disagreement]:
    for statement in foreign_hooks(session):
        yield Disagreement(
            name=ledger.EVERYTHING,
            kind="triggers",
            found=f"not ours, and it runs inside our transactions: {statement.removeprefix('DROP ')}",
            next_step=f"find who made it, then {statement}",
        )


def _chains(session: Session) -> set[str]:
    return {name for name in session.scalars(sa.select(HeadRow.subject)) if name != ledger.EVERYTHING}


def registered(session: Session, name: str) -> dict[str, str]:
    """Return the digest each version of a model was registered with, where one could be computed."""
    digests: dict[str, str] = {}
    for record in ledger.newest(session, name, action="version.registered"):
        if record.body.get("artifact_sha256"):
            digests.setdefault(str(record.body["version"]), str(record.body["artifact_sha256"]))
    return digests

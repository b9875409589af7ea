"""MLflow's SQL registry store behind the gate.

Every way to change what is active leads through here, in-process and behind ``mlflow server`` alike:
stages, aliases, tags of the ``ordinis.`` namespace, deletion, renaming and copying. Refusals are recorded
in the ledger and answered with 403; what plain MLflow users do besides goes through unchanged.

The file is long because MLflow's interface is wide: it holds one short method per way, and the decisions
are made in ``_rollout``, ``_evidence`` and ``guards``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from mlflow.entities.model_registry import (  # noqa: TID253  a leaf, loaded by name
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelTag,
)
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED  # noqa: TID253
from mlflow.store.artifact.utils.models import ParsedModelUri, _parse_model_uri  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_workspace_store import (  # noqa: TID253
    WorkspaceAwareSqlAlchemyStore,
)
from mlflow.utils.validation import _validate_model_name, _validate_model_renaming  # noqa: TID253
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from ordinis_learn.errors import (
    ArtifactMissing,
    AuditWriteFailed,
    ConfigInvalid,
    DataCorrupt,
    EvidenceInvalid,
    LearnError,
    RolloutDenied,
    StoreUnavailable,
)
from ordinis_learn.ports import Clock
from ordinis_learn.records import PreflightAnswer, RollbackOrder, State
from ordinis_learn.rollout.evidence import evidence_hash
from ordinis_learn.rollout.gate import explain
from ordinis_learn.rollout.policy import Policy, governs, load_policy, seen_by_triggers
from ordinis_learn.rollout.states import is_governed_alias, mlflow_stage, parse_stage
from ordinis_learn.rollout.tags import LIFT_TAG, is_governed_tag
from ordinis_learn.settings import Settings, load_settings
from ordinis_mlflow import _cool_down as cool_down
from ordinis_mlflow import _orders as orders
from ordinis_mlflow import _prompts as prompts
from ordinis_mlflow import _rollout as rollout
from ordinis_mlflow._artifacts import ArtifactReader
from ordinis_mlflow._change import DIGEST_TAG, EVIDENCE_HASH_TAG, STATE_TAG, Change
from ordinis_mlflow._evidence import accept_statement
from ordinis_mlflow._reconcile import reconcile
from ordinis_mlflow._replica import ReplicaReadsMixin
from ordinis_mlflow._retention import RETENTION_REQUESTS, answer, deletion_held, remove
from ordinis_mlflow._runs import NO_RUN_METRICS, RunFacts, read_runs, run_metrics_named
from ordinis_mlflow._transactions import Transactions, prepared_sessions, refusal
from ordinis_mlflow._witness import Witness
from ordinis_mlflow._workspaces import in_workspace_of
from ordinis_mlflow.actors import current_actor
from ordinis_mlflow.guards import (
    EVIDENCE_HASH_REQUEST,
    ROLLBACK_REQUEST,
    alias_refused,
    deletion_refused,
    governed_keys,
    is_copy,
    model_tag_refused,
    name_refused,
    read_rollback_request,
    rename_refused,
    tag_deletion_refused,
    tags_at_creation_refused,
)
from ordinis_mlflow.preflight import open_preflight
from ordinis_registry.adoption import choose_policy
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.linked_prompts import could_be_linked
from ordinis_registry.pointers import Pointers
from ordinis_registry.reconciliation import Disagreement
from ordinis_registry.subjects import split_subject, subject_of
from ordinis_registry.triggers import guard

__all__ = ["GovernedStoreMixin", "OrdinisSqlAlchemyStore", "OrdinisWorkspaceSqlAlchemyStore", "store_class"]

_T = TypeVar("_T")


class GovernedStoreMixin:
    """The gate in front of a store with MLflow's SQL schema; put it before the store class.

    Parameters
    ----------
    db_uri : str
        The database, which MLflow's tables and the governance tables share.
    read_db_uri : str, optional
        A replica of it; :mod:`ordinis_mlflow._replica` says what it may answer.
    settings : Settings, optional
        Default: read once, now.
    clock : Clock, optional
        Default: the system's.
    policy_id : str, optional
        The policy that governs this store's models; default ``GOV_POLICY_VERSION``, else what the registry chose:
        :func:`ordinis_registry.adoption.choose_policy`, once, when the store is opened.
    tracking_uri : str, optional
        Where the runs and logged models behind the versions are; default is MLflow's current one.
    """

    engine: Engine
    read_engine: Engine | None
    ManagedSessionMaker: Any
    _get_active_workspace: Callable[[], str]

    def __init__(
        self,
        db_uri: str,
        read_db_uri: str | None = None,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        policy_id: str | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        super().__init__(db_uri, read_db_uri)  # type: ignore[call-arg]  # the store class comes after this one
        self._artifacts = ArtifactReader(tracking_uri)
        self._settings = load_settings() if settings is None else settings
        self._clock: Clock = _system_clock if clock is None else clock
        self._policy: Policy | None = None
        self._preflight = open_preflight(self._settings)
        database = GovernanceDatabase(db_uri)
        database.upgrade()
        with database.reading() as session:
            setting = policy_id or self._settings.gov_policy_version
            self._policy_id = choose_policy(session, setting=setting).policy_id
        guard(database, self._scope(), actor=current_actor(), at=self._clock())
        database.close()
        self._witness = Witness(db_uri, settings=self._settings, clock=self._clock)
        self._transactions = Transactions(
            self.engine, prepared_sessions(self), has_replica=self.read_engine is not None
        )
        self.ManagedSessionMaker = self._transactions.join

    # ---- states -------------------------------------------------------------------------------

    def transition_model_version_stage(
        self,
        name: str,
        version: str,
        stage: str,
        archive_existing_versions: bool,  # noqa: FBT001  MLflow's signature
    ) -> ModelVersion:
        """Ask the gate for a state, and carry out what it allows."""
        if not self._governs(name):
            return self._plain.transition_model_version_stage(
                name, version, _mlflow_name(stage), archive_existing_versions
            )
        self._keep_linked(name, asked=f"move {name} {version} to {stage}")
        state = _translated(parse_stage, stage)
        if archive_existing_versions and state not in {State.SHADOW, State.ACTIVE}:
            raise MlflowException(
                f"only shadow and active can replace existing versions, not {stage!r}",
                error_code=INVALID_PARAMETER_VALUE,
            )
        version = str(version)
        if state in {State.SHADOW, State.ACTIVE}:
            _translated(self._witness.require)
        stored = self._artifacts.digest(self._plain.get_model_version_download_uri(name, version))
        outside = self._ask_outside(name, version, state, stored=stored)
        denied: MlflowException | None = None
        with self._change(name) as change:
            rollout.adopt(change, artifacts=self._artifacts)
            denied = self._decide(
                change, version, state, stored=stored, outside=outside, alone=archive_existing_versions
            )
            moved = None if denied is not None else change.entity(version)
        if denied is not None:
            raise denied
        self._witness.note()
        return moved

    def roll_back(
        self,
        name: str,
        *,
        reason: str,
        from_version: str | None = None,
        order: RollbackOrder | None = None,
    ) -> str | None:
        """Make the last known good version ACTIVE again, without asking; None when the model is flat now.

        Parameters
        ----------
        name : str
            The registered model.
        reason : str
            Kept in the ledger.
        from_version : str, optional
            Do nothing unless this version is ACTIVE: a repeated request then does not roll back twice.
        order : RollbackOrder, optional
            The order of a response policy that this carries out, as it was given: its version and its cool-down count. One that
            was carried out changes nothing any more.

        Raises
        ------
        MlflowException
            Nobody gave this order, which is recorded; or the model is cooling down from an earlier one.
        """
        refused: RolloutDenied | None = None
        target: str | None = None
        with self._change(name) as change:
            known = change.recorded_pointers
            if known is None or known.active is None:
                # Half the time of a rollback, so only where it can tell something: a model with an ACTIVE version is there.
                self._plain.get_registered_model(name)
            rollout.adopt(change, artifacts=self._artifacts)
            if order is not None and orders.is_carried_out(change, order):
                return change.pointers.active
            given = None if order is None else orders.given(change, order, reason=reason)
            if isinstance(given, RolloutDenied):
                refused = given
            else:
                expected = (given.version if given is not None else "") or from_version
                if expected is not None and change.pointers.active != expected:
                    return change.pointers.active
                if given is not None:
                    cool_down.refuse(change, asked=f"roll back {change.name}")
                target = rollout.roll_back(change, reason=reason, artifacts=self._artifacts, given=given)
        if refused is not None:
            raise refusal(refused)
        self._witness.note()
        return target

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """Return the newest version per stage; our state names are understood besides MLflow's."""
        wanted = [_mlflow_name(stage) for stage in stages] if stages else stages
        found: list[ModelVersion] = self._plain.get_latest_versions(name, wanted)
        return found

    def _ask_outside(
        self, name: str, version: str, state: State, *, stored: str | None
    ) -> PreflightAnswer | None:
        """Ask the governance service, where one is set, before any lock is taken; going back never waits."""
        if self._preflight is None or state is State.RETIRED:
            return None
        return self._preflight(
            {
                "action": "rollout",
                "name": subject_of(name, workspace=self._get_active_workspace()),
                "version": version,
                "to_state": state.value,
                "artifact_sha256": stored,
                "requester": current_actor().to_json(),
                "policy_id": self._policy_id,
                "asked_at": self._clock().isoformat(),
            }
        )

    def _decide(
        self,
        change: Change,
        version: str,
        state: State,
        *,
        stored: str | None,
        outside: PreflightAnswer | None,
        alone: bool,
    ) -> MlflowException | None:
        """Judge and carry out; return the refusal, to be raised after its record is committed."""
        try:
            policy = self._load_policy()
            decision, bundle = rollout.judge(
                change,
                version,
                to_state=state,
                stored_sha256=stored,
                policy=policy,
                preflight=outside,
                runs=self._run_facts(change, version, state),
            )
        except LearnError as error:
            # What cannot be judged is refused; a database that cannot be written is raised by record().
            closed = RolloutDenied(
                f"move {change.name} {version} to {state.value}", found=str(error), next_step=error.next_step
            )
            change.record("rollout.denied", {"version": version, "to": state.value, "found": str(error)})
            return refusal(closed)
        if not decision.allowed:
            return MlflowException(
                explain(decision), error_code=PERMISSION_DENIED, decision=decision.to_json()
            )
        rollout.carry_out(change, decision, bundle=bundle, alone=alone)
        return None

    def reconcile(self, *, repair: bool = False) -> list[Disagreement]:
        """Compare ledger and registry, see :func:`ordinis_mlflow._reconcile.reconcile`."""
        return reconcile(
            self._change_of,
            lambda: Session(self.engine),
            governs=self._governs,
            artifacts=self._artifacts,
            repair=repair,
        )

    # ---- registration -------------------------------------------------------------------------

    def create_registered_model(
        self,
        name: str,
        tags: Iterable[RegisteredModelTag] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Create a registered model; its creation is the first record of its chain."""
        given = list(tags or ())
        governed = self._governs(name)
        if governed and governed_keys(given):
            raise refusal(tags_at_creation_refused(name, governed_keys(given)))
        if not governed or self._exists(name):
            return self._plain.create_registered_model(name, given, description, deployment_job_id)
        self._require_guarded(name)
        with self._change(name) as change:
            model = self._plain.create_registered_model(name, given, description, deployment_job_id)
            change.record("model.created", {}, pointers=Pointers())
        return model

    def create_model_version(  # noqa: PLR0917  MLflow's signature
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Iterable[ModelVersionTag] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Create a version: a CANDIDATE, whatever it is a copy of.

        A copy of a governed version leaves the evidence behind, which is about the original.
        """
        if not self._governs(name):
            return self._plain.create_model_version(
                name, source, run_id, tags, run_link, description, local_model_path, model_id
            )
        self._keep_linked(name, asked=f"create a version of {name}")
        given = list(tags or ())
        governed = governed_keys(given)
        if governed and not is_copy(source):
            raise refusal(tags_at_creation_refused(name, governed))
        kept = {tag.key: tag.value for tag in given if not is_governed_tag(tag.key)}
        address, found_run_id = self._resolve(source, model_id=model_id)
        digest = self._artifacts.local_digest(address)
        made = {STATE_TAG: State.CANDIDATE.value} | ({} if digest is None else {DIGEST_TAG: digest})
        with self._change(name) as change:
            version = change.create(
                source=source,
                address=address,
                tags={**kept, **made},
                run_id=run_id or found_run_id,
                run_link=run_link,
                description=description,
            )
            body = {
                "version": version,
                "source": source,
                "address": address,
                "artifact_sha256": digest,
                "tags_left_behind": governed,
            }
            change.record("version.registered", body)
            return change.entity(version)

    def _resolve(self, source: str, *, model_id: str | None) -> tuple[str, str | None]:
        """Return where the bytes behind a source lie, and its run; logged models are looked up at this store's tracker.

        MLflow's SQL store asks its global tracker instead, which may know nothing of them.
        """
        parsed = _parse_model_uri(source) if urlsplit(source).scheme == "models" else ParsedModelUri()
        run_id = None
        if parsed.model_id or model_id:
            model = self._artifacts.logged_model(parsed.model_id or str(model_id))
            run_id = model.source_run_id
            if parsed.model_id:
                return model.artifact_location, run_id
        if parsed == ParsedModelUri():
            return source, run_id
        try:
            return self._plain.get_model_version_download_uri(parsed.name, parsed.version), run_id
        except MlflowException as error:
            raise MlflowException(
                f"Unable to fetch model from model URI source artifact location '{source}'.Error: {error}"
            ) from error

    # ---- the ways round the stage call -----------------------------------------------------------

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Set an alias, unless it is one that follows the state."""
        if is_governed_alias(alias) and self._governs(name):
            self._deny(name, "alias.refused", alias_refused(name, alias), alias=alias, version=str(version))
        if prompts.alias_follows(alias):
            self._keep_linked(name, asked=f"move the alias {alias!r} of {name}")
        self._plain.set_registered_model_alias(name, alias, version)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Delete an alias, unless it is one that follows the state."""
        if is_governed_alias(alias) and self._governs(name):
            self._deny(name, "alias.refused", alias_refused(name, alias), alias=alias)
        if prompts.alias_follows(alias):
            self._keep_linked(name, asked=f"delete the alias {alias!r} of {name}")
        self._plain.delete_registered_model_alias(name, alias)

    def set_model_version_tag(self, name: str, version: str, tag: ModelVersionTag) -> None:
        """Set a tag; in the ``ordinis.`` namespace only what verifies, and requests."""
        if prompts.changes_prompt([tag.key]):
            self._keep_linked(name, asked=f"set the tag {tag.key!r} of {name} {version}")
        if not is_governed_tag(tag.key) or not self._governs(name):
            self._plain.set_model_version_tag(name, version, tag)
        elif tag.key == prompts.LINK_REQUEST:
            self._link_prompts(name, str(version))
        elif tag.key == LIFT_TAG:
            self._lift_cool_down(name, str(version), tag.value)
        elif tag.key == EVIDENCE_HASH_REQUEST:
            self._tell_evidence_hash(name, str(version))
        elif tag.key in RETENTION_REQUESTS:
            self._retain(name, str(version), tag)
        else:
            self._submit(name, str(version), tag)

    def delete_model_version_tag(self, name: str, version: str, key: str) -> None:
        """Delete a tag, unless it lies in the ``ordinis.`` namespace."""
        if is_governed_tag(key) and self._governs(name):
            error = tag_deletion_refused(name, key)
            self._deny(name, "tag.refused", error, key=key, version=str(version))
        if prompts.changes_prompt([key]):
            self._keep_linked(name, asked=f"delete the tag {key!r} of {name} {version}")
        self._plain.delete_model_version_tag(name, version, key)

    def set_registered_model_tag(self, name: str, tag: RegisteredModelTag) -> None:
        """Set a tag of a model; ``ordinis.request.rollback`` is not stored but carried out."""
        governed = is_governed_tag(tag.key) and self._governs(name)
        if governed and tag.key == ROLLBACK_REQUEST:
            request = _translated(read_rollback_request, tag.value)
            self.roll_back(
                name,
                reason=request.reason,
                from_version=request.from_version,
                order=request.order,
            )
            return
        if governed:
            self._deny(name, "tag.refused", model_tag_refused(name, tag.key), key=tag.key)
        if prompts.changes_prompt([tag.key]):
            self._keep_linked(name, asked=f"set the tag {tag.key!r} of {name}")
        self._plain.set_registered_model_tag(name, tag)

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Delete a tag of a model, unless it lies in the ``ordinis.`` namespace."""
        if is_governed_tag(key) and self._governs(name):
            self._deny(name, "tag.refused", tag_deletion_refused(name, key), key=key)
        if prompts.changes_prompt([key]):
            self._keep_linked(name, asked=f"delete the tag {key!r} of {name}")
        self._plain.delete_registered_model_tag(name, key)

    def delete_model_version(self, name: str, version: str) -> None:
        """Delete a version that is not ACTIVE, in SHADOW or last known good."""
        if not self._governs(name):
            self._plain.delete_model_version(name, version)
            return
        self._keep_linked(name, asked=f"delete {name} {version}")
        refused: LearnError | None = None
        with self._change(name) as change:
            change.state(str(version))
            pointers = change.pointers
            refused = deletion_refused(name, pointers, version=str(version)) or deletion_held(
                change, str(version)
            )
            if refused is None:
                self._plain.delete_model_version(name, version)
                change.record(
                    "version.deleted", {"version": str(version)}, pointers=pointers.forgotten(str(version))
                )
            else:
                change.record("deletion.refused", {"version": str(version), "found": refused.found})
        if refused is not None:
            raise refusal(refused)

    def delete_registered_model(self, name: str) -> None:
        """Delete a model that has never traded and has nothing in SHADOW; its chain stays."""
        if not self._governs(name):
            self._plain.delete_registered_model(name)
            return
        self._plain.get_registered_model(name)
        self._keep_linked(name, asked=f"delete {name}")
        refused: LearnError | None = None
        with self._change(name) as change:
            refused = deletion_refused(name, change.pointers) or deletion_held(change)
            if refused is None:
                self._plain.delete_registered_model(name)
                change.record("model.deleted", {}, pointers=Pointers())
            else:
                change.record("deletion.refused", {"found": refused.found})
        if refused is not None:
            raise refusal(refused)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Rename a model without versions: records and statements are bound to the name.

        A model that is not governed cannot slip under a governed name with what it has active either.
        """
        _validate_model_renaming(new_name)
        if not self._governs(name) and not self._governs(new_name):
            return self._plain.rename_registered_model(name, new_name)
        self._plain.get_registered_model(name)
        self._require_guarded(new_name)
        refused: LearnError | None = None
        renamed: RegisteredModel | None = None
        with self._change(name) as change:
            if change.has_versions():
                refused = rename_refused(name, new_name)
                change.record("rename.refused", {"new_name": new_name})
            else:
                change.permit(new_name)
                renamed = self._plain.rename_registered_model(name, new_name)
                change.record("model.renamed", {"new_name": new_name})
        if refused is not None:
            raise refusal(refused)
        return renamed

    # ---- prompts that follow a pack ------------------------------------------------------------

    def get_model_version(self, name: str, version: str) -> ModelVersion:
        """Return a version; a linked prompt only where it says what was linked."""
        return self._unaltered(self._plain.get_model_version(name, version))

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version an alias names; a linked prompt only where it says what was linked, and the alias belongs there."""
        return self._unaltered(self._plain.get_model_version_by_alias(name, alias), alias=alias)

    def _unaltered(self, found: ModelVersion, *, alias: str = "") -> ModelVersion:
        if could_be_linked(found.name) and self._governs(found.name):
            subject = self._subject(found.name)
            with Session(self.engine) as session:
                error = prompts.altered(session, subject, found)
                if error is None and alias:
                    error = prompts.misplaced(session, subject, alias, found)
            if error is not None:
                raise refusal(error)
        return found

    def _keep_linked(self, name: str, *, asked: str) -> None:
        """Refuse, and record, what would change a linked prompt by hand."""
        if not could_be_linked(name) or not self._governs(name):
            return
        with Session(self.engine) as session:
            pack = prompts.of_pack(session, self._subject(name))
        if pack is not None:
            self._deny(name, "prompt.refused", prompts.hand_made(name, pack, asked=asked), asked=asked)

    def _link_prompts(self, name: str, version: str) -> None:
        uri = self._plain.get_model_version_download_uri(name, version)
        pack, digest = _translated(
            partial(prompts.read_pack, name=name, version=version), self._artifacts, uri
        )
        with self._change(name) as change:
            prompts.link(change, version, pack=pack, digest=digest, governs=self._governs)

    def _subject(self, name: str) -> str:
        return subject_of(name, workspace=self._get_active_workspace())

    # ---- what all of them use -------------------------------------------------------------------

    @property
    def _plain(self) -> Any:
        """MLflow's own methods, without guards."""
        return super()

    @contextmanager
    def _change(self, name: str, *, workspace: str | None = None) -> Iterator[Change]:
        _validate_model_name(name)
        with self._transactions.change() as session:
            yield Change(
                session,
                plain=self._plain,
                name=name,
                workspace=workspace or self._get_active_workspace(),
                actor=current_actor(),
                at=self._clock(),
                env=self._settings.profile,
            )

    @contextmanager
    def _change_of(self, subject: str) -> Iterator[Change]:
        """Open a change of a model in its own workspace, whichever the request is in."""
        workspace, _ = split_subject(subject)
        with in_workspace_of(subject) as name, self._change(name, workspace=workspace) as change:
            yield change

    def _deny(self, name: str, action: str, error: LearnError, **body: Any) -> NoReturn:
        """Record a refusal, then raise it; MLflow's own error comes first where there is no such model."""
        self._plain.get_registered_model(name)
        with self._change(name) as change:
            change.record(action, {**body, "found": error.found})
        raise refusal(error)

    def _submit(self, name: str, version: str, tag: ModelVersionTag) -> None:
        stored = self._artifacts.digest(self._plain.get_model_version_download_uri(name, version))
        refused: EvidenceInvalid | None = None
        with self._change(name) as change:
            try:
                accept_statement(change, version, key=tag.key, text=tag.value, stored_sha256=stored)
            except EvidenceInvalid as error:
                refused = error
                change.record("evidence.refused", {"version": version, "key": tag.key, "found": error.found})
        if refused is not None:
            raise refusal(refused)

    def _lift_cool_down(self, name: str, version: str, text: str) -> None:
        refused: EvidenceInvalid | None = None
        with self._change(name) as change:
            try:
                cool_down.sign_lift(change, version, text=text)
            except EvidenceInvalid as error:
                refused = error
                change.record("cool_down.lift_refused", {"version": version, "found": error.found})
        if refused is not None:
            raise refusal(refused)

    def _retain(self, name: str, version: str, tag: ModelVersionTag) -> None:
        with self._change(name) as change:
            folder, refused = answer(
                change,
                version,
                request=tag.key,
                reason=tag.value or "",
                artifacts=self._artifacts,
                settings=self._settings,
            )
        if refused is not None:
            raise refusal(refused)
        if folder is not None:
            _translated(remove, folder)

    def _tell_evidence_hash(self, name: str, version: str) -> None:
        stored = self._artifacts.digest(self._plain.get_model_version_download_uri(name, version))
        with self._change(name) as change:
            runs = self._run_facts(change, version, State.ACTIVE)
            told = evidence_hash(rollout.gather(change, version, stored_sha256=stored, runs=runs))
            change.tag(version, EVIDENCE_HASH_TAG, told)

    def _run_facts(self, change: Change, version: str, state: State) -> RunFacts:
        """Return what the runs say that the policy asks about; most policies ask nothing."""
        names = NO_RUN_METRICS if state is State.RETIRED else run_metrics_named(self._load_policy())
        return read_runs(change, version, names=names, artifacts=self._artifacts)

    def _exists(self, name: str) -> bool:
        try:
            self._plain.get_registered_model(name)
        except MlflowException:
            return False
        return True

    def _governs(self, name: str) -> bool:
        """Tell whether the policy is about a model; one that cannot be read is about all of them.

        What is no name at all is left for MLflow to refuse in its own words.
        """
        try:
            return isinstance(name, str) and governs(self._load_policy(), name)
        except LearnError:
            return True

    def _require_guarded(self, name: str) -> None:
        """See that no client without the gate could take a governed model of this name."""
        if self._governs(name) and not seen_by_triggers(name, self._scope()):
            raise refusal(name_refused(name))

    def _scope(self) -> tuple[str, ...]:
        """Return the patterns of governed names; all of them where the policy cannot be read."""
        try:
            return self._load_policy().governs.names
        except LearnError:
            return ("*",)

    def _load_policy(self) -> Policy:
        if self._policy is None:
            self._policy = load_policy(self._policy_id, settings=self._settings)
        return self._policy


class OrdinisSqlAlchemyStore(ReplicaReadsMixin, GovernedStoreMixin, SqlAlchemyStore):  # type: ignore[misc]
    """MLflow's SQL registry store with the gate in front."""


class OrdinisWorkspaceSqlAlchemyStore(
    ReplicaReadsMixin,
    GovernedStoreMixin,
    WorkspaceAwareSqlAlchemyStore,  # type: ignore[misc]
):
    """The same where models are kept apart by workspace: each has its own chain, state and statements."""


def store_class() -> type[OrdinisSqlAlchemyStore | OrdinisWorkspaceSqlAlchemyStore]:
    """Return the class that MLflow's setting asks for."""
    return OrdinisWorkspaceSqlAlchemyStore if MLFLOW_ENABLE_WORKSPACES.get() else OrdinisSqlAlchemyStore


def _translated(read: Callable[..., _T], *arguments: Any) -> _T:
    """Do something small, e.g. read a text; raise MLflow's error where it fails."""
    try:
        return read(*arguments)
    except (
        ArtifactMissing,
        AuditWriteFailed,
        ConfigInvalid,
        DataCorrupt,
        StoreUnavailable,
    ) as error:
        raise refusal(error) from error


def _mlflow_name(stage: str) -> str:
    """Return MLflow's name of a stage; what is none is left for MLflow to refuse in its own words."""
    try:
        return mlflow_stage(parse_stage(stage))
    except ConfigInvalid:
        return stage


def _system_clock() -> datetime:
    return datetime.now(UTC)

"""The model registry through MLflow's own client: the same door as any user's, in-process or over REST."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mlflow import MlflowClient  # noqa: TID253  a leaf, loaded by name
from mlflow.entities.model_registry import ModelVersion  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.errors import ArtifactMissing, DataCorrupt, EvidenceInvalid, StoreUnavailable
from ordinis_learn.observability.tracing import traceparent
from ordinis_learn.ports import Clock, Standing
from ordinis_learn.records import (
    Approval,
    GateDecision,
    ModelArtifact,
    ModelRef,
    Record,
    RollbackOrder,
    ShadowReport,
    State,
    tree_sha256,
)
from ordinis_learn.rollout.evidence import check_statement, text_sha256
from ordinis_learn.rollout.states import parse_stage
from ordinis_learn.rollout.tags import SHADOW_TAG, TRAINING_TAG, kind_of
from ordinis_mlflow._artifacts import ArtifactReader, bundle_of, logged_model_id
from ordinis_mlflow._change import DECISION_TAG, DIGEST_TAG, EVIDENCE_HASH_TAG
from ordinis_mlflow._failures import translated
from ordinis_mlflow._prompts import LINK_REQUEST, PROMPTS_TAG
from ordinis_mlflow._refusals import as_learn_error
from ordinis_mlflow._retention_client import RetentionClient
from ordinis_mlflow._standings import by_ledger, by_server
from ordinis_mlflow._workspaces import SubjectClient, in_workspace_of
from ordinis_mlflow.guards import (
    EVIDENCE_HASH_REQUEST,
    ROLLBACK_REQUEST,
    RollbackRequest,
    write_rollback_request,
)
from ordinis_registry import ledger
from ordinis_registry.acceptance import accepted_statements
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.identities import known_identities

__all__ = ["MlflowModelRegistry"]

_GONE: Final = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ENDPOINT_NOT_FOUND"})


class MlflowModelRegistry(RetentionClient):
    """Governed model versions in MLflow; see :class:`ordinis_learn.ports.ModelRegistry` for the contract.

    A model outside MLflow's default workspace is called ``workspace/name`` here, as in the ledger.

    Parameters
    ----------
    registry_uri : str
        ``ordinis+sqlite:///…``, ``ordinis+postgresql://…``, or a server that runs on one of them.
    tracking_uri : str
        Where the runs and logged models behind the versions are.
    database : GovernanceDatabase
        Where the trusted identities are looked up when statements are read back.
    clock : Clock, optional
        At which moment a key must be trusted; default is the system's.
    """

    def __init__(
        self,
        *,
        registry_uri: str,
        tracking_uri: str,
        database: GovernanceDatabase,
        clock: Clock | None = None,
    ) -> None:
        self._uri = registry_uri
        self._database = database
        self._clock: Clock = _system_clock if clock is None else clock
        self._artifacts = ArtifactReader(tracking_uri)
        with translated("open the model registry", uri=registry_uri):
            self._whole = MlflowClient(tracking_uri=tracking_uri, registry_uri=registry_uri)
            self._client = SubjectClient(self._whole)
        self._scratch: Path | None = None

    def register(self, artifact: ModelArtifact, *, model_uri: str) -> ModelArtifact:
        """Create a version from a logged model; return the artifact with version, address and digest."""
        name = artifact.name
        with self._asked(f"register {name} from {model_uri}"):
            self._ensure_model(name)
            trace = traceparent()
            made = self._client.create_model_version(
                name,
                source=model_uri,
                run_id=artifact.run_id,
                tags=None if trace is None else {"traceparent": trace},
                model_id=logged_model_id(model_uri),  # a server insists on it
                await_creation_for=0,
            )
        version = str(made.version)
        digest = self._digest(name, version, asked=f"read the digest of {name} {version}")
        return artifact.model_copy(
            update={"version": version, "path_ref": f"models:/{name}/{version}", "artifact_sha256": digest}
        )

    def local_path(self, name: str, version: str) -> Path:
        """Return the folder of a version's bundle, after comparing the model's bytes with its digest."""
        folder = self._model_folder(name, version)
        asked = f"read the digest of {name} {version}"
        expected, found = self._recorded_digest(name, version, asked=asked), tree_sha256(folder)
        if expected is None and self._statements(name, version, kind=TRAINING_TAG):
            expected = found  # the registry could not read it, and the trainer signed for these bytes
        if found != expected:
            raise DataCorrupt(
                f"read the model {name} {version}",
                found=f"its bytes have the digest {found[:12]}…, registered is {str(expected)[:12]}…",
                next_step="restore the artifact from a backup, or register a new version",
                found_sha256=found,
                expected_sha256=expected,
            )
        return bundle_of(folder, name=name, version=version)

    def link_prompts(self, name: str, version: str) -> dict[str, str]:
        """Ask the store to make the prompts of a pack's version; nothing where no governed store answers."""
        asked = f"link {name} {version} to MLflow's prompt registry"
        with self._asked(asked):
            self._client.set_model_version_tag(name, version, LINK_REQUEST, "now")
        return self.linked_prompts(name, version)

    def linked_prompts(self, name: str, version: str) -> dict[str, str]:
        """Return the addresses of a version's linked prompts by task."""
        tags = self._version(name, version, asked=f"read the prompts of {name} {version}").tags
        linked: dict[str, str] = json.loads(tags.get(PROMPTS_TAG, "{}"))
        return linked

    def transition(self, name: str, version: str, state: State) -> GateDecision:
        """Ask for a state; a refusal is RolloutDenied with the decision and the full message."""
        asked = f"move {name} {version} to {state.value}"
        with self._asked(asked), warnings.catch_warnings():
            # MLflow calls stages deprecated; ours map to them so that its clients and pages keep working.
            warnings.simplefilter("ignore", FutureWarning)
            self._client.transition_model_version_stage(name, version, state.value.lower())
        text = self._version(name, version, asked=asked).tags[DECISION_TAG]
        return GateDecision.model_validate_json(text)

    def submit_evidence(self, name: str, version: str, *, key: str, envelope: str) -> None:
        """Attach a signed statement; EvidenceInvalid when the registry does not accept it."""
        with self._asked(f"attach {key} to {name} {version}"):
            self._client.set_model_version_tag(name, version, key, envelope)

    def reference(self, name: str, version: str) -> ModelRef:
        """Return a version with its registered digest; of bytes that the registry could not read, theirs now."""
        return ModelRef(
            name=name,
            version=version,
            artifact_sha256=self._digest(name, version, asked=f"find version {version} of {name!r}"),
        )

    def state(self, name: str, version: str) -> State:
        """Return a version's state."""
        return parse_stage(
            self._version(name, version, asked=f"read the state of {name} {version}").current_stage
        )

    def evidence_hash(self, name: str, version: str) -> str:
        """Return the hash of what the gate would read now; an approval is bound to it."""
        asked = f"hash the evidence of {name} {version}"
        with self._asked(asked):
            self._client.set_model_version_tag(name, version, EVIDENCE_HASH_REQUEST, "now")
        return str(self._version(name, version, asked=asked).tags[EVIDENCE_HASH_TAG])

    def shadow_report(self, name: str, version: str) -> ShadowReport | None:
        """Return the verified shadow report of a version, if it has one."""
        for record in self._statements(name, version, kind=SHADOW_TAG):
            if isinstance(record, ShadowReport):
                return record
        return None

    def approvals(self, name: str, version: str) -> Sequence[Approval]:
        """Return the verified answers of approvers to a version, valid or not any more."""
        records = self._statements(name, version, kind="ordinis.approval.")
        return [record for record in records if isinstance(record, Approval)]

    def training(self, name: str, version: str) -> ModelArtifact | None:
        """Return what the verified training statement of a version says, if it has one."""
        for record in self._statements(name, version, kind=TRAINING_TAG):
            if isinstance(record, ModelArtifact):
                return record
        return None

    def standings(self) -> Mapping[str, Standing]:
        """Return what is in use of every governed model: by the ledger, or by the tags of a server in front of it."""
        if not self._uri.startswith("ordinis+"):
            with self._asked("list what is in use"):
                return by_server(self._whole)
        with self._database.reading() as session:
            return by_ledger(session)

    def active_version(self, name: str) -> str | None:
        """Return the ACTIVE version of a model, None when flat or when there is no such model."""
        with suppress(MlflowException):  # which of the reasons it has is asked below
            return str(self._client.get_model_version_by_alias(name, "active").version)
        try:
            aliases = self._client.get_registered_model(name).aliases
        except MlflowException as error:
            if error.error_code in _GONE:
                return None
            raise as_learn_error(error, asked=f"read what is active of {name}", uri=self._uri) from error
        version = aliases.get("active")
        return None if version is None else str(version)

    def incumbent(self, name: str) -> str | None:
        """Return the version to beat, by the ledger; by the alias where the ledger knows nothing yet."""
        with self._database.reading() as session:
            known = ledger.pointers(session, name)
        return self.active_version(name) if known is None else known.incumbent

    def roll_back(
        self,
        name: str,
        *,
        reason: str,
        from_version: str | None = None,
        order: RollbackOrder | None = None,
    ) -> str | None:
        """Swap to the last known good version; None when the model is flat now.

        The request names the version it was made against, so that a retry does not roll back twice.
        """
        active = self.active_version(name)
        if active is None:
            with self._asked(f"roll back {name}"):
                self._client.get_registered_model(name)
            return None
        request = RollbackRequest(reason=reason, from_version=from_version or active, order=order)
        with self._asked(f"roll {name} back from {active}"):
            self._client.set_registered_model_tag(name, ROLLBACK_REQUEST, write_rollback_request(request))
        return self.active_version(name)

    def _ensure_model(self, name: str) -> None:
        try:
            self._client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code not in _GONE:
                raise
            self._client.create_registered_model(name)

    def _version(self, name: str, version: str, *, asked: str) -> ModelVersion:
        with self._asked(asked):
            found: ModelVersion = self._client.get_model_version(name, version)
        return found

    def _recorded_digest(self, name: str, version: str, *, asked: str) -> str | None:
        tags = self._version(name, version, asked=asked).tags
        digest = tags.get(DIGEST_TAG)
        return None if digest is None else str(digest)

    def _digest(self, name: str, version: str, *, asked: str) -> str:
        recorded = self._recorded_digest(name, version, asked=asked)
        return tree_sha256(self._model_folder(name, version)) if recorded is None else recorded

    def _model_folder(self, name: str, version: str) -> Path:
        asked = f"read the model {name} {version}"
        with self._asked(asked):
            uri = self._client.get_model_version_download_uri(name, version)
            with in_workspace_of(name, with_threads=True):
                folder = self._artifacts.fetch(uri, into=self._scratch_for(name, version))
        if not folder.is_dir():
            raise ArtifactMissing(
                asked, found=f"no folder {folder}", next_step="restore it from a backup, or train again"
            )
        return folder

    def _scratch_for(self, name: str, version: str) -> Path:
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="ordinis-models-"))
            weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        folder = self._scratch / name / version
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _statements(self, name: str, version: str, *, kind: str) -> list[Record]:
        tags = self._version(name, version, asked=f"read the statements on {name} {version}").tags
        subject = self.reference(name, version)
        with self._database.reading() as session:
            identities = known_identities(session)
            accepted = accepted_statements(session, name, identities=identities)
        records: list[Record] = []
        for key in sorted(key for key in tags if key.startswith(kind) and kind_of(key)):
            try:
                statement = check_statement(
                    key,
                    tags[key],
                    subject=subject,
                    identities=identities,
                    now=self._clock(),
                    accepted_at=accepted.get(text_sha256(tags[key])),
                )
            except EvidenceInvalid:
                continue  # the gate names these as faults; readers get what verifies
            records.append(statement.record)
        return records

    @contextmanager
    def _asked(self, asked: str) -> Iterator[None]:
        try:
            yield
        except MlflowException as error:
            raise as_learn_error(error, asked=asked, uri=self._uri) from error
        except OSError as error:
            raise StoreUnavailable(
                asked, found=str(error), next_step="see that the registry can be reached, then try again"
            ) from error


def _system_clock() -> datetime:
    return datetime.now(UTC)

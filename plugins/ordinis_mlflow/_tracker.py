"""Runs in MLflow through its client alone; see :class:`ordinis_mlflow.tracker.MlflowTracker`.

Longer than most files: a run and the store that opens it share the client, what one call of it takes, and its errors.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

import mlflow.artifacts  # noqa: TID253  a leaf of the plugin
from mlflow import MlflowClient  # noqa: TID253
from mlflow.entities import Metric, Param, RunTag  # noqa: TID253
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.tracking.context.registry import resolve_tags  # noqa: TID253
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID  # noqa: TID253

from ordinis_learn.errors import ArtifactMissing, StoreUnavailable
from ordinis_learn.observability.tracing import traceparent
from ordinis_learn.ports import ModelExample
from ordinis_learn.records import DatasetManifest
from ordinis_learn.training.provenance import UNKNOWN_COMMIT
from ordinis_mlflow._dataset import DIGEST_LENGTH, dataset_input
from ordinis_mlflow._failures import masked, translated
from ordinis_mlflow._model import log_bundle
from ordinis_registry.subjects import split_subject

__all__ = ["MlflowRun", "RunStore"]

T = TypeVar("T")

# What one call of MLflow's log_batch takes.
_METRICS_PER_CALL: Final = 1000
_PARAMS_PER_CALL: Final = 100
_TAGS_PER_CALL: Final = 100
_TAG_CHARACTERS: Final = 5000
_NOT_THERE: Final = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})

_SKIPPED_TAG: Final = "ordinis.metrics_undefined"
_ERROR_TAG: Final = "ordinis.error"
_COMMIT_TAG: Final = "ordinis.code_commit"


class MlflowRun:
    """One open run; the port is described at :class:`ordinis_learn.ports.Run`."""

    def __init__(
        self, client: MlflowClient, *, uri: str, run_id: str, experiment_id: str, system_metrics: bool = False
    ) -> None:
        self._client = client
        self._system_metrics = system_metrics
        self._uri = uri
        self._run_id = run_id
        self._experiment_id = experiment_id
        self._summary: dict[str, Metric] = {}
        self._skipped: set[str] = set()
        self._dataset: DatasetManifest | None = None

    @property
    def run_id(self) -> str:
        """MLflow's run id."""
        return self._run_id

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record parameters; a second, different value for one is ConfigInvalid."""
        with self._translated("log parameters"):
            for batch in _batches((Param(k, str(v)) for k, v in params.items()), _PARAMS_PER_CALL):
                self._client.log_batch(self._run_id, params=batch)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Record metrics at a step; undefined ones are named in a tag instead."""
        now = _now_ms()
        points = [Metric(key, float(value), now, step) for key, value in metrics.items()]
        self._summary |= {point.key: point for point in points if math.isfinite(point.value)}
        self._log(points)

    def log_series(self, metrics: Mapping[str, Sequence[float]]) -> None:
        """Record whole curves, a thousand points per call."""
        now = _now_ms()
        self._log(
            Metric(key, float(value), now, step)
            for key, values in metrics.items()
            for step, value in enumerate(values)
        )

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Record tags; the commit is repeated under MLflow's own name, which its pages show."""
        named = (RunTag(key, value) for key, value in _with_commit(tags).items())
        with self._translated("set tags"):
            for batch in _batches(named, _TAGS_PER_CALL):
                self._client.log_batch(self._run_id, tags=batch)

    def log_dataset(self, manifest: DatasetManifest, *, folder: Path) -> None:
        """Record the dataset input; MLflow keeps the first 36 characters of our digest as its own."""
        with self._translated("log the dataset input"):
            self._client.log_inputs(self._run_id, [dataset_input(manifest, folder=folder)])
        self._dataset = manifest
        self.set_tags({"ordinis.dataset_sha256": manifest.content_sha256})

    def log_file(self, path: Path, *, folder: str = "") -> None:
        """Copy a file into the run's artifacts."""
        with self._translated(f"log {path.name}"):
            self._client.log_artifact(self._run_id, str(path), folder or None)

    def log_json(self, value: Any, *, path: str) -> None:
        """Write a JSON artifact; NaN and infinities become null."""
        plain = json.loads(json.dumps(value), parse_constant=lambda _: None)
        with self._translated(f"log {path}"):
            self._client.log_text(self._run_id, json.dumps(plain, indent=2, sort_keys=True) + "\n", path)

    def log_model(
        self,
        bundle: Path,
        *,
        name: str,
        feature_names: Sequence[str],
        model_type: str = "signal_model",
        example: ModelExample | None = None,
    ) -> str:
        """Store a bundle as a logged model of this run, with the summary metrics; return ``models:/m-…``."""
        with self._translated(f"log the model {name}"):
            model = log_bundle(
                self._client,
                bundle,
                name=split_subject(name)[1],  # a logged model is called as MLflow calls it in its workspace
                feature_names=feature_names,
                model_type=model_type,
                example=example,
                run_id=self._run_id,
                experiment_id=self._experiment_id,
            )
            for batch in _batches(self._model_metrics(model.model_id), _METRICS_PER_CALL):
                self._client.log_batch(self._run_id, metrics=batch)
        return str(model.model_uri)

    def model_folder(self, model_uri: str) -> Path:
        """Return the logged model's folder: itself where it is local, else a copy."""
        with self._translated(f"fetch {model_uri}"):
            model = self._client.get_logged_model(model_uri.removeprefix("models:/"))
            local = mlflow.artifacts.download_artifacts(
                artifact_uri=model.artifact_location, tracking_uri=self._uri
            )
        return Path(local)

    def watched(self) -> AbstractContextManager[None]:
        """Record MLflow's system metrics until the block is left, where they are asked for."""
        if not self._system_metrics:
            return nullcontext()
        from ordinis_mlflow._system_metrics import watched  # noqa: PLC0415  MLflow

        return watched(self._run_id, tracking_uri=self._uri)

    def close(self, status: str) -> None:
        """End the run; a run that failed carries its error as a tag."""
        error = sys.exception()
        if status == "FAILED" and error is not None:
            self.set_tags({_ERROR_TAG: f"{type(error).__name__}: {error}"[:_TAG_CHARACTERS]})
        with self._translated("end the run"):
            self._client.set_terminated(self._run_id, status)

    def _log(self, points: Iterable[Metric]) -> None:
        kept = []
        for point in points:
            if math.isfinite(point.value):
                kept.append(point)
            else:
                self._skipped.add(point.key)
        with self._translated("log metrics"):
            for batch in _batches(kept, _METRICS_PER_CALL):
                self._client.log_batch(self._run_id, metrics=batch)
        if self._skipped:
            self.set_tags({_SKIPPED_TAG: ", ".join(sorted(self._skipped))[:_TAG_CHARACTERS]})

    def _model_metrics(self, model_id: str) -> Iterator[Metric]:
        """Repeat the summary for the model's own page, with the dataset that it speaks of."""
        named = self._dataset
        for point in self._summary.values():
            yield Metric(
                point.key,
                point.value,
                point.timestamp,
                point.step,
                model_id=model_id,
                run_id=self._run_id,
                dataset_name=named.dataset_id if named else None,
                dataset_digest=named.content_sha256[:DIGEST_LENGTH] if named else None,
            )

    def _translated(self, what: str) -> Any:
        return translated(f"{what} in run {self._run_id}", uri=self._uri)


class RunStore:
    """Opens runs in one experiment of one tracking store."""

    def __init__(
        self,
        tracking_uri: str,
        *,
        experiment: str,
        artifact_root: Path | None,
        parent_run_id: str | None,
        system_metrics: bool,
    ) -> None:
        self._uri = tracking_uri
        self._system_metrics = system_metrics
        self._parent_run_id = parent_run_id
        with translated(f"open the tracking store {masked(tracking_uri)}", uri=tracking_uri):
            self._client = MlflowClient(tracking_uri=tracking_uri)
            if parent_run_id is None:
                self._experiment_id = self._experiment(experiment, artifact_root=artifact_root)
            else:
                self._experiment_id = self._client.get_run(parent_run_id).info.experiment_id

    def open(self, name: str, *, parent_run_id: str | None, tags: Mapping[str, str]) -> MlflowRun:
        """Create a run that is RUNNING; the caller closes it."""
        parent = parent_run_id or self._parent_run_id
        linked = {} if parent is None else {MLFLOW_PARENT_RUN_ID: parent}
        trace = traceparent()
        if trace is not None:
            linked["ordinis.traceparent"] = trace
        with translated(f"open the run {name!r}", uri=self._uri):
            created = self._client.create_run(
                self._experiment_id, run_name=name, tags=resolve_tags(linked | _with_commit(tags))
            )
        return MlflowRun(
            self._client,
            uri=self._uri,
            run_id=created.info.run_id,
            experiment_id=self._experiment_id,
            system_metrics=self._system_metrics,
        )

    def read_json(self, run_id: str, *, path: str) -> Any:
        """Return a JSON artifact of a run."""
        asked = f"read {path} of run {run_id}"
        with translated(asked, uri=self._uri):
            try:
                folder = str(PurePosixPath(path).parent)
                listed = self._client.list_artifacts(run_id, None if folder == "." else folder)
                known = path in {entry.path for entry in listed}
            except MlflowException as error:
                if error.error_code not in _NOT_THERE:
                    raise
                known = False
            if known:
                with tempfile.TemporaryDirectory(prefix="ordinis-read-") as scratch:
                    local = Path(self._client.download_artifacts(run_id, path, scratch))
                    return json.loads(local.read_bytes())
        raise ArtifactMissing(
            asked, found="no such run or artifact", next_step="look at the run in the MLflow UI"
        )

    def find_run(self, tag: str, value: str) -> str | None:
        """Return the id of a finished run that carries a tag, the newest; None where there is none."""
        wanted = f"tags.`{tag}` = '{value}' and attributes.status = 'FINISHED'"
        with translated(f"find the run with {tag} {value}", uri=self._uri):
            found = self._client.search_runs([self._experiment_id], wanted, max_results=1)
        return str(found[0].info.run_id) if found else None

    def open_runs(self) -> dict[str, dict[str, str]]:
        """Return the tags of every run that is RUNNING, by its id."""
        found: dict[str, dict[str, str]] = {}
        page: str | None = None
        with translated("look for runs that are open", uri=self._uri):
            while True:
                runs = self._client.search_runs(
                    [self._experiment_id], "attributes.status = 'RUNNING'", page_token=page
                )
                found |= {run.info.run_id: dict(run.data.tags) for run in runs}
                page = runs.token
                if not page:
                    return found

    def end_run(self, run_id: str, *, reason: str) -> None:
        """Say why, then end the run as KILLED."""
        with translated(f"end run {run_id}", uri=self._uri):
            self._client.set_tag(run_id, _ERROR_TAG, reason[:_TAG_CHARACTERS])
            self._client.set_terminated(run_id, "KILLED")

    def _experiment(self, name: str, *, artifact_root: Path | None) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            is_server = self._uri.startswith(("http://", "https://"))
            # With workspaces MLflow keeps each one's artifacts apart itself, and takes no place from anybody.
            place = None if is_server or MLFLOW_ENABLE_WORKSPACES.get() else artifact_root
            root = None if place is None else place.absolute().as_uri()
            try:
                return str(self._client.create_experiment(name, artifact_location=root))
            except MlflowException as error:
                # Another process was first.
                found = self._client.get_experiment_by_name(name)
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise StoreUnavailable(
                f"open the experiment {name!r}",
                found="it was deleted",
                next_step=f"mlflow experiments restore --experiment-id {found.experiment_id}",
            )
        return str(found.experiment_id)


def _with_commit(tags: Mapping[str, str]) -> dict[str, str]:
    commit = tags.get(_COMMIT_TAG, UNKNOWN_COMMIT)
    return dict(tags) if commit == UNKNOWN_COMMIT else {**tags, MLFLOW_GIT_COMMIT: commit}


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

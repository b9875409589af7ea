"""A tracker in memory; only model bundles touch the disk, for they are folders."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, StoreUnavailable
from ordinis_learn.ports import ModelExample, Run
from ordinis_learn.records import DatasetManifest
from ordinis_learn.training.processes import Process

__all__ = ["InMemoryRun", "InMemoryTracker"]


@dataclass(kw_only=True, eq=False)
class InMemoryRun:
    """A run and everything that was recorded in it, for assertions.

    ``metrics`` holds (step, value) pairs in order of logging; ``undefined`` names metrics that had a point
    which was not finite. ``status`` is RUNNING, FINISHED, FAILED or KILLED.
    """

    run_id: str
    name: str
    parent_run_id: str | None
    folder: Path
    status: str = "RUNNING"
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    undefined: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[DatasetManifest, Path]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    models: dict[str, tuple[str, ...]] = field(default_factory=dict)
    examples: dict[str, ModelExample] = field(default_factory=dict)
    was_watched: bool = False

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record parameters; a second, different value for one is ConfigInvalid."""
        for key, value in params.items():
            if self.params.get(key, str(value)) != str(value):
                raise ConfigInvalid(
                    f"log parameters in run {self.run_id}",
                    found=f"{key} is already {self.params[key]!r}, not {value!r}",
                    next_step="correct the value and run again",
                )
            self.params[key] = str(value)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Record finite metrics at a step."""
        for key, value in metrics.items():
            self._point(key, step=step, value=float(value))

    def log_series(self, metrics: Mapping[str, Sequence[float]]) -> None:
        """Record whole curves, one point per step from 0."""
        for key, values in metrics.items():
            for step, value in enumerate(values):
                self._point(key, step=step, value=float(value))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Record tags."""
        self.tags |= tags

    def log_dataset(self, manifest: DatasetManifest, *, folder: Path) -> None:
        """Record the dataset input."""
        self.datasets.append((manifest, folder))

    def log_file(self, path: Path, *, folder: str = "") -> None:
        """Keep a file's bytes under ``folder/name``."""
        try:
            self.files[f"{folder}/{path.name}" if folder else path.name] = path.read_bytes()
        except OSError as error:
            raise StoreUnavailable(
                f"log {path.name} in run {self.run_id}",
                found=f"{type(error).__name__}: {error.strerror}",
                next_step="give a file that exists and can be read",
            ) from error

    def log_json(self, value: Any, *, path: str) -> None:
        """Keep a JSON text; NaN and infinities become null."""
        plain = json.loads(json.dumps(value), parse_constant=lambda _: None)
        self.files[path] = (json.dumps(plain, indent=2, sort_keys=True) + "\n").encode()

    def log_model(
        self,
        bundle: Path,
        *,
        name: str,
        feature_names: Sequence[str],
        model_type: str = "signal_model",
        example: ModelExample | None = None,
    ) -> str:
        """Copy a bundle to ``data/<bundle>`` in a model folder of its own; return its URI."""
        del model_type
        uri = f"models:/{name}-{self.run_id}-{len(self.models)}"
        if example is not None:
            self.examples[uri] = example
        shutil.copytree(bundle, self.model_folder(uri) / "data" / bundle.name)
        self.models[uri] = tuple(feature_names)
        return uri

    def model_folder(self, model_uri: str) -> Path:
        """Return the model's folder."""
        return self.folder / model_uri.removeprefix("models:/")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Remember that it was asked for: there is no machine to look at in memory."""
        self.was_watched = True
        yield

    def _point(self, key: str, *, step: int, value: float) -> None:
        if math.isfinite(value):
            self.metrics.setdefault(key, []).append((step, value))
        else:
            self.undefined.add(key)


class InMemoryTracker:
    """The contract of :class:`~ordinis_learn.ports.Tracker` for tests.

    Parameters
    ----------
    folder : Path
        Where model bundles are copied to.
    process : Process, optional
        Who opens its runs; this process where not given.
    """

    def __init__(self, folder: Path, *, process: Process | None = None) -> None:
        self._process = process or Process.here()
        self.runs: list[InMemoryRun] = []
        self._folder = folder

    @contextmanager
    def start_run(
        self, name: str, *, parent: Run | None = None, tags: Mapping[str, str] | None = None
    ) -> Iterator[InMemoryRun]:
        """Open a run; an exception marks it FAILED and is passed on."""
        run = InMemoryRun(
            run_id=f"run{len(self.runs):04d}",
            name=name,
            parent_run_id=parent.run_id if parent else None,
            folder=self._folder,
            tags=self._process.tags() | dict(tags or {}),
        )
        self.runs.append(run)
        status = "FAILED"
        try:
            yield run
            status = "FINISHED"
        finally:
            run.status = status

    def read_json(self, run_id: str, *, path: str) -> Any:
        """Return a JSON artifact of a run."""
        for run in self.runs:
            if run.run_id == run_id and path in run.files:
                return json.loads(run.files[path])
        raise ArtifactMissing(
            f"read {path} of run {run_id}", found="no such run or artifact", next_step="ordinis-learn models"
        )

    def find_run(self, tag: str, value: str) -> str | None:
        """Return the id of a finished run that carries a tag, the newest; None where there is none."""
        found = [run for run in self.runs if run.tags.get(tag) == value and run.status == "FINISHED"]
        return found[-1].run_id if found else None

    def open_runs(self) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of every run that is still RUNNING, by its id."""
        return {run.run_id: dict(run.tags) for run in self.runs if run.status == "RUNNING"}

    def end_run(self, run_id: str, *, reason: str) -> None:
        """End a run as KILLED."""
        for run in self.runs:
            if run.run_id == run_id:
                run.status = "KILLED"
                run.tags["ordinis.error"] = reason

"""The tracker over MLflow; MLflow itself is imported when one is constructed, not before."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ordinis_learn.ports import Run
from ordinis_learn.training.processes import Process

__all__ = ["MlflowTracker", "prepare_environment"]

_DEFAULTS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it looks up a name when it logs
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # our models are a few small files
}
_NARRATORS: Final = ("alembic", "mlflow.store.db.utils", "mlflow.system_metrics.system_metrics_monitor")


def prepare_environment() -> None:
    """Keep MLflow from telemetry and narration, unless the user has said otherwise.

    Must run before MLflow is first imported in a process to have its full effect.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in _NARRATORS:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)


class MlflowTracker:
    """Records runs in MLflow without its global state: no active run, no tracking URI that is set for all.

    Parameters
    ----------
    tracking_uri : str
        ``sqlite:///…``, ``postgresql://…`` or a server.
    experiment : str
        Created on first use.
    artifact_root : Path, optional
        Where a new experiment keeps artifacts; a server decides for itself.
    parent_run_id : str, optional
        The run under which top-level runs are nested, e.g. the one that ``mlflow run`` opened. They then go
        into its experiment.
    process : Process, optional
        Who opens its runs, as tags of each; this process where not given.
    system_metrics : bool
        Whether a run that is watched samples the machine.

    Raises
    ------
    StoreUnavailable
        The tracking store cannot be reached or written.
    """

    def __init__(
        self,
        *,
        tracking_uri: str,
        experiment: str,
        artifact_root: Path | None = None,
        parent_run_id: str | None = None,
        process: Process | None = None,
        system_metrics: bool = False,
    ) -> None:
        prepare_environment()
        self._process = process or Process.here()
        from ordinis_mlflow._tracker import RunStore  # noqa: PLC0415  MLflow takes seconds to import

        self._store = RunStore(
            tracking_uri,
            experiment=experiment,
            artifact_root=artifact_root,
            parent_run_id=parent_run_id,
            system_metrics=system_metrics,
        )

    @contextmanager
    def start_run(
        self, name: str, *, parent: Run | None = None, tags: Mapping[str, str] | None = None
    ) -> Iterator[Run]:
        """Open a run, as a child of ``parent`` where given; an exception marks it FAILED."""
        tagged = self._process.tags() | dict(tags or {})
        run = self._store.open(name, parent_run_id=parent.run_id if parent else None, tags=tagged)
        status = "FAILED"
        try:
            yield run
            status = "FINISHED"
        finally:
            run.close(status)

    def read_json(self, run_id: str, *, path: str) -> Any:
        """Return a JSON artifact of a run; ArtifactMissing where there is none."""
        return self._store.read_json(run_id, path=path)

    def find_run(self, tag: str, value: str) -> str | None:
        """Return the id of a finished run that carries a tag, the newest; None where there is none."""
        return self._store.find_run(tag, value)

    def open_runs(self) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of every run of the experiment that is still RUNNING, by its id."""
        return self._store.open_runs()

    def end_run(self, run_id: str, *, reason: str) -> None:
        """End a run whose process is gone as KILLED."""
        self._store.end_run(run_id, reason=reason)

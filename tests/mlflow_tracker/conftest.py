from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ordinis_learn.market.features import FEATURE_NAMES
from ordinis_learn.market.rules import RuleParameters
from ordinis_learn.models import RuleModel
from ordinis_learn.records import DatasetManifest, DatasetValidation, DatasetWindow, EventRange, JoinQuality
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_mlflow.tracker import MlflowTracker, prepare_environment

prepare_environment()


@dataclass(kw_only=True)
class Seen:
    """What a tracker remembers of a run, whichever tracker it is."""

    name: str
    status: str
    parent: str | None
    params: dict[str, str]
    points: dict[str, list[tuple[int, float]]]
    tags: dict[str, str]
    datasets: list[str]
    files: dict[str, bytes]


@dataclass(kw_only=True)
class Book:
    """A tracker and a way to read back what it was told."""

    tracker: Any
    folder: Path

    def runs(self) -> list[Seen]:
        raise NotImplementedError


class MemoryBook(Book):
    def runs(self):
        return [
            Seen(
                name=run.name,
                status=run.status,
                parent=run.parent_run_id,
                params=run.params,
                points={key: sorted(points) for key, points in run.metrics.items()},
                tags=run.tags,
                datasets=[manifest.content_sha256 for manifest, _ in run.datasets],
                files=run.files,
            )
            for run in self.tracker.runs
        ]


class MlflowBook(Book):
    def runs(self):
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self.uri)
        experiments = [found.experiment_id for found in client.search_experiments()]
        found = client.search_runs(experiments, order_by=["attributes.start_time ASC"])
        return [self.seen(client, run) for run in sorted(found, key=lambda run: run.info.start_time)]

    @property
    def uri(self):
        return f"sqlite:///{self.folder / 'runs.db'}"

    def seen(self, client, run):
        run_id = run.info.run_id
        history = {key: client.get_metric_history(run_id, key) for key in run.data.metrics}
        return Seen(
            name=run.info.run_name,
            status=run.info.status,
            parent=run.data.tags.get("mlflow.parentRunId"),
            params=run.data.params,
            points={key: sorted({(p.step, p.value) for p in points}) for key, points in history.items()},
            tags=run.data.tags,
            datasets=[
                next(tag.value for tag in used.tags if tag.key == "ordinis.content_sha256")
                for used in run.inputs.dataset_inputs
            ],
            files=self.files(client, run_id),
        )

    def files(self, client, run_id, path=None):
        found = {}
        for entry in client.list_artifacts(run_id, path):
            if entry.is_dir:
                found |= self.files(client, run_id, entry.path)
            else:
                found[entry.path] = Path(client.download_artifacts(run_id, entry.path)).read_bytes()
        return found


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """MLflow's own tables, made once: its migrations take a second."""
    folder = tmp_path_factory.mktemp("mlflow")
    MlflowTracker(tracking_uri=f"sqlite:///{folder / 'runs.db'}", experiment="seed", artifact_root=folder)
    return (folder / "runs.db").read_bytes()


@pytest.fixture
def mlflow_book(empty_database, tmp_path):
    (tmp_path / "runs.db").write_bytes(empty_database)
    tracker = MlflowTracker(
        tracking_uri=f"sqlite:///{tmp_path / 'runs.db'}",
        experiment="desk",
        artifact_root=tmp_path / "artifacts",
    )
    return MlflowBook(tracker=tracker, folder=tmp_path)


@pytest.fixture(params=["memory", "mlflow"])
def book(request, tmp_path):
    if request.param == "memory":
        return MemoryBook(tracker=InMemoryTracker(tmp_path / "models"), folder=tmp_path)
    return request.getfixturevalue("mlflow_book")


@pytest.fixture
def manifest():
    return DatasetManifest(
        dataset_id="core",
        version="1f",
        kind="signal",
        window=DatasetWindow(start="2001-01-01", end="2003-01-01", horizons=(5,)),
        files=(),
        content_sha256="0123456789abcdef" * 4,
        columns={"symbol": "string", "session": "date32[day]", "f_ret_5": "double", "direction": "int8"},
        feature_names=("ret_5",),
        rows=400,
        label_stats={},
        profile={},
        event_range=EventRange(types=(), count=0, first=None, last=None, log_position=0),
        join_quality=JoinQuality(),
        query_hash="00" * 32,
        code_commit="c0ffee",
        config_hash="00" * 32,
        suite_hash="00" * 32,
        validation=DatasetValidation(success=True, evaluated=3, expected=3),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def rule():
    return RuleModel(feature_names=FEATURE_NAMES, horizon_sessions=5, parameters=RuleParameters())


@pytest.fixture
def rule_bundle(rule, tmp_path):
    rule.save(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def rows():
    return np.random.default_rng(5).normal(scale=0.3, size=(20, len(FEATURE_NAMES)))

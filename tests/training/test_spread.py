"""Folds and trials on the worker processes of a Dask cluster."""

import os
import signal
import threading
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from ordinis_learn.datasets.execution import InThreads
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.models import load_bundle
from ordinis_learn.records import DatasetFile, file_sha256, tree_sha256
from ordinis_learn.training import TrainConfig
from ordinis_learn.training.spread import RowSource, Spread
from ordinis_learn.training.streamed import StreamedRows

CONFIG = {"name": "m", "dataset": "core", "rounds": 60, "early_stopping_rounds": 60, "folds": 3}


@pytest.fixture
def source(planted, manifest_of, tmp_path):
    """The rows as workers find them: on disk, named by their hash."""
    folder = tmp_path / "datasets" / "core" / "1f"
    folder.mkdir(parents=True)
    path = folder / "part-0.parquet"
    pq.write_table(planted, path)
    file = DatasetFile(path=path.name, sha256=file_sha256(path), rows=len(planted), bytes=path.stat().st_size)
    manifest = manifest_of(planted).model_copy(update={"files": (file,)})
    return RowSource(manifest=manifest, root=tmp_path / "datasets")


def test_jobs_open_the_rows_themselves_and_give_the_same_model(train, planted, source):
    spread = Spread(executor=InThreads(1), source=source)
    config = TrainConfig(**CONFIG, trials=4, trials_at_once=2)
    here = train(config, planted, name="here")
    there = train(config, planted, name="there", spread=spread)
    assert tree_sha256(here.bundle) == tree_sha256(there.bundle)
    assert here.artifact.metrics == there.artifact.metrics


def test_folds_alone_are_spread_too(train, planted, source, tracker):
    spread = Spread(executor=InThreads(2), source=source)
    here = train(TrainConfig(**CONFIG), planted, name="here")
    there = train(TrainConfig(**CONFIG), planted, name="there", spread=spread)
    assert tree_sha256(here.bundle) == tree_sha256(there.bundle)
    assert here.artifact.metrics == there.artifact.metrics
    assert len([run for run in tracker.runs if "ordinis.fold" in run.tags]) == 6


@pytest.mark.slow
def test_a_worker_that_is_killed_mid_trial_changes_nothing(train, planted, source):
    dask = pytest.importorskip("ordinis_learn.datasets._dask")
    config = TrainConfig(**CONFIG | {"rounds": 300, "early_stopping_rounds": 300}, trials=6, trials_at_once=3)
    here = train(config, planted, name="here")
    with dask.OnDask(workers=2) as executor:
        killed = threading.Thread(target=kill_a_busy_worker, args=(executor.client,))
        killed.start()
        there = train(config, planted, name="there", spread=Spread(executor=executor, source=source))
        killed.join()
    assert tree_sha256(here.bundle) == tree_sha256(there.bundle)
    assert there.artifact.trials == 6


def kill_a_busy_worker(client):
    pids = client.run(os.getpid)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        busy = [address for address, jobs in client.processing().items() if jobs]
        if busy:
            time.sleep(0.2)  # imports are over, rows are being read or trees grown
            os.kill(pids[busy[0]], signal.SIGKILL)
            return
        time.sleep(0.02)
    raise AssertionError("no worker was ever busy")


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["return", "three_class"])
def test_one_fit_across_workers_is_marked_as_not_reproducible(train, source, tracker, objective):
    dask = pytest.importorskip("ordinis_learn.datasets._dask")
    config = TrainConfig(**CONFIG | {"folds": 0}, across_workers=True, objective=objective)
    rows = StreamedRows.open(source.manifest, root=source.root)
    with dask.OnDask(workers=2) as executor:
        spread = Spread(executor=executor, source=source)
        trained = train(config, rows, manifest=source.manifest, spread=spread)
    assert trained.artifact.reproducible is False
    assert tracker.runs[0].tags["ordinis.reproducible"] == "false"
    answer = load_bundle(trained.bundle).predict(np.array([[2.5, 0.0, 0.0], [-2.5, 0.0, 0.0]]))
    assert answer.direction.tolist() == [1, -1]


def test_a_fit_across_workers_needs_some(train, planted, source, tracker):
    config = TrainConfig(**CONFIG | {"folds": 0}, across_workers=True)
    with pytest.raises(ConfigInvalid, match="LEARN_TRAIN_SCHEDULER"):
        train(config, planted, spread=Spread(executor=InThreads(1), source=source))
    assert tracker.runs[0].status == "FAILED"


@pytest.mark.parametrize(
    "wrong", [{"folds": 2}, {"model": "torch", "folds": 0}, {"device": "cuda", "folds": 0}]
)
def test_what_cannot_be_fitted_across_workers_is_refused(wrong):
    with pytest.raises(ValueError, match="across_workers"):
        TrainConfig(**CONFIG | wrong, across_workers=True)

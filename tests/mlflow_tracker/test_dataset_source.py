"""From a run back to the data it used: the address, the files, and what must not be believed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from ordinis_learn.datasets import dataset_folder
from ordinis_learn.datasets.content import bucketed_sha256, column_types
from ordinis_learn.datasets.storage import TableFile
from ordinis_learn.datasets.store import publish
from ordinis_learn.errors import ConfigInvalid, DataCorrupt, DataMissing, DatasetRejected
from ordinis_mlflow.dataset_source import SOURCE_TYPE, OrdinisDatasetSource


@pytest.fixture
def stored(manifest, tmp_path, monkeypatch):
    """A version on disk, below a home; with its folder."""
    monkeypatch.setenv("ORDINIS_HOME", str(tmp_path))
    table = pa.table({"symbol": ["KO", "XOM"], "f_ret_5": [0.1, -0.2]})
    content = bucketed_sha256(table)
    draft = manifest.model_copy(
        update={
            "rows": 2,
            "version": content[:16],
            "content_sha256": content,
            "columns": column_types(table),
            "files": (),
        }
    )
    root = tmp_path / "data" / "datasets"
    written = publish(TableFile(table=table), root=root, draft=draft)
    return written, dataset_folder(root, dataset_id=written.dataset_id, version=written.version)


def test_a_run_leads_back_to_verified_rows(mlflow_book, stored):
    import mlflow.data
    from mlflow import MlflowClient

    manifest, folder = stored
    with mlflow_book.tracker.start_run("data") as run:
        run.log_dataset(manifest, folder=folder)
    (used,) = MlflowClient(tracking_uri=mlflow_book.uri).get_run(run.run_id).inputs.dataset_inputs
    assert used.dataset.source_type == SOURCE_TYPE
    source = mlflow.data.get_source(used)
    assert isinstance(source, OrdinisDatasetSource)
    assert source.manifest() == manifest
    assert source.load() == str(folder)
    assert source.rows()["symbol"].to_pylist() == ["KO", "XOM"]
    assert OrdinisDatasetSource.from_json(source.to_json()) == source


def test_an_address_is_enough_for_mlflows_own_constructors(stored):
    import mlflow.data
    import numpy as np

    manifest, folder = stored
    address = f"ordinis-dataset://{manifest.ref}"
    dataset = mlflow.data.from_numpy(np.ones(2), source=address)
    assert dataset.source.uri == address
    assert dataset.source.load() == str(folder)


def test_a_home_that_moved_is_found_by_its_setting(stored, tmp_path, monkeypatch):
    manifest, folder = stored
    source = OrdinisDatasetSource(manifest.ref, content_sha256=manifest.content_sha256, folder=str(folder))
    shutil.move(tmp_path / "data", tmp_path / "moved" / "data")
    with pytest.raises(DataMissing) as caught:
        source.load()
    assert "ORDINIS_HOME" in caught.value.next_step
    monkeypatch.setenv("ORDINIS_HOME", str(tmp_path / "moved"))
    copy = source.load(str(tmp_path / "copy"))
    assert sorted(path.name for path in Path(copy).iterdir()) == [
        "data.parquet",
        "manifest.json",
        "report.html",
    ]


def test_changed_rows_are_not_loaded(stored):
    manifest, folder = stored
    data = folder / "data.parquet"
    data.write_bytes(data.read_bytes() + b"x")
    source = OrdinisDatasetSource(manifest.ref, content_sha256=manifest.content_sha256)
    for read in (source.load, source.rows):
        with pytest.raises(DataCorrupt):
            read()


def test_another_manifest_in_its_place_is_not_believed(stored):
    manifest, folder = stored
    (folder / "manifest.json").write_text(
        manifest.model_copy(update={"content_sha256": "0" * 64}).model_dump_json(), encoding="utf-8"
    )
    with pytest.raises(DataCorrupt) as caught:
        OrdinisDatasetSource.from_dict({"uri": f"ordinis-dataset://{manifest.ref}"}).manifest()
    assert "manifest was changed" in caught.value.next_step


def test_a_rejected_dataset_can_be_looked_at_and_not_used(stored):
    manifest, folder = stored
    bad = manifest.model_copy(
        update={"validation": manifest.validation.model_copy(update={"success": False, "failed": ("empty",)})}
    )
    (folder / "manifest.json").write_text(bad.model_dump_json(), encoding="utf-8")
    source = OrdinisDatasetSource(manifest.ref, content_sha256=manifest.content_sha256)
    assert source.load() == str(folder)
    with pytest.raises(DatasetRejected):
        source.rows()


@pytest.mark.parametrize(
    "address", ["ordinis-dataset://", "ordinis-dataset://core", "ordinis-dataset://@1f", "s3://x/y"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigInvalid):
        OrdinisDatasetSource.from_dict({"uri": address})


@pytest.mark.parametrize("other", ["s3://bucket/core", "/data/core.csv", "ordinis+sqlite:///x.db", None, 3])
def test_other_sources_are_left_to_mlflow(other):
    assert not OrdinisDatasetSource._can_resolve(other)


def run_isolated(code):
    environment = {"PATH": os.environ["PATH"], "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error::UserWarning", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_entry_point_is_light():
    code = (
        "import sys, ordinis_mlflow.dataset_source;"
        "print(*sorted({n.split('.')[0] for n in sys.modules} & {'mlflow', 'pyarrow', 'pydantic', 'numpy'}))"
    )
    assert run_isolated(code) == []


@pytest.mark.parametrize("first", ["mlflow.data", "ordinis_mlflow.dataset_source"])
def test_mlflow_finds_it_whatever_is_imported_first(first):
    code = (
        f"import {first}, mlflow.data, mlflow.data.dataset_source_registry as r;"
        "print([s._get_source_type() for s in r.get_registered_sources()].count('ordinis_dataset'))"
    )
    assert run_isolated(code) == ["1"]

"""Rows that pass by give the same trees as rows in memory."""

import dataclasses
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import ConfigInvalid, DataCorrupt, DatasetRejected
from ordinis_learn.records import DatasetFile, file_sha256, tree_sha256
from ordinis_learn.training import TrainConfig
from ordinis_learn.training.matrix import training_matrix
from ordinis_learn.training.rows import open_rows
from ordinis_learn.training.streamed import StreamedRows

QUICK = {"name": "m", "dataset": "core", "rounds": 15, "early_stopping_rounds": 5, "folds": 2}


@pytest.fixture
def stored(manifest_of, tmp_path):
    """Write a table as a dataset of some files, one per group of symbols, as the builder does."""

    def call(table, *, files=3):
        hours = pa.array(np.zeros(len(table), dtype="datetime64[us]"))
        table = table.append_column("ts_signal", hours)
        symbols = table["symbol"].to_numpy(zero_copy_only=False)
        manifest = manifest_of(table)
        folder = tmp_path / "datasets" / manifest.dataset_id / manifest.version
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for number in range(files):
            part = table.filter(pa.array([hash_of(one) % files == number for one in symbols]))
            path = folder / f"part-{number}.parquet"
            pq.write_table(part, path)
            written.append(
                DatasetFile(
                    path=path.name, sha256=file_sha256(path), rows=len(part), bytes=path.stat().st_size
                )
            )
        return manifest.model_copy(update={"files": tuple(written), "rows": len(table)})

    return call


def hash_of(symbol):
    return int(symbol[1:])


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("on_disk", [False, True])
def test_the_bytes_are_those_of_the_rows_in_memory(train, planted, stored, tmp_path, files, on_disk):
    holed = planted["f_z_20"].to_numpy().copy()
    holed[::7] = np.nan
    table = planted.set_column(planted.column_names.index("f_z_20"), "f_z_20", pa.array(holed))
    manifest = stored(table, files=files)
    config = TrainConfig(**QUICK, train_until="2001-12-01")
    root = tmp_path / "datasets"
    whole = open_rows(manifest, config=config, root=root, memory_gb=8.0)
    opened = StreamedRows.open(manifest, root=root, on_disk=on_disk)
    rows = StreamedRows(manifest=manifest, folder=opened.folder, on_disk=on_disk, batch_rows=300)
    here = train(config, whole, name="here", manifest=manifest)
    there = train(config, rows, name="there", manifest=manifest)
    assert isinstance(whole, pa.Table)
    assert tree_sha256(there.bundle) == tree_sha256(here.bundle)
    assert there.artifact.metrics == here.artifact.metrics
    assert (there.artifact.trained_from, there.artifact.trained_until) == (
        here.artifact.trained_from,
        here.artifact.trained_until,
    )


ODD = [
    {"objective": "binary", "monotone": {"z_20": -1}},
    {"objective": "three_class", "class_edge_bps": 50.0},
    {"monotone": {"ret_5": 1, "vol_20": -1}},
]


@pytest.mark.slow
@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("asked", ODD, ids=str)
def test_weights_holes_and_features_that_say_little_are_the_same_bytes_too(
    train, table_of, stored, tmp_path, asked, on_disk
):
    table, rng = table_of(signal=0.02), np.random.default_rng(5)
    weight = rng.uniform(size=len(table))
    weight[::11] = 0.0
    outcome = table["fwd_ret_5d"].to_numpy().copy()
    outcome[::13] = np.nan
    columns = {
        "uniqueness_5d": weight,
        "fwd_ret_5d": outcome,
        "f_vol_20": np.full(len(table), 3.25),
        "f_z_20": rng.integers(0, 4, len(table)).astype(np.float64),
    }
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    manifest, root, config = stored(table), tmp_path / "datasets", TrainConfig(**QUICK, **asked)
    folder = StreamedRows.open(manifest, root=root).folder
    rows = StreamedRows(manifest=manifest, folder=folder, on_disk=on_disk, batch_rows=257)
    whole = open_rows(manifest, config=config, root=root, memory_gb=8.0)
    here = train(config, whole, name="here", manifest=manifest)
    there = train(config, rows, name="there", manifest=manifest)
    assert tree_sha256(there.bundle) == tree_sha256(here.bundle)
    assert there.artifact.metrics == here.artifact.metrics


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
@given(st.integers(1, 8), st.integers(1, 3000), st.integers(1, 700))
def test_every_row_passes_once_in_order_whatever_the_batches(table, stored, tmp_path, files, batch, most):
    manifest = stored(table, files=files)
    config = TrainConfig(**QUICK)
    root = tmp_path / "datasets"
    whole = training_matrix(
        config,
        manifest=manifest,
        table=open_rows(manifest, config=config, root=root, memory_gb=8.0),
        min_samples=1,
    )
    folder = StreamedRows.open(manifest, root=root).folder
    rows = StreamedRows(manifest=manifest, folder=folder, batch_rows=batch)
    streamed = training_matrix(config, manifest=manifest, table=rows, min_samples=1)
    assert np.array_equal(np.concatenate(list(streamed.stream.batches())), whole.features)
    assert np.array_equal(streamed.sample(most), whole.sample(most))
    for name in ("target", "session", "weight", "label_end"):
        assert np.array_equal(getattr(streamed, name), getattr(whole, name))


def test_what_fits_is_opened_whole_and_the_rest_is_streamed(planted, stored, tmp_path):
    manifest, root = stored(planted), tmp_path / "datasets"
    config = TrainConfig(**QUICK)
    streamed = open_rows(manifest, config=config, root=root, memory_gb=1e-4)
    on_disk = open_rows(manifest, config=config, root=root, memory_gb=1e-9)
    assert (streamed.on_disk, on_disk.on_disk) == (False, True)
    network = open_rows(manifest, config=TrainConfig(**QUICK, model="torch"), root=root, memory_gb=1e-9)
    assert isinstance(network, pa.Table)


def test_rows_out_of_order_are_not_streamed(table, stored, tmp_path):
    backwards = table.take(pa.array(np.arange(len(table))[::-1]))
    manifest = stored(backwards, files=1)
    rows = StreamedRows.open(manifest, root=tmp_path / "datasets")
    with pytest.raises(ConfigInvalid, match="LEARN_TRAIN_MEMORY_GB"):
        training_matrix(TrainConfig(**QUICK), manifest=manifest, table=rows, min_samples=1)


def test_what_was_rejected_or_changed_is_not_streamed(table, stored, manifest_of, tmp_path):
    manifest, root = stored(table), tmp_path / "datasets"
    failed = manifest_of(table, success=False)
    with pytest.raises(DatasetRejected):
        StreamedRows.open(failed, root=root)
    path = root / manifest.dataset_id / manifest.version / manifest.files[0].path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataCorrupt):
        StreamedRows.open(manifest, root=root)


class Passing:
    """Features of as many batches as are asked for, each made when it is read."""

    on_disk = False

    def __init__(self, count):
        self.count = count

    def batches(self):
        for number in range(self.count):
            yield np.full((1000, 10), number, dtype=np.float32)


def test_a_sample_of_streamed_rows_holds_no_batch(planted, manifest_of):
    matrix = training_matrix(
        TrainConfig(**QUICK), manifest=manifest_of(planted), table=planted, min_samples=1
    )
    matrix = dataclasses.replace(matrix, target=np.zeros(200_000), stream=Passing(200))
    tracemalloc.start()
    sample = matrix.sample(400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sample[:, 0].tolist() == np.repeat(np.arange(200), 2).tolist()
    assert peak < 10 * 1000 * 10 * 4

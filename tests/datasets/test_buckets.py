"""A dataset is the same to the bit, however its rows were shared out."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.capture import bucket_of
from ordinis_learn.datasets import bucketed_sha256, dataset_folder, open_dataset
from ordinis_learn.datasets.assembly import assemble, assemble_in_buckets
from ordinis_learn.datasets.bucket import feature_columns, label_bucket
from ordinis_learn.datasets.buckets import bucket_count, split_events, write_events
from ordinis_learn.datasets.content import LEAVES, column_types, hash_leaves, leaf_of, leaves_sha256
from ordinis_learn.datasets.execution import ATTEMPTS, InProcesses, InThreads, open_executor
from ordinis_learn.datasets.jobs import label_events
from ordinis_learn.datasets.storage import remove_tree
from ordinis_learn.datasets.window import window_calendar
from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.labelling import (
    TOPIC_COLUMNS,
    EventColumns,
    event_columns,
    first_bars,
    session_table,
)
from ordinis_learn.locations import locate
from ordinis_learn.records import DatasetWindow
from ordinis_learn.testing import InMemoryEventLog


@pytest.fixture(scope="module")
def window():
    return DatasetWindow(start="2001-01-03", end="2001-01-31", horizons=("1d", "5d"), calendar="24/7")


@pytest.fixture(scope="module")
def scanned(new_desk):
    """Typed events of a desk of seven symbols, read once."""
    log = new_desk(symbols=7).log()
    return {topic: log.read_columns(topic) for topic in TOPIC_COLUMNS}


@pytest.fixture(scope="module")
def whole(new_desk, window):
    return assemble(new_desk(symbols=7).log(), window=window)


@pytest.fixture(scope="module")
def events(scanned, tmp_path_factory):
    """The same events, in four buckets of Parquet files."""
    return write_events(scanned.__getitem__, url=str(tmp_path_factory.mktemp("events")), buckets=4)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    buckets=st.sampled_from([1, 2, 16, 64]),
    threads=st.sampled_from([1, 3]),
)
def test_order_buckets_and_threads_do_not_matter(
    scanned, whole, window, tmp_path_factory, seed, buckets, threads
):
    rng = np.random.default_rng(seed)
    mixed = {topic: table.take(rng.permutation(len(table))) for topic, table in scanned.items()}
    folder = tmp_path_factory.mktemp("buckets")
    found = label_events(
        InMemory(mixed.__getitem__, buckets=buckets),
        window=window,
        executor=InThreads(threads),
        target=str(folder),
    )
    assert found.content_sha256 == whole.content_sha256
    assert found.columns == whole.columns
    assert found.rows == whole.num_rows


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_changed_cell_is_another_hash(whole, data):
    table = whole.table
    name = data.draw(st.sampled_from([name for name in table.column_names if name != "symbol"]))
    number = data.draw(st.integers(0, len(table) - 1))
    values = table[name].to_pylist()
    other = next((value for value in values if value != values[number]), None)
    values[number] = None if other is None and values[number] is not None else other
    position = table.column_names.index(name)
    changed = table.set_column(position, name, pa.array(values, table[name].type))
    same = changed[name].equals(table[name])
    assert (bucketed_sha256(changed) == whole.content_sha256) is same


def test_hashes_of_parts_make_the_hash_of_the_whole(whole):
    table = whole.table
    leaf = leaf_of(table["symbol"])
    parts = [hash_leaves(table.filter(pa.array(leaf == number))) for number in np.unique(leaf)]
    leaves = {number: one for part in parts for number, one in part.items()}
    assert leaves_sha256(leaves, columns=column_types(table)) == whole.content_sha256
    assert len(leaves) == 7


def test_a_dictionary_of_strings_is_the_strings(whole):
    position = whole.table.column_names.index("symbol")
    named = whole.table.set_column(position, "symbol", whole.table["symbol"].dictionary_encode())
    assert bucketed_sha256(named) == whole.content_sha256


def test_where_nobody_acted_rows_are_those_of_a_decision_about_nothing(scanned, window):
    calendar = window_calendar(window)
    events = event_columns(scanned.__getitem__)
    prices = first_bars(events.bars, calendar=calendar)
    stray = events.decisions.slice(0, 1)
    stray = stray.set_column(stray.column_names.index("signal_id"), "signal_id", pa.array(["nobody"]))
    idle, decided = (
        label_bucket(
            replace(events, decisions=told, intents=events.intents[:0], reports=events.reports[:0]),
            prices=prices,
            sessions=session_table(prices, calendar=calendar),
            window=window,
            features=feature_columns(events.signals),
        )
        for told in (events.decisions[:0], stray)
    )
    assert set(idle["join_quality"].to_pylist()) == {"none"}
    assert idle.equals(decided)


def test_processes_give_the_same_files(events, whole, window, tmp_path):
    found = [
        label_events(events, window=window, executor=executor, target=str(tmp_path / name))
        for name, executor in (("threads", InThreads()), ("processes", InProcesses(2)))
    ]
    assert found[0] == found[1]
    assert found[0].content_sha256 == whole.content_sha256
    for file in found[0].files:
        assert (tmp_path / "threads" / file.path).read_bytes() == (
            tmp_path / "processes" / file.path
        ).read_bytes()


class InMemory:
    """Typed events, split in memory."""

    def __init__(self, read, *, buckets):
        self.buckets = buckets
        self._whole = event_columns(read)
        self._parts = {
            name: split_events(getattr(self._whole, name), buckets=buckets)
            for name, _ in TOPIC_COLUMNS.values()
        }

    def features(self):
        return feature_columns(self._whole.signals)

    def bars(self, number):
        return self._parts["bars"][number]

    def read(self, number):
        return EventColumns(**{name: parts[number] for name, parts in self._parts.items()})


@pytest.fixture
def deadly(monkeypatch):
    """The class, from a module that worker processes find."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("deadly").Deadly


@pytest.mark.slow
def test_a_killed_process_costs_a_retry_and_no_rows(deadly, events, whole, window, tmp_path):
    dying = deadly(events=events, killed=tmp_path / "killed")
    found = label_events(dying, window=window, executor=InProcesses(2), target=str(tmp_path / "rows"))
    assert (tmp_path / "killed").exists()
    assert found.content_sha256 == whole.content_sha256
    assert sorted(path.name for path in (tmp_path / "rows").iterdir()) == sorted(f.path for f in found.files)


@pytest.mark.slow
def test_a_bucket_that_kills_every_worker_is_an_error(deadly, events, window, tmp_path):
    dying = deadly(events=events, killed=tmp_path / "killed", always=True)
    with pytest.raises(StoreUnavailable) as caught:
        label_events(dying, window=window, executor=InProcesses(2), target=str(tmp_path / "rows"))
    assert f"died {ATTEMPTS} times" in caught.value.found


def test_a_feature_that_only_other_sessions_carry_gets_no_column(new_desk, window, tmp_path):
    desk = new_desk(symbols=3)
    desk.signal("late", "S1", 39, event_id="late", features={"ret_1": 0.0, "vol_20": 0.2, "newer": 1.0})
    found = assemble_in_buckets(desk.log(), window=window, buckets=4, executor=InThreads(), folder=tmp_path)
    assert found.feature_names == ("ret_1", "vol_20")
    assert found.content_sha256 == assemble(desk.log(), window=window).content_sha256


def test_a_window_without_rows(tmp_path):
    log = InMemoryEventLog(clock=lambda: None)
    window = DatasetWindow(start="2001-01-03", end="2001-01-31", horizons=(1,))
    found = assemble_in_buckets(log, window=window, buckets=2, executor=InThreads(), folder=tmp_path)
    assert found.num_rows == 0
    assert found.content_sha256 == assemble(log, window=window).content_sha256


@given(st.lists(st.sampled_from([f"S{n}" for n in range(40)]), max_size=60), st.sampled_from([1, 2, 16, 256]))
def test_every_row_is_in_the_bucket_of_its_symbol(symbols, buckets):
    table = pa.table({"symbol": pa.array(symbols, pa.string()), "row": range(len(symbols))})
    parts = split_events(table, buckets=buckets)
    assert len(parts) == buckets
    assert sorted(row for part in parts for row in part["row"].to_pylist()) == list(range(len(symbols)))
    for number, part in enumerate(parts):
        assert part["row"].to_pylist() == sorted(part["row"].to_pylist())
        assert all(bucket_of(symbol, buckets=buckets) == number for symbol in part["symbol"].to_pylist())


@pytest.mark.parametrize("buckets", [0, 3, 512])
def test_buckets_are_made_of_whole_leaves(buckets):
    with pytest.raises(ConfigInvalid):
        split_events(pa.table({"symbol": ["A"]}), buckets=buckets)


@given(st.integers(0, 10**10))
def test_a_bucket_count_divides_the_leaves(rows):
    assert LEAVES % bucket_count(rows) == 0
    assert bucket_count(rows) <= bucket_count(rows + 1)


class TestBuilder:
    """The whole build, with buckets small enough for a test."""

    @pytest.fixture(autouse=True)
    def _small_buckets(self, monkeypatch):
        monkeypatch.setattr("ordinis_learn.datasets.buckets.ROWS_PER_BUCKET", 40)

    def test_large_and_small_builds_are_one_version(self, build, desk, root, monkeypatch):
        large = build(desk.log())
        assert len(large.files) > 1
        table = open_dataset(large, root=root)
        assert table["session"].to_pylist() == sorted(table["session"].to_pylist())
        assert build(desk.log()) == large
        monkeypatch.setattr("ordinis_learn.datasets.buckets.ROWS_PER_BUCKET", 10**6)
        small = build(desk.log(), dataset_id="small")
        assert small.version == large.version
        assert len(small.files) == 1
        rows = open_dataset(small, root=root)
        assert rows.equals(table)
        assert small.label_stats.keys() == large.label_stats.keys()
        assert small.join_quality == large.join_quality
        assert small.validation.success == large.validation.success is True
        assert not [path for path in root.iterdir() if path.name.startswith(".")]

    def test_a_damaged_file_is_built_again(self, build, desk, root):
        manifest = build(desk.log())
        path = root / "core" / manifest.version / manifest.files[1].path
        good = path.read_bytes()
        path.write_bytes(good[:-1])
        assert build(desk.log()) == manifest
        assert path.read_bytes() == good


def test_a_job_done_twice_leaves_one_file(events, window, tmp_path):
    once = label_events(events, window=window, executor=InThreads(), target=str(tmp_path))
    stamps = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = label_events(events, window=window, executor=InThreads(2), target=str(tmp_path))
    assert once == again
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == stamps


class TestDask:
    """Worker processes of an own cluster on the loopback interface."""

    @pytest.fixture(scope="class")
    def cluster(self):
        distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
        ) as cluster:
            yield cluster

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")
    def test_a_cluster_by_its_address_gives_the_same_files(self, cluster, events, whole, window, tmp_path):
        with open_executor(cluster.scheduler_address) as executor:
            found = label_events(events, window=window, executor=executor, target=str(tmp_path / "dask"))
        local = label_events(events, window=window, executor=InThreads(), target=str(tmp_path / "local"))
        assert found == local
        assert found.content_sha256 == whole.content_sha256

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")
    def test_a_killed_worker_costs_a_retry_and_no_rows(
        self, cluster, deadly, events, whole, window, tmp_path
    ):
        dying = deadly(events=events, killed=tmp_path / "killed")
        with open_executor(cluster.scheduler_address) as executor:
            executor.client.upload_file(str(Path(__file__).parent / "deadly.py"))
            found = label_events(dying, window=window, executor=executor, target=str(tmp_path / "rows"))
        assert int((tmp_path / "killed").read_text())
        assert found.content_sha256 == whole.content_sha256
        assert sum(file.rows for file in found.files) == whole.num_rows

    @pytest.mark.slow
    def test_a_scheduler_that_is_not_there(self):
        pytest.importorskip("distributed", reason="needs the extra [dask]")
        with pytest.raises(StoreUnavailable) as caught, open_executor("tcp://127.0.0.1:9"):
            pass
        assert "LEARN_DASK_SCHEDULER" in caught.value.next_step


class TestObjectStorage:
    """No rename of folders, and objects appear whole: fsspec's storage in memory, and a real server that speaks S3."""

    @pytest.fixture(params=["memory", "s3"])
    def root(self, request):
        pytest.importorskip("upath", reason="needs the extra [object-store]")
        if request.param == "s3":
            yield locate(request.getfixturevalue("bucket"))
            return
        url = f"memory://datasets-{uuid4().hex}"
        yield locate(url)
        remove_tree(locate(url))

    @pytest.mark.parametrize("rows_per_bucket", [40, 10**6])
    def test_a_dataset_by_url(self, desk, root, build, monkeypatch, rows_per_bucket):
        monkeypatch.setattr("ordinis_learn.datasets.buckets.ROWS_PER_BUCKET", rows_per_bucket)
        manifest = build(desk.log())
        assert build(desk.log()) == manifest
        folder = dataset_folder(root, dataset_id="core", version=manifest.version)
        names = {path.name for path in folder.iterdir()}
        assert names == {"manifest.json", "report.html", *(file.path for file in manifest.files)}
        assert [path.name for path in root.iterdir()] == ["core"]
        assert bucketed_sha256(open_dataset(manifest, root=root)) == manifest.content_sha256

    def test_an_upload_that_died_is_made_again(self, desk, root, build):
        manifest = build(desk.log())
        folder = dataset_folder(root, dataset_id="core", version=manifest.version)
        (folder / "manifest.json").unlink()
        (folder / "data.parquet").write_bytes(b"half")
        assert build(desk.log()) == manifest
        assert len(open_dataset(manifest, root=root)) == manifest.rows

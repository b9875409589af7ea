"""Rows go when nothing needs them, the ledger says so first, and a crash is finished later."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.datasets import DatasetBuilder, open_dataset
from ordinis_learn.datasets.retention import DatasetFacts, kept_because
from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataCorrupt, DataMissing, RolloutDenied
from ordinis_learn.locations import locate
from ordinis_learn.records import Actor, DatasetWindow, ModelArtifact, State
from ordinis_learn.testing.catalogue import InMemoryCatalogue
from ordinis_learn.use_cases import dataset_retention
from ordinis_registry import GovernanceDatabase, SqlCatalogue, SqlLedger

DAYS = 90


class States:
    """A registry that knows nothing but states."""

    def __init__(self):
        self.known = {}

    def state(self, name, version):
        if (name, version) not in self.known:
            raise ArtifactMissing(f"find {name}", found="nothing", next_step="ordinis-learn models")
        return self.known[name, version]


@pytest.fixture(scope="module")
def built(new_desk, tmp_path_factory):
    """A dataset that no test changes, and its root."""
    folder = tmp_path_factory.mktemp("built")
    window = DatasetWindow(start="2001-01-03", end="2001-01-31", horizons=(1, 5), calendar="24/7")
    builder = DatasetBuilder(
        new_desk().log(),
        root=folder,
        min_samples=50,
        code_commit="0" * 40,
        clock=lambda: datetime(2003, 1, 1, tzinfo=UTC),
    )
    return builder.build("core", window), folder


@pytest.fixture(params=["memory", "sqlite"])
def bench(request, built, root, tmp_path):
    """A home with one dataset, whose clock the test turns."""
    manifest, made = built
    shutil.copytree(made, root)
    now = [manifest.created_at]
    database = None
    if request.param == "sqlite":
        database = GovernanceDatabase(f"sqlite:///{tmp_path / 'ordinis.db'}")
        database.upgrade()
        catalogue = SqlCatalogue(database, clock=lambda: now[0])
    else:
        catalogue = InMemoryCatalogue(clock=lambda: now[0])
    catalogue.add_dataset(manifest)
    opened = SimpleNamespace(
        catalogue=catalogue,
        registry=States(),
        clock=lambda: now[0],
        settings=SimpleNamespace(datasets_dir=root, learn_dataset_retention_days=DAYS, actor="ana"),
        manifest=manifest,
        data=root / "core" / manifest.version / "data.parquet",
        database=database,
        now=now,
    )
    written(opened)
    yield opened
    if database is not None:
        database.close()


def written(bench):
    """Let the rows have been written now."""
    os.utime(bench.data, (bench.now[0].timestamp(),) * 2)


def later(bench, days):
    bench.now[0] += timedelta(days=days)


def prune(bench):
    return list(dataset_retention.prune(bench, dataset_retention.plan(bench)))


def trained(bench, state=None):
    artifact = ModelArtifact(
        artifact_id="ART-1",
        model_type="signal_model",
        version="3",
        path_ref="models:/m-1",
        metrics={},
        created_at="2003-01-01T00:00:00+00:00",
        data_snapshot_ref=bench.manifest.ref,
        name="sp500_signal",
        code_commit="0" * 40,
        code_dirty=False,
        config_hash="0" * 64,
        env_hash="0" * 64,
        artifact_sha256="0" * 64,
        seed=7,
        trials=1,
    )
    bench.catalogue.add_artifact(artifact)
    if state is not None:
        bench.registry.known["sp500_signal", "3"] = state


def test_young_rows_stay_and_old_ones_go(bench, root):
    later(bench, DAYS - 1)
    assert prune(bench) == []
    later(bench, 1)
    ((one, record),) = prune(bench)
    assert (one.ref, record.action) == (bench.manifest.ref, "dataset.pruned")
    assert record.body == {
        "ref": bench.manifest.ref,
        "content_sha256": bench.manifest.content_sha256,
        "files": 1,
        "bytes": bench.manifest.files[0].bytes,
        "retention_days": DAYS,
    }
    folder = bench.data.parent
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "report.html", "pruned.txt"}
    assert bench.catalogue.dataset("core") == bench.manifest
    with pytest.raises(DataMissing) as caught:
        open_dataset(bench.manifest, root=root)
    assert "pruned (2003-04-01 00:00:00Z by ana, ledger record" in caught.value.found
    assert dataset_retention.plan(bench) == []


@pytest.mark.parametrize("state", [State.CANDIDATE, State.SHADOW, State.ACTIVE, None])
def test_rows_of_a_model_that_may_still_trade_stay(bench, state):
    trained(bench, state)
    later(bench, 10_000)
    (one,) = dataset_retention.plan(bench)
    said = "state unknown: E_LEARN_ARTIFACT_MISSING" if state is None else state.value
    assert one.kept == f"trained sp500_signal v3 ({said})"
    assert prune(bench) == []


def test_rows_of_a_retired_model_go_with_age(bench):
    trained(bench, State.RETIRED)
    assert prune(bench) == []
    later(bench, DAYS)
    assert len(prune(bench)) == 1


def test_what_comes_into_use_meanwhile_stays(bench):
    later(bench, DAYS)
    found = dataset_retention.plan(bench)
    trained(bench, State.CANDIDATE)
    ((_, error),) = list(dataset_retention.prune(bench, found))
    assert isinstance(error, RolloutDenied)
    assert bench.data.is_file()
    assert bench.catalogue.dataset_records() == []


def test_a_hold_keeps_rows_until_it_is_released(bench):
    later(bench, DAYS)
    dataset_retention.hold(bench, "core", reason="inquiry 14")
    assert [one.kept for one in dataset_retention.plan(bench)] == ["legal hold: inquiry 14"]
    with pytest.raises(ConfigInvalid):
        dataset_retention.hold(bench, "core", reason="again")
    with pytest.raises(ConfigInvalid):
        dataset_retention.release(bench, "core", reason=" ")
    dataset_retention.release(bench, "core", reason="closed")
    with pytest.raises(ConfigInvalid):
        dataset_retention.release(bench, "core", reason="closed")
    assert len(prune(bench)) == 1
    assert [record.action for record in bench.catalogue.dataset_records()] == [
        "dataset.held",
        "dataset.released",
        "dataset.pruned",
    ]


def test_a_crash_after_the_record_is_finished_without_a_second_record(bench):
    later(bench, DAYS)
    bench.catalogue.record_dataset(
        "dataset.pruned",
        actor=Actor(name="ana", kind="claimed"),
        body={"ref": bench.manifest.ref},
    )
    later(bench, 1)
    assert len(prune(bench)) == 1
    assert not bench.data.exists()
    assert len(bench.catalogue.dataset_records()) == 1


def test_rows_that_were_written_again_are_young_and_need_a_record_of_their_own(bench, build, desk):
    later(bench, DAYS)
    assert len(prune(bench)) == 1
    later(bench, 10)
    build(desk.log())
    written(bench)
    assert prune(bench) == []
    later(bench, DAYS)
    assert len(prune(bench)) == 1
    assert len(bench.catalogue.dataset_records()) == 2


def test_rows_that_somebody_changed_are_not_removed(bench):
    bench.data.write_bytes(bench.data.read_bytes() + b"x")
    written(bench)
    later(bench, DAYS)
    ((_, error),) = prune(bench)
    assert isinstance(error, DataCorrupt)
    assert bench.data.is_file()
    assert bench.catalogue.dataset_records() == []


def test_a_manifest_cannot_lead_out_of_its_folder(bench, tmp_path):
    outside = tmp_path / "precious"
    outside.write_text("x")
    file = bench.manifest.files[0].model_copy(update={"path": f"../../../{outside.name}"})
    evil = bench.manifest.model_copy(update={"version": "f" * 16, "files": (file,)})
    bench.catalogue.add_dataset(evil)
    later(bench, DAYS)
    with pytest.raises(DataCorrupt):
        prune(bench)
    assert outside.exists()


def test_the_ledger_verifies_after_pruning(bench):
    if bench.database is None:
        pytest.skip("the catalogue in memory has no hashed chain")
    later(bench, DAYS)
    prune(bench)
    assert SqlLedger(bench.database).verify() == []
    (record,) = SqlLedger(bench.database).history("*")
    assert record == bench.catalogue.dataset_records()[0]


@settings(deadline=None)
@given(st.integers(-10, 1000), st.integers(90, 365), st.booleans(), st.booleans())
def test_nothing_that_is_young_used_or_held_goes(age, days, used, held):
    written_at = datetime(2024, 1, 1, tzinfo=UTC)
    facts = DatasetFacts(
        ref="core@1f",
        bytes=1,
        written_at=written_at,
        used_by=("m v1 (ACTIVE)",) if used else (),
        held="inquiry" if held else "",
    )
    kept = kept_because(facts, now=written_at + timedelta(days=age), days=days)
    assert bool(kept) == (used or held or age < days)


@pytest.mark.parametrize("kind", ["memory", "s3"])
def test_rows_in_object_storage_go_as_well(request, new_desk, kind):
    pytest.importorskip("upath", reason="needs the extra [object-store]")
    url = request.getfixturevalue("bucket") if kind == "s3" else f"memory://retention-{uuid4().hex}"
    root = locate(url)
    now = [datetime(2003, 1, 1, tzinfo=UTC)]
    window = DatasetWindow(start="2001-01-03", end="2001-01-31", horizons=(1, 5), calendar="24/7")
    manifest = DatasetBuilder(
        new_desk().log(), root=root, min_samples=50, code_commit="0" * 40, clock=lambda: now[0]
    ).build("core", window)
    catalogue = InMemoryCatalogue(clock=lambda: now[0])
    catalogue.add_dataset(manifest)
    bench = SimpleNamespace(
        catalogue=catalogue,
        registry=States(),
        clock=lambda: now[0],
        settings=SimpleNamespace(datasets_dir=root, learn_dataset_retention_days=DAYS, actor="ana"),
    )
    assert [one.goes for one in dataset_retention.plan(bench)] == [False]
    now[0] = datetime.now(UTC) + timedelta(days=DAYS + 1)
    [(one, record)] = prune(bench)
    assert (one.ref, record.action) == (manifest.ref, "dataset.pruned")
    with pytest.raises(DataMissing, match="pruned"):
        open_dataset(manifest, root=root)
    assert dataset_retention.plan(bench) == []

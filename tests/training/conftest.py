from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ordinis_learn.records import (
    DatasetManifest,
    DatasetValidation,
    DatasetWindow,
    EventRange,
    JoinQuality,
)
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import Provenance, train_model

NOW = datetime(2026, 5, 4, tzinfo=UTC)

FEATURES = ("ret_5", "vol_20", "z_20")


def make_table(*, sessions=400, symbols=8, signal=0.0, seed=1, horizons=(1, 5)):
    """Rows as the dataset builder writes them; ``signal`` plants that much of ret_5 in the return."""
    rng = np.random.default_rng(seed)
    first = np.datetime64("2001-01-01")
    days = first + np.arange(sessions + max(horizons) + 2)
    count = sessions * symbols
    session = np.repeat(np.arange(sessions), symbols)
    features = rng.normal(size=(count, len(FEATURES)))
    columns = {
        "signal_id": [f"s{n}" for n in range(count)],
        "symbol": [f"S{n % symbols}" for n in range(count)],
        "session": pa.array(days[session]),
    }
    columns |= {f"f_{name}": features[:, n] for n, name in enumerate(FEATURES)}
    for horizon in horizons:
        columns |= {
            f"fwd_ret_{horizon}d": signal * features[:, 0] + rng.normal(scale=0.02, size=count),
            f"label_start_{horizon}d": pa.array(days[session + 1]),
            f"label_end_{horizon}d": pa.array(days[session + 1 + horizon]),
            f"uniqueness_{horizon}d": np.full(count, 1.0 / horizon),
        }
    return pa.table(columns)


def make_manifest(table, *, success=True):
    return DatasetManifest(
        dataset_id="core",
        version="1f",
        kind="signal",
        window=DatasetWindow(start="2001-01-01", end="2003-01-01", horizons=(1, 5)),
        files=(),
        content_sha256="ab" * 32,
        columns={name: str(table.schema.field(name).type) for name in table.column_names},
        feature_names=FEATURES,
        rows=len(table),
        label_stats={},
        profile={},
        event_range=EventRange(types=(), count=0, first=None, last=None, log_position=0),
        join_quality=JoinQuality(),
        query_hash="00" * 32,
        code_commit="c0ffee",
        config_hash="00" * 32,
        suite_hash="00" * 32,
        validation=DatasetValidation(
            success=success, evaluated=3, expected=3, failed=() if success else ("rows",)
        ),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def table():
    return make_table()


@pytest.fixture
def planted():
    return make_table(signal=0.02)


@pytest.fixture
def manifest_of():
    return make_manifest


@pytest.fixture
def table_of():
    return make_table


@pytest.fixture
def tracker(tmp_path: Path):
    return InMemoryTracker(tmp_path / "tracked")


@pytest.fixture
def provenance():
    return Provenance(code_commit="c0ffee", code_dirty=True, dirty_patch="--- a\n+++ b\n", env_hash="11" * 32)


@pytest.fixture
def train(tracker, provenance, manifest_of, tmp_path):
    def call(
        config,
        table=None,
        *,
        min_samples=100,
        manifest=None,
        name="scratch",
        place=None,
        spread=None,
        tracker=tracker,
        registers=True,
    ):
        scratch = tmp_path / name
        scratch.mkdir()
        trained = train_model(
            config,
            manifest=manifest or (None if table is None else manifest_of(table)),
            table=table,
            tracker=tracker,
            provenance=provenance,
            datasets_root=tmp_path / "datasets",
            scratch=scratch,
            min_samples=min_samples,
            trainer="ada",
            clock=lambda: NOW,
            place=place,
            spread=spread,
        )
        if registers:
            trained.conclude()
        return trained

    return call

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from ordinis_learn.datasets.profile import profile_feature
from ordinis_learn.records import (
    DatasetManifest,
    DatasetValidation,
    DatasetWindow,
    EventRange,
    JoinQuality,
    ModelRef,
)

ZEROS = "0" * 64
NOW = datetime(2022, 12, 29, tzinfo=UTC)


def _manifest(table, features):
    return DatasetManifest(
        dataset_id="core",
        version="1",
        kind="signal",
        window=DatasetWindow(start=date(2000, 1, 3), end=date(2003, 1, 3)),
        files=(),
        content_sha256=ZEROS,
        columns={},
        feature_names=tuple(features),
        rows=table.num_rows,
        label_stats={},
        profile={name: profile_feature(table[f"f_{name}"].to_numpy()) for name in features},
        event_range=EventRange(types=(), count=0, first=None, last=None, log_position=0),
        join_quality=JoinQuality(),
        query_hash=ZEROS,
        code_commit="",
        config_hash=ZEROS,
        suite_hash=ZEROS,
        validation=DatasetValidation(success=True, evaluated=1, expected=1),
        created_at=NOW,
    )


def _rows(columns, *, start="2000-01-03", symbols=1):
    """One row per session and symbol; each column has shape (sessions,) or (sessions, symbols)."""
    sessions = len(next(iter(columns.values())))
    days = np.datetime64(start, "D") + np.arange(sessions)
    grids = {
        name: np.broadcast_to(np.asarray(v).reshape(sessions, -1), (sessions, symbols))
        for name, v in columns.items()
    }
    return pa.table(
        {"session": pa.array(np.repeat(days, symbols))}
        | {f"f_{name}": grid.ravel() for name, grid in grids.items()}
    )


@pytest.fixture
def manifest_of():
    return _manifest


@pytest.fixture
def rows():
    return _rows


@pytest.fixture
def check():
    """The drift check with the arguments that most tests do not care about."""
    from ordinis_learn.drift import build_reference, check_drift

    def run(reference, current, *, features, said=None, **overrides):
        arguments = {
            "model": ModelRef(name="sp500_signal", version="2", artifact_sha256=ZEROS),
            "psi_floor": 0.2,
            "alpha": 0.05,
            "seed": 11,
            "clock": lambda: NOW,
        }
        manifest = overrides.pop("manifest", None) or _manifest(reference, features)
        summary = build_reference(reference, manifest=manifest, prediction=said)
        return check_drift(reference=summary, current=current, **(arguments | overrides))

    return run

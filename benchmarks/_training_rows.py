"""Rows as the dataset builder writes them, for the benchmarks of training."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from ordinis_learn.datasets import profile_feature
from ordinis_learn.datasets.storage import write_parquet
from ordinis_learn.market import FEATURE_NAMES
from ordinis_learn.records import (
    DatasetManifest,
    DatasetValidation,
    DatasetWindow,
    EventRange,
    JoinQuality,
)

ZEROS = "0" * 64
SYMBOLS = 20


def made_rows(sessions, *, symbols=SYMBOLS, names=FEATURE_NAMES):
    rng = np.random.default_rng(7)
    rows = sessions * symbols
    days = np.datetime64("1970-01-01") + np.arange(sessions + 30)
    session = np.repeat(np.arange(sessions), symbols)
    features = rng.standard_normal((len(names), rows))
    columns = {"session": pa.array(days[session])}
    columns |= {f"f_{name}": features[n] for n, name in enumerate(names)}
    for horizon in (1, 5):
        columns |= {
            f"fwd_ret_{horizon}d": 0.002 * features[0] + 0.02 * rng.standard_normal(rows),
            f"label_start_{horizon}d": pa.array(days[session + 1]),
            f"label_end_{horizon}d": pa.array(days[session + 1 + horizon]),
            f"uniqueness_{horizon}d": np.full(rows, 1.0 / horizon),
        }
    return pa.table(columns)


def published(table, root, *, names=FEATURE_NAMES):
    folder = root / "bench" / "1"
    file = write_parquet(table, folder / "part-0.parquet")
    return DatasetManifest(
        dataset_id="bench",
        version="1",
        kind="signal",
        window=DatasetWindow(start=date(1970, 1, 1), end=date(2022, 1, 1), horizons=(1, 5)),
        files=(file,),
        content_sha256=ZEROS,
        columns={name: str(table.schema.field(name).type) for name in table.column_names},
        feature_names=names,
        rows=len(table),
        label_stats={},
        profile={name: profile_feature(table[f"f_{name}"].to_numpy()) for name in names},
        event_range=EventRange(types=(), count=0, first=None, last=None, log_position=0),
        join_quality=JoinQuality(),
        query_hash=ZEROS,
        code_commit="",
        config_hash=ZEROS,
        suite_hash=ZEROS,
        validation=DatasetValidation(success=True, evaluated=1, expected=1),
        created_at=datetime(2022, 1, 1, tzinfo=UTC),
    )

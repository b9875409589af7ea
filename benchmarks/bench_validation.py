"""Judging a dataset, against Great Expectations alone on the pandas frame of its rows.

Both sides check the same columns. The first row is what Great Expectations does in a build: it judges the totals, the
same few numbers whatever the size. The second includes the computation of those totals over all rows in memory, as a
dataset of one bucket is judged, and with it the association of every feature with every label. The third reads the
rows from the Parquet files of 20 buckets, as a large dataset is judged.

The other side is the plain use of Great Expectations: a batch of the pandas frame with ``result_format="SUMMARY"`` and
an expectation per column and rule. It has none for look-ahead, missed splits, one class, constant features and labels
that contradict their returns, and reading and converting its rows to pandas is not counted.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow.dataset import dataset

from benchmarks._harness import compare
from ordinis_learn.datasets.expectations import judge
from ordinis_learn.datasets.signal_suite import signal_suite, signal_totals, validate_signals
from ordinis_learn.datasets.storage import write_parquet
from ordinis_learn.records import BarrierRule

HORIZONS = (1, 5, 20)
FEATURES = tuple(f"f_x{n}" for n in range(16))
BARRIERS = BarrierRule()
SYMBOLS = 2_000
BUCKETS = 20
START = np.datetime64("2010-01-04")
STATUSES = ["labelled", "pending", "no_entry_bar", "no_exit_bar", "no_volatility"]


def run(*, quick):
    size = 200_000 if quick else 5_000_000
    table = signals(size)
    frame = plain_frame(table)

    asked = {"horizons": HORIZONS, "features": FEATURES}
    suite = signal_suite(**asked, barriers=BARRIERS)
    totals = signal_totals(table, suite=suite, **asked, minimum_samples=1000)

    def judged(_):
        return lambda: _accepted(judge(totals, suite=suite).success)

    def whole(_):
        return lambda: _accepted(
            validate_signals(table, **asked, barriers=BARRIERS, minimum_samples=1000).success
        )

    def from_files(_):
        rows = dataset([str(path) for path in sorted(folder.iterdir())])
        return lambda: _accepted(
            validate_signals(rows, **asked, barriers=BARRIERS, minimum_samples=1000).success
        )

    def alone(_):
        return lambda: _accepted(all(result.success for result in gx_alone(frame)))

    what = f"{size:,} rows, {table.num_columns} columns"
    reference = {"reference_name": "Great Expectations alone on the pandas frame", "reference": alone}
    yield compare(f"judge the totals of {what}", ours=judged, **reference, runs=3, units=size)
    yield compare(f"compute and judge the totals of {what}", ours=whole, **reference, runs=3, units=size)
    with tempfile.TemporaryDirectory(prefix="ordinis-bench-") as name:
        folder = Path(name)
        _write(table, folder)
        yield compare(f"the same from {BUCKETS} files", ours=from_files, **reference, runs=2, units=size)


def _write(table, folder):
    """Write buckets of symbols, one after the other, as a build does."""
    bucket = np.arange(table.num_rows) % SYMBOLS % BUCKETS
    for number in range(BUCKETS):
        write_parquet(table.filter(pa.array(bucket == number)), folder / f"data-{number:03d}.parquet")


def signals(size, *, seed=0):
    """Return labelled signals as a build makes them: ordered by session and symbol, nothing wrong with them."""
    rng = np.random.default_rng(seed)
    number = np.arange(size) // SYMBOLS
    session = START + number.astype("timedelta64[D]")
    direction = rng.integers(-1, 2, size).astype(np.int8)
    volatility = rng.uniform(0.01, 0.03, size)
    earned = rng.normal(0.0, 0.02, size)
    columns = {
        "signal_id": pa.array([f"sig-{n:010d}" for n in range(size)]),
        "symbol": pa.array([f"S{n:04d}" for n in range(SYMBOLS)])
        .take(pa.array(np.arange(size) % SYMBOLS))
        .cast(pa.string()),
        "session": pa.array(session),
        "ts_signal": moments(session, hours=21),
        "direction": pa.array(direction),
        "volatility": pa.array(volatility),
        "confidence": pa.array(rng.random(size)),
        "model_id": pa.repeat("momentum", size),
        "strategy_id": pa.repeat("long_short", size),
        "feature_version": pa.repeat("tech_v1", size),
        **{name: pa.array(rng.normal(size=size)) for name in FEATURES},
        "allowed": pa.repeat(True, size),
        "order_id": pa.repeat("ord", size),
        "filled_qty": pa.array(rng.random(size)),
        "avg_fill_price": pa.array(50 + rng.random(size)),
        "fees": pa.array(rng.random(size)),
        "slippage": pa.array(rng.random(size)),
        "join_quality": pa.repeat("carried", size),
        "position_effect": pa.repeat("open", size),
        "realised_pnl": pa.array(100 * earned),
        "realised_ret": pa.array(earned),
        "realised_available_at": moments(session + np.timedelta64(9, "D"), hours=21),
        "realised_status": pa.repeat("realised", size),
    }
    for horizon in HORIZONS:
        returns = np.clip(rng.normal(0.0, 0.02 * np.sqrt(horizon), size), -0.3, 0.3)
        end = session + np.timedelta64(1 + horizon, "D")
        labels = {
            "fwd_ret": pa.array(returns),
            "signed_ret": pa.array(direction * returns),
            "risk_adj_ret": pa.array(direction * returns / (volatility * np.sqrt(horizon))),
            "net_ret": pa.array(returns),
            "label_start": pa.array(session + np.timedelta64(1, "D")),
            "label_end": pa.array(end),
            "label_available_at": moments(end, hours=21),
            "label_status": pa.repeat("labelled", size),
            "uniqueness": pa.array(np.full(size, 1 / horizon)),
        }
        columns |= {f"{name}_{horizon}d": values for name, values in labels.items()}
    return pa.table(columns | touches(session, direction=direction, earned=earned))


def touches(session, *, direction, earned):
    """Return triple-barrier labels that were touched after five sessions."""
    size, end = len(session), session + np.timedelta64(1 + BARRIERS.sessions, "D")
    return {
        "tb_label": pa.array(np.sign(earned).astype(np.int8)),
        "meta_label": pa.array((earned > 0).astype(np.int8), mask=direction == 0),
        "tb_ret": pa.array(earned),
        "tb_sessions": pa.array(np.full(size, BARRIERS.sessions, dtype=np.int32)),
        "tb_end": pa.array(end),
        "tb_available_at": moments(end, hours=21),
        "tb_status": pa.repeat("labelled", size),
        "tb_uniqueness": pa.array(np.full(size, 1 / BARRIERS.sessions)),
    }


def moments(days, *, hours):
    stamps = days.astype("datetime64[us]") + np.timedelta64(hours, "h")
    return pa.array(stamps).cast(pa.timestamp("us", tz="UTC"))


def plain_frame(table):
    """Return the rows in pandas, dates as time stamps, so that pairs of columns can be compared."""
    for number, field in enumerate(table.schema):
        if pa.types.is_date32(field.type):
            stamps = table[field.name].cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
            table = table.set_column(number, field.name, stamps)
    return table.to_pandas()


def gx_alone(frame):
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    from ordinis_learn.datasets._gx import run_suite

    def expect(kind, **kwargs):
        return ExpectationConfiguration(type=f"expect_column_{kind}", kwargs=kwargs)

    def between(column, low, high):
        return expect("values_to_be_between", column=column, min_value=low, max_value=high)

    def above(larger, smaller):
        return expect("pair_values_a_to_be_greater_than_b", column_A=larger, column_B=smaller, or_equal=True)

    keys = ["signal_id", "symbol", "session", "ts_signal", "direction", "confidence", "model_id"]
    expectations = [
        expect("values_to_be_unique", column="signal_id"),
        expect("values_to_be_increasing", column="session"),
        expect("values_to_be_in_set", column="direction", value_set=[-1, 0, 1]),
        expect("values_to_be_in_set", column="join_quality", value_set=["carried", "intent", "none"]),
        between("confidence", 0, 1),
        between("filled_qty", 0, None),
        between("avg_fill_price", 0, None),
        between("fees", 0, None),
        between("volatility", 0, 2),
        between("realised_ret", -20, 100),
        between("tb_ret", -10, 10),
        between("tb_sessions", 1, BARRIERS.sessions),
        between("tb_uniqueness", 0, 1),
        expect("values_to_be_in_set", column="tb_label", value_set=[-1, 0, 1]),
        expect("values_to_be_in_set", column="meta_label", value_set=[0, 1]),
        expect("values_to_be_in_set", column="tb_status", value_set=STATUSES),
        expect("values_to_be_in_set", column="position_effect", value_set=["open", "add", "reverse"]),
        expect("values_to_be_in_set", column="realised_status", value_set=["realised", "open", "none"]),
        above("tb_end", "session"),
        above("tb_available_at", "tb_end"),
        above("realised_available_at", "ts_signal"),
        *(
            expect("values_to_not_be_null", column=name)
            for name in (*keys, "strategy_id", "feature_version", "join_quality", *FEATURES)
        ),
        *(between(name, -1e9, 1e9) for name in FEATURES),  # finite
    ]
    for horizon in (f"{h}d" for h in HORIZONS):
        expectations += [
            between(f"fwd_ret_{horizon}", -1, 10),
            between(f"signed_ret_{horizon}", -10, 10),
            between(f"net_ret_{horizon}", -11, 11),
            between(f"uniqueness_{horizon}", 0, 1),
            expect("values_to_be_in_set", column=f"label_status_{horizon}", value_set=STATUSES),
            above(f"label_start_{horizon}", "session"),
            above(f"label_end_{horizon}", f"label_start_{horizon}"),
            above(f"label_available_at_{horizon}", f"label_end_{horizon}"),
            above(f"label_available_at_{horizon}", "ts_signal"),
        ]
    return run_suite(frame, expectations=expectations)


def _accepted(success):
    """The comparison is void unless both sides accept the data."""
    assert success

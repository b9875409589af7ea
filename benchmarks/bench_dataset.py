"""Labelling a window of the event log, against the same join written in bare DuckDB and in pandas.

All three start from the same SQLite log (real prices, simulated desk) and give the same numbers, which is checked
before anything is timed: features, forward returns at three horizons, risk decision, order, fills. The bare scripts do
less: no duplicate or late events, one way to join orders, no net returns, no label uniqueness.
The last row is the whole build: also content hash, profile, Great Expectations, Parquet, manifest.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._harness import compare
from ordinis_learn.capture import EventRecorder, SqliteEventLog
from ordinis_learn.datasets import DatasetBuilder
from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.market import FEATURE_NAMES, load_sp500
from ordinis_learn.market.desk import replay
from ordinis_learn.records import DatasetWindow, Topic

HORIZONS = (1, 5, 20)
CLOCK = datetime(2023, 1, 2, tzinfo=UTC)

FEATURE_STRUCT = ", ".join(f'"{name}": "DOUBLE"' for name in FEATURE_NAMES)
FEATURE_COLUMNS = ", ".join(f"s.metadata.features.{name} AS f_{name}" for name in FEATURE_NAMES)
SQL = f"""
WITH s AS (
    SELECT CAST(make_timestamp(ts_event) AS DATE) AS session, unnest(json_transform(payload,
        '{{"signal_id": "VARCHAR", "symbol": "VARCHAR", "direction": "VARCHAR", "confidence": "DOUBLE",
          "metadata": {{"features": {{{FEATURE_STRUCT}}}}}}}')) FROM signals
), bar AS (
    SELECT unnest(json_transform(payload, '{{"symbol": "VARCHAR", "session": "DATE", "close": "DOUBLE"}}')) FROM bars
), number AS (
    SELECT session, row_number() OVER (ORDER BY session) AS n FROM (SELECT DISTINCT session FROM bar)
), price AS (
    SELECT symbol, session, n, close FROM bar JOIN number USING (session)
), decision AS (
    SELECT unnest(json_transform(payload, '{{"signal_id": "VARCHAR", "allowed": "BOOLEAN"}}')) FROM risk
), intent AS (
    SELECT unnest(json_transform(payload, '{{"signal_id": "VARCHAR", "order_id": "VARCHAR"}}')) FROM intents
), report AS (
    SELECT unnest(json_transform(payload, '{{"order_id": "VARCHAR",
        "fills": [{{"qty": "DOUBLE", "price": "DOUBLE", "fee": "DOUBLE"}}]}}')) FROM executions
), fill AS (
    SELECT order_id, unnest(fills) AS f FROM report
), filled AS (
    SELECT order_id, sum(f.qty) AS filled_qty, sum(f.qty * f.price) / sum(f.qty) AS avg_fill_price, sum(f.fee) AS fees
    FROM fill GROUP BY order_id
)
SELECT s.signal_id, s.symbol, s.session, s.direction, s.confidence, {FEATURE_COLUMNS},
    decision.allowed, intent.order_id, filled.filled_qty, filled.avg_fill_price, filled.fees,
    {", ".join(f"x{h}.close / e.close - 1 AS fwd_ret_{h}d, x{h}.session AS label_end_{h}d" for h in HORIZONS)}
FROM s JOIN number USING (session)
LEFT JOIN price AS e ON e.symbol = s.symbol AND e.n = number.n + 1
{" ".join(f"LEFT JOIN price AS x{h} ON x{h}.symbol = s.symbol AND x{h}.n = number.n + 1 + {h}" for h in HORIZONS)}
LEFT JOIN decision ON decision.signal_id = s.signal_id
LEFT JOIN intent ON intent.signal_id = s.signal_id
LEFT JOIN filled ON filled.order_id = intent.order_id
ORDER BY s.session, s.symbol, s.signal_id
"""
TABLES = {
    "signals": Topic.SIGNAL,
    "bars": Topic.BAR,
    "risk": Topic.RISK,
    "intents": Topic.INTENT,
    "executions": Topic.EXECUTION,
}


def run(*, quick):
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    end = date(1996, 12, 31) if quick else date(2022, 12, 28)
    try:
        log = SqliteEventLog(folder / "events.db", clock=lambda: CLOCK)
        EventRecorder(log).record_events(replay(load_sp500(), seed=7, end=end), batch_size=10_000)
        yield from _rows(
            log, folder, window=DatasetWindow(start=date(1991, 1, 2), end=end), runs=3 if quick else 5
        )
        log.close()
    finally:
        shutil.rmtree(folder)


def _rows(log, folder, *, window, runs):
    path, fresh = folder / "events.db", count()

    def ours(_):
        return lambda: assemble(log, window=window)

    def build(_):
        root = folder / f"datasets-{next(fresh)}"
        builder = DatasetBuilder(log, root=root, min_samples=1000, code_commit="", clock=lambda: CLOCK)
        return lambda: builder.build("bench", window)

    def in_duckdb(_):
        return lambda: bare_duckdb(path, window)

    def in_duckdb_to_parquet(_):
        return lambda: pq.write_table(bare_duckdb(path, window), folder / f"bare-{next(fresh)}.parquet")

    def in_pandas(_):
        return lambda: bare_pandas(path, window)

    table = assemble(log, window=window).table
    _check(table, bare_duckdb(path, window))
    _check(table, pa.Table.from_pandas(bare_pandas(path, window), preserve_index=False))
    what, size = f"label {table.num_rows:,} signals", {"runs": runs, "units": table.num_rows}
    yield compare(what, ours=ours, reference_name="the join in bare DuckDB", reference=in_duckdb, **size)
    yield compare(what, ours=ours, reference_name="the join in pandas", reference=in_pandas, **size)
    yield compare(
        f"build_dataset, {table.num_rows:,} signals",
        ours=build,
        reference_name="the join in bare DuckDB, to Parquet",
        reference=in_duckdb_to_parquet,
        **size,
    )


def bare_duckdb(path, window):
    with sqlite3.connect(path) as log, duckdb.connect() as connection:
        for name, topic in TABLES.items():
            moments, payloads = zip(*_read(log, topic), strict=True)
            connection.register(
                name, pa.table({"ts_event": pa.array(moments), "payload": pa.array(payloads)})
            )
        table = connection.sql(SQL).to_arrow_table()
    log.close()
    return table.filter(
        (pa.compute.field("session") >= window.start) & (pa.compute.field("session") <= window.end)
    )


def bare_pandas(path, window):
    log = sqlite3.connect(path)
    frames = {name: _frame(log, topic) for name, topic in TABLES.items()}
    log.close()
    signals, bars = frames["signals"], frames["bars"]
    signals["session"] = pd.to_datetime(signals["ts_event"], unit="us").dt.normalize()
    features = pd.DataFrame([entry["features"] for entry in signals["metadata"]]).add_prefix("f_")
    signals = pd.concat([signals.drop(columns="metadata"), features], axis=1)
    bars["session"] = pd.to_datetime(bars["session"])
    close = bars.pivot(index="session", columns="symbol", values="close")  # noqa: PD010  the fastest way
    labelled = signals
    for horizon in HORIZONS:
        forward = (close.shift(-1 - horizon) / close.shift(-1) - 1).stack()  # noqa: PD013  keeps the sessions
        forward = forward.rename(f"fwd_ret_{horizon}d").reset_index()
        ends = pd.Series(close.index, index=close.index).shift(-1 - horizon).rename(f"label_end_{horizon}d")
        labelled = labelled.merge(forward, on=["session", "symbol"], how="left").join(ends, on="session")
    fills = (
        frames["executions"][["order_id", "fills"]]
        .explode("fills")
        .dropna(subset="fills")
        .reset_index(drop=True)
    )
    fills = pd.concat([fills[["order_id"]], pd.DataFrame(fills["fills"].tolist())], axis=1)
    fills["notional"] = fills["qty"] * fills["price"]
    filled = fills.groupby("order_id").agg(
        filled_qty=("qty", "sum"), notional=("notional", "sum"), fees=("fee", "sum")
    )
    filled["avg_fill_price"] = filled.pop("notional") / filled["filled_qty"]
    joined = (
        labelled.merge(frames["risk"][["signal_id", "allowed"]], on="signal_id", how="left")
        .merge(frames["intents"][["signal_id", "order_id"]], on="signal_id", how="left")
        .merge(filled.reset_index(), on="order_id", how="left")
    )
    inside = joined["session"].between(pd.Timestamp(window.start), pd.Timestamp(window.end))
    return joined[inside].sort_values(["session", "symbol", "signal_id"])


def _frame(log, topic):
    moments, payloads = zip(*_read(log, topic), strict=True)
    return pd.DataFrame([json.loads(text) for text in payloads]).assign(ts_event=moments)


def _read(log, topic):
    query = "SELECT ts_event, payload FROM events WHERE event_type = ? ORDER BY ts_event, event_id"
    return log.execute(query, (topic.value,)).fetchall()


def _check(ours, bare):
    """The comparison is void unless both sides say the same."""
    ours, bare = ours.sort_by("signal_id"), bare.sort_by("signal_id")
    assert ours["signal_id"].to_pylist() == bare["signal_id"].to_pylist()
    names = (
        [f"fwd_ret_{horizon}d" for horizon in HORIZONS] + [f"f_{name}" for name in FEATURE_NAMES] + ["fees"]
    )
    for name in names:
        np.testing.assert_allclose(ours[name].to_numpy(), bare[name].to_numpy(), rtol=1e-9, err_msg=name)

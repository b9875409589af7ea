"""Qlib's published job: 14 features and labels for 800 stocks, daily, 2007-2020, against bare Polars.

Qlib reports 147 s without its cache and 7.4 s with it, on one CPU of other hardware; that is for orientation, no ratio.
Here the prices are synthetic. Both sides start from Parquet and end in Parquet. *Ours* makes the 14 features with NumPy on
the price grid, hands them over as signals, one for each stock and session, and labels them through the same function
that ``build_dataset`` uses, with uniqueness and content hash; bare Polars makes features and labels in one lazy query.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import _label_scale as scale
from benchmarks._harness import compare
from ordinis_learn.datasets.bucket import label_bucket
from ordinis_learn.datasets.buckets import split_events
from ordinis_learn.datasets.content import hash_leaves, leaf_of
from ordinis_learn.datasets.execution import InThreads
from ordinis_learn.datasets.storage import write_parquet
from ordinis_learn.datasets.window import window_calendar
from ordinis_learn.labelling import EventColumns, first_bars, price_grid, session_table
from ordinis_learn.labelling.sessions import integers
from ordinis_learn.records import DatasetWindow

BUCKETS = 8
STOCKS, SESSIONS, SPANS = 800, 3_500, (5, 10, 20, 60)
NAMES = ("ret_1", "vol_20", *(f"{name}_{n}" for n in SPANS for name in ("roc", "ma", "std")))
# Every day is a session, as in the prices; the bare script follows no barriers.
WINDOW = DatasetWindow(
    start=scale.FIRST,
    end=scale.FIRST + timedelta(days=SESSIONS),
    horizons=(1, 5, 20),
    calendar="24/7",
    barriers=None,
)


def run(*, quick):
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    stocks = 80 if quick else STOCKS
    try:
        path = folder / "bars.parquet"
        names = [f"S{number:03d}" for number in range(stocks)]
        pq.write_table(prices(names), path)
        ours(path, folder / "ours")
        bare(path, folder / "bare.parquet")
        check(folder / "ours", folder / "bare.parquet")
        yield compare(
            f"14 features and labels, {stocks} stocks x {SESSIONS:,} days",
            ours=lambda _: lambda: ours(path, folder / "ours"),
            reference_name="bare Polars",
            reference=lambda _: lambda: bare(path, folder / "bare.parquet"),
            runs=1 if quick else 3,
            units=stocks * SESSIONS,
        )
    finally:
        shutil.rmtree(folder)


def prices(names):
    kept, scale.SESSIONS = scale.SESSIONS, SESSIONS
    try:
        return scale.bars_of(names, rng=np.random.default_rng(11))
    finally:
        scale.SESSIONS = kept


def ours(path, out):
    parts = split_events(pq.read_table(path), buckets=BUCKETS)
    executor, calendar = InThreads(2), window_calendar(WINDOW)
    prices = executor.run(partial(first_bars, calendar=calendar), parts)
    told = pa.concat_tables([part.select(["session", "closed_at"]) for part in prices])
    sessions = session_table(told, calendar=calendar)
    out.mkdir(exist_ok=True)
    leaves = {}
    for found in executor.run(
        lambda number: label(parts[number], prices[number], sessions, out / f"{number}.parquet"),
        range(BUCKETS),
    ):
        leaves |= found
    return leaves


def label(bars, prices, sessions, path):
    nothing = pa.table({})
    signals = signals_of(bars, prices, sessions)
    table = label_bucket(
        EventColumns(signals=signals, bars=nothing, decisions=nothing, intents=nothing, reports=nothing),
        prices=prices,
        sessions=sessions,
        window=WINDOW,
        features=[f"f_{name}" for name in sorted(NAMES)],
        part=leaf_of(signals["symbol"]).astype(np.int64),
    )
    write_parquet(table, path)
    return hash_leaves(table)


def signals_of(bars, prices, sessions):
    """One signal for each bar, with the features known at its close."""
    grid = price_grid(prices, sessions=sessions)
    row = grid.row_of(bars["symbol"])
    at = row, grid.numbers(integers(bars["ts_event"]), at=row)
    features = {f"f_{name}": values[at] for name, values in features_of(grid.close[:-1, 1:-1]).items()}
    rows = bars.num_rows
    names = bars["symbol"].cast(pa.string())
    ids = pa.compute.binary_join_element_wise(names, bars["session"].cast(pa.string()), "-")
    text = {"correlation_id": "c", "model_id": "alpha", "strategy_id": "alpha", "feature_version": "v1"}
    return pa.table(
        {
            "event_id": ids,
            "signal_id": ids,
            "ts_event": bars["ts_event"],
            "symbol": bars["symbol"],
            "direction": np.ones(rows, dtype=np.int8),
            "confidence": np.full(rows, 0.5),
            **{name: pa.repeat(pa.scalar(value), rows).dictionary_encode() for name, value in text.items()},
            **{name: pa.array(values, mask=np.isnan(values)) for name, values in features.items()},
        }
    )


def features_of(close):
    """Return the 14 features, each of shape (stocks, 1 + sessions): column n is session n, column 0 is before."""
    found = {"ret_1": back(close, 1) ** -1 - 1}
    found["vol_20"] = np.sqrt(252) * rolling(found["ret_1"], 20)[1]
    for n in SPANS:
        mean, std = rolling(close, n)
        found |= {f"roc_{n}": back(close, n), f"ma_{n}": mean / close, f"std_{n}": std / close}
    return {name: np.pad(values, ((0, 0), (1, 0))) for name, values in found.items()}


def back(close, n):
    return np.pad(close[:, :-n], ((0, 0), (n, 0)), constant_values=np.nan) / close


def rolling(values, n):
    """Return mean and standard deviation of the last n values, or of as many as there are; NaN where fewer than two."""
    known = ~np.isnan(values)
    centre = np.nansum(values, axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    count, total, square = (
        window_sum(one, n)
        for one in (known, np.where(known, values - centre, 0.0), np.where(known, values - centre, 0.0) ** 2)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        std = np.sqrt(np.maximum(square - total * mean, 0.0) / (count - 1))
    return mean + centre, np.where(count > 1, std, np.nan)


def window_sum(values, n):
    summed = np.cumsum(values, axis=1, dtype=np.float64)
    summed[:, n:] -= summed[:, :-n].copy()
    return summed


def bare(path, out):
    close = pl.col("close")
    over = {"partition_by": "symbol"}
    features = {
        **{f"roc_{n}": close.shift(n).over(**over) / close for n in SPANS},
        **{f"ma_{n}": close.rolling_mean(n, min_samples=1).over(**over) / close for n in SPANS},
        **{f"std_{n}": close.rolling_std(n, min_samples=2).over(**over) / close for n in SPANS},
        "ret_1": close / close.shift(1).over(**over) - 1,
    }
    labels = {
        f"fwd_ret_{h}d": close.shift(-1 - h).over(**over) / close.shift(-1).over(**over) - 1
        for h in WINDOW.horizons
    }
    (
        pl.scan_parquet(path)
        .sort("symbol", "session")
        .select("symbol", "session", **features, **labels)
        .with_columns(vol_20=pl.col("ret_1").rolling_std(20, min_samples=2).over(**over) * 252**0.5)
        .sink_parquet(out, compression="lz4")
    )


def check(ours, bare):
    """The comparison is void unless both sides say the same."""
    mine = pl.read_parquet(ours / "*.parquet").sort("symbol", "session")
    theirs = pl.read_parquet(bare).sort("symbol", "session")
    pairs = {f"f_{name}": name for name in NAMES} | {
        f"fwd_ret_{h}d": f"fwd_ret_{h}d" for h in WINDOW.horizons
    }
    for name, other in pairs.items():
        np.testing.assert_allclose(
            mine[name].to_numpy(), theirs[other].to_numpy(), rtol=1e-6, atol=1e-9, err_msg=name
        )

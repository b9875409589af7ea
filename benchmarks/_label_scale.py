"""The jobs of ``bench_label_scale``: synthetic events, our labelling, and the same in other libraries.

``python -m benchmarks._label_scale NAME EVENTS OUT`` runs one job in a process of its own and prints its seconds, so
that the memory of each can be told. Everything is imported before the clock starts.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ordinis_learn.capture import bucket_of
from ordinis_learn.datasets.buckets import ParquetEvents, bucket_count
from ordinis_learn.datasets.execution import InProcesses, InThreads
from ordinis_learn.datasets.jobs import label_events
from ordinis_learn.labelling import event_columns
from ordinis_learn.records import DatasetWindow
from ordinis_learn.testing import InMemoryEventLog

HORIZONS = (1, 5, 20)
SESSIONS, SYMBOLS = 2_500, 2_000
FEATURES = ("f_vol_20", *(f"f_x{number:02d}" for number in range(15)))
FIRST = date(2010, 1, 1)
# No rival follows barriers, and every day is a session.
WINDOW = DatasetWindow(
    start=FIRST, end=FIRST + timedelta(days=SESSIONS), horizons=HORIZONS, calendar="24/7", barriers=None
)
KEYS = ("signal_id", "symbol", "direction", "confidence", "model_id", "strategy_id", "feature_version")
MOMENT = pa.timestamp("us", tz="UTC")


def generate(folder: Path, *, signals: int, seed: int = 7) -> None:
    """Write typed events in buckets of symbols, ordered by time: daily bars, and signals after each close."""
    buckets, each = bucket_count(signals), signals // (SESSIONS * SYMBOLS)
    symbols = [f"SYM{number:04d}" for number in range(SYMBOLS if each else signals // SESSIONS)]
    nothing = event_columns(InMemoryEventLog(clock=lambda: datetime(2020, 1, 1, tzinfo=UTC)).read_columns)
    for number in range(buckets):
        mine = [symbol for symbol in symbols if bucket_of(symbol, buckets=buckets) == number]
        rng = np.random.default_rng([seed, number])
        tables = {"bars": bars_of(mine, rng=rng), "signals": signals_of(mine, each=max(each, 1), rng=rng)}
        for topic in ("decisions", "intents", "reports"):
            tables[topic] = getattr(nothing, topic)
        for topic, table in tables.items():
            (folder / topic).mkdir(parents=True, exist_ok=True)
            pq.write_table(table, folder / topic / f"{number:03d}.parquet", compression="zstd")


def bars_of(symbols, *, rng):
    day, symbol = np.repeat(np.arange(SESSIONS), len(symbols)), np.tile(np.arange(len(symbols)), SESSIONS)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0, 0.02, (SESSIONS, len(symbols))), axis=0))
    names = pa.array(symbols, pa.string()).take(pa.array(symbol))
    return pa.table(
        {
            "event_id": pa.compute.binary_join_element_wise(
                "bar", names, pa.array(day).cast(pa.string()), "-"
            ),
            "ts_event": closing(day),
            "symbol": names,
            "tf": pa.repeat(pa.scalar("1d"), len(day)),
            "session": dates(day),
            "close": close.ravel(),
        }
    )


def signals_of(symbols, *, each, rng):
    rows = SESSIONS * each * len(symbols)
    day = np.repeat(np.arange(SESSIONS), each * len(symbols))
    turn = np.tile(np.repeat(np.arange(each), len(symbols)), SESSIONS)
    names = pa.array(symbols, pa.string()).take(pa.array(np.tile(np.arange(len(symbols)), SESSIONS * each)))
    count = pa.array(np.arange(rows)).cast(pa.string())
    ids = pa.compute.binary_join_element_wise("sig", names, count, "-")
    drawn = rng.standard_normal((len(FEATURES), rows))
    return pa.table(
        {
            "event_id": pa.compute.binary_join_element_wise("made", names, count, "-"),
            "ts_event": closing(day, seconds=60 * turn),
            "correlation_id": pa.repeat(pa.scalar("cycle"), rows),
            "signal_id": ids,
            "symbol": names,
            "direction": rng.integers(-1, 2, rows).astype(np.int8),
            "confidence": rng.random(rows),
            **{name: pa.repeat(pa.scalar(f"{name}-1"), rows) for name in KEYS[4:]},
            FEATURES[0]: np.abs(drawn[0]) + 0.01,
            **dict(zip(FEATURES[1:], drawn[1:], strict=True)),
        }
    )


def closing(day, *, seconds=0):
    start = (FIRST - date(1970, 1, 1)).days
    return pa.array(((start + day) * 86_400 + 21 * 3_600 + seconds) * 1_000_000).view(MOMENT)


def dates(day):
    return pa.array(((FIRST - date(1970, 1, 1)).days + day).astype(np.int32)).view(pa.date32())


def ours_in_threads(events: Path, out: Path) -> None:
    ours(events, out, executor=InThreads(2))


def ours_in_processes(events: Path, out: Path) -> None:
    ours(events, out, executor=InProcesses(2))


def ours(events, out, *, executor):
    buckets = len(list((events / "signals").iterdir()))
    found = label_events(
        ParquetEvents(url=str(events), buckets=buckets), window=WINDOW, executor=executor, target=str(out)
    )
    print(found.content_sha256, found.rows, file=sys.stderr)


def polars(events: Path, out: Path) -> None:
    import polars as pl

    price = (
        pl.read_parquet(f"{events}/bars/*.parquet", columns=["symbol", "session", "ts_event", "close"])
        .sort("symbol", "session")
        .lazy()
    )
    ahead = price.select(
        "symbol",
        "session",
        entry=pl.col("close").shift(-1).over("symbol"),
        label_start=pl.col("session").shift(-1).over("symbol"),
        **{f"exit_{h}": pl.col("close").shift(-1 - h).over("symbol") for h in HORIZONS},
        **{f"label_end_{h}d": pl.col("session").shift(-1 - h).over("symbol") for h in HORIZONS},
        **{f"label_available_at_{h}d": pl.col("ts_event").shift(-1 - h).over("symbol") for h in HORIZONS},
    )
    signals = pl.scan_parquet(f"{events}/signals/*.parquet").with_columns(
        session=pl.col("ts_event").dt.date()
    )
    y = {h: pl.col(f"exit_{h}") / pl.col("entry") - 1 for h in HORIZONS}
    scale = {h: pl.col("f_vol_20") * (h / 252) ** 0.5 for h in HORIZONS}
    signals.join(ahead, on=["symbol", "session"], how="left").select(
        *KEYS,
        "session",
        pl.col("ts_event").alias("ts_signal"),
        *FEATURES,
        *[
            column
            for h in HORIZONS
            for column in (
                y[h].alias(f"fwd_ret_{h}d"),
                (pl.col("direction") * y[h]).alias(f"signed_ret_{h}d"),
                (pl.col("direction") * y[h] / scale[h]).alias(f"risk_adj_{h}d"),
                pl.col("label_start").alias(f"label_start_{h}d"),
                pl.col(f"label_end_{h}d"),
                pl.col(f"label_available_at_{h}d"),
            )
        ],
    ).sink_parquet(out / "polars.parquet", compression="lz4", engine="streaming")


def duckdb(events: Path, out: Path) -> None:
    import duckdb as db

    shifted = ", ".join(
        f"lead(close, {1 + h}) OVER w AS exit_{h}, lead(session, {1 + h}) OVER w AS label_end_{h}d, "
        f"lead(ts_event, {1 + h}) OVER w AS label_available_at_{h}d"
        for h in HORIZONS
    )
    labels = ", ".join(
        f"exit_{h} / entry - 1 AS fwd_ret_{h}d, direction * (exit_{h} / entry - 1) AS signed_ret_{h}d, "
        f"direction * (exit_{h} / entry - 1) / (f_vol_20 * sqrt({h} / 252)) AS risk_adj_{h}d, "
        f"label_start AS label_start_{h}d, label_end_{h}d, label_available_at_{h}d"
        for h in HORIZONS
    )
    with db.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        connection.execute(f"""COPY (
            WITH ahead AS (
                SELECT symbol, session, lead(close) OVER w AS entry, lead(session) OVER w AS label_start, {shifted}
                FROM read_parquet('{events}/bars/*.parquet')
                WINDOW w AS (PARTITION BY symbol ORDER BY session)
            )
            SELECT {", ".join(f"s.{name}" for name in KEYS)}, ahead.session, ts_event AS ts_signal,
                {", ".join(FEATURES)}, {labels}
            FROM read_parquet('{events}/signals/*.parquet') AS s
            LEFT JOIN ahead ON ahead.symbol = s.symbol AND ahead.session = CAST(s.ts_event AS DATE)
        ) TO '{out}/duckdb.parquet' (FORMAT parquet, COMPRESSION lz4_raw)""")


def pandas(events: Path, out: Path) -> None:
    import pandas as pd

    bars = pd.read_parquet(events / "bars", columns=["symbol", "session", "ts_event", "close"])
    bars = bars.sort_values(["symbol", "session"])
    grouped = bars.groupby("symbol", sort=False)
    ahead = bars[["symbol", "session"]].assign(
        entry=grouped["close"].shift(-1), label_start=grouped["session"].shift(-1)
    )
    for h in HORIZONS:
        names = {"close": f"exit_{h}", "session": f"label_end_{h}d", "ts_event": f"label_available_at_{h}d"}
        ahead = ahead.join(grouped[list(names)].shift(-1 - h).rename(columns=names))
    signals = pd.read_parquet(events / "signals", columns=[*KEYS, "ts_event", *FEATURES])
    ahead["session"] = pd.to_datetime(ahead["session"])
    signals["session"] = signals["ts_event"].dt.tz_localize(None).dt.normalize()
    table = signals.merge(ahead, on=["symbol", "session"], how="left")
    for h in HORIZONS:
        table[f"fwd_ret_{h}d"] = table.pop(f"exit_{h}") / table["entry"] - 1
        table[f"signed_ret_{h}d"] = table["direction"] * table[f"fwd_ret_{h}d"]
        table[f"risk_adj_{h}d"] = table[f"signed_ret_{h}d"] / (table["f_vol_20"] * (h / 252) ** 0.5)
        table[f"label_start_{h}d"] = table["label_start"]
    table.drop(columns=["entry", "label_start"]).to_parquet(out / "pandas.parquet", compression="lz4")


def rewrite(events: Path, out: Path) -> None:
    import polars as pl

    pl.scan_parquet(f"{events}/signals/*.parquet").sink_parquet(
        out / "rewrite.parquet", compression="lz4", engine="streaming"
    )


JOBS = {job.__name__: job for job in (ours_in_threads, ours_in_processes, polars, duckdb, pandas, rewrite)}

if __name__ == "__main__":
    import duckdb as _duckdb  # noqa: F401
    import exchange_calendars  # noqa: F401
    import pandas as pd  # noqa: F401
    import polars as pl  # noqa: F401

    name, source, target = sys.argv[1:]
    begun = time.perf_counter()
    JOBS[name](Path(source), Path(target))
    print(time.perf_counter() - begun)

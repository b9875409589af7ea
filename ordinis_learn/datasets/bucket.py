"""One pure function labels the signals of some symbols.

Everything but the sessions lies within one symbol: prices, orders, fills, concurrent labels. So a dataset can be
labelled in any number of buckets of symbols, by any number of threads, processes or hosts, and every row comes out
the same to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.labelling import (
    BARRIER_COLUMNS,
    FEATURE_PREFIX,
    POSITION_COLUMNS,
    EventColumns,
    PriceGrid,
    fills_on_grid,
    horizon_uniqueness,
    join_executions,
    label_columns,
    net_returns,
    price_grid,
    realise_positions,
    sample_uniqueness,
    touch_barriers,
)
from ordinis_learn.labelling.sessions import Ints, ranked
from ordinis_learn.records import DatasetWindow

__all__ = ["feature_columns", "label_bucket"]

_KEYS: Final = (
    "signal_id",
    "symbol",
    "session",
    "ts_signal",
    "direction",
    "confidence",
    "model_id",
    "strategy_id",
    "feature_version",
)
_EXECUTION: Final = (
    "allowed",
    "order_id",
    "filled_qty",
    "avg_fill_price",
    "fees",
    "slippage",
    "join_quality",
    *POSITION_COLUMNS,
)
_LABEL: Final = (
    "fwd_ret",
    "signed_ret",
    "risk_adj_ret",
    "net_ret",
    "label_start",
    "label_end",
    "label_available_at",
    "label_status",
    "uniqueness",
)


def feature_columns(table: pa.Table) -> tuple[str, ...]:
    """Return the names of a table's feature columns, with their prefix, in order."""
    return tuple(sorted(name for name in table.column_names if name.startswith(FEATURE_PREFIX)))


def label_bucket(
    events: EventColumns,
    *,
    prices: pa.Table,
    sessions: pa.Table,
    window: DatasetWindow,
    features: Sequence[str],
    part: Ints | None = None,
    threads: int | None = None,
) -> pa.Table:
    """Return the dataset rows of some symbols.

    Parameters
    ----------
    events : EventColumns
        All events of these symbols that were known at one moment, in any order; its bars are not looked at.
    prices : pa.Table
        From :func:`ordinis_learn.labelling.first_bars`, of these symbols (others do no harm).
    sessions : pa.Table
        From :func:`ordinis_learn.labelling.session_table`, over all symbols.
    window : DatasetWindow
        Which sessions and symbols count, the horizons and the barriers.
    features : sequence of str
        Feature columns of the result, with their prefix; null in rows that did not carry them.
    part : int array, optional
        One small number per signal; rows are ordered by it first.
    threads : int, optional
        Threads of DuckDB, which matches executions. The result does not depend on it.

    Returns
    -------
    pa.Table
        In canonical order (see :func:`ordinis_learn.labelling.label_columns`): keys, features, ``volatility``,
        execution, per horizon the label columns with the suffix ``_{h}d``, and the triple barrier where the window
        has one.
    """
    grid = price_grid(prices, sessions=sessions)
    table = label_columns(
        events.signals, grid=grid, horizons=window.horizons, span=window.volatility_span, part=part
    )
    inside = _within(table, window)
    if not pc.all(inside, min_count=0).as_py():
        table = table.filter(inside)
    table = _with_executions(table, events=events, grid=grid, window=window, threads=threads)
    table = _with_uniqueness(table, horizons=window.horizons)
    table = _with_barriers(table, grid=grid, window=window)
    for name in features:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, pa.float64()))
    labels = [f"{name}_{horizon}d" for horizon in window.horizons for name in _LABEL]
    barriers = [] if window.barriers is None else [*BARRIER_COLUMNS, "tb_uniqueness"]
    return table.select([*_KEYS, *features, "volatility", *_EXECUTION, *labels, *barriers])


def _within(labels: pa.Table, window: DatasetWindow) -> pa.ChunkedArray:
    session = labels["session"]
    inside = pc.and_(pc.greater_equal(session, window.start), pc.less_equal(session, window.end))
    inside = pc.fill_null(inside, False)
    if window.symbols is not None:
        inside = pc.and_(inside, pc.is_in(labels["symbol"], value_set=pa.array(window.symbols, pa.string())))
    return inside


def _with_executions(
    labels: pa.Table, *, events: EventColumns, grid: PriceGrid, window: DatasetWindow, threads: int | None
) -> pa.Table:
    # Where nobody decided and nobody reported, what became of one signal became of all.
    untouched = not events.decisions.num_rows and not events.reports.num_rows
    signals = events.signals.slice(0, 1) if untouched else events.signals
    joined = join_executions(
        signals,
        risk=events.decisions,
        intents=events.intents,
        executions=events.reports,
        threads=threads,
    )
    fills = fills_on_grid(joined.fills, grid=grid)
    realised = realise_positions(signals, fills=fills)
    rows = labels["signal_row"].combine_chunks()
    rows = pa.array(np.zeros(len(rows), dtype=np.int64)) if untouched else rows
    outcomes = dict(zip(joined.outcomes.column_names, joined.outcomes.columns, strict=True))
    outcomes |= dict(zip(realised.column_names, realised.columns, strict=True))
    columns = {name: outcomes[name].take(rows) for name in _EXECUTION}
    net = net_returns(labels, fills=fills, horizons=window.horizons, threads=threads)
    for name, values in [*columns.items(), *zip(net.column_names, net.columns, strict=True)]:
        labels = labels.append_column(name, values)
    return labels


def _with_uniqueness(table: pa.Table, *, horizons: Sequence[int]) -> pa.Table:
    """Append the uniqueness of the labelled rows among each other, null elsewhere.

    A label made at session s returns over the sessions s+2..s+1+h: the entry is at the close of s+1.
    """
    number = table["session_number"].to_numpy().astype(np.int64)
    _, symbol = ranked(table["symbol"])
    for horizon in horizons:
        labelled = np.asarray(table[f"fwd_ret_{horizon}d"].is_valid())
        values = np.zeros(table.num_rows)
        values[labelled] = horizon_uniqueness(number[labelled] + 1, group=symbol[labelled], horizon=horizon)
        table = table.append_column(f"uniqueness_{horizon}d", pa.array(values, mask=~labelled))
    return table


def _with_barriers(table: pa.Table, *, grid: PriceGrid, window: DatasetWindow) -> pa.Table:
    """Append the triple barrier and its uniqueness, if the window has one."""
    if window.barriers is None:
        return table
    touched = touch_barriers(
        grid,
        at=grid.row_of(table["symbol"]),
        number=table["session_number"].to_numpy().astype(np.int64),
        direction=table["direction"].to_numpy(),
        volatility=table["volatility"].to_numpy(),
        rule=window.barriers,
    )
    for name, values in touched.items():
        table = table.append_column(name, values)
    lasts = pc.fill_null(table["tb_sessions"], 0).to_numpy().astype(np.int64)
    return table.append_column("tb_uniqueness", _uniqueness(table, sessions=lasts))


def _uniqueness(table: pa.Table, *, sessions: npt.NDArray[np.int64]) -> pa.Array:
    """Return the uniqueness of labels that last some sessions after their entry; null where they last none."""
    labelled = sessions > 0
    number = table["session_number"].to_numpy().astype(np.int64)[labelled]
    _, symbol = ranked(table["symbol"])
    values = np.zeros(table.num_rows)
    values[labelled] = sample_uniqueness(
        number + 2, last=number + 1 + sessions[labelled], group=symbol[labelled]
    )
    return pa.array(values, mask=~labelled)

"""What came of a signal: forward returns at horizons, entered at the next session's close.

A signal made at the close of session s is entered at the close of s+1 and left at the close of s+1+h::

    y_h = P[s + 1 + h] / P[s + 1] - 1

which is the label of Qlib's ``Ref($close, -(h+1)) / Ref($close, -1) - 1``. With the rules of
:mod:`ordinis_learn.labelling.sessions`, a bar after time t cannot change a label that was available at or before t.

The work is index arithmetic on a grid of closes, one gather per value: each signal is looked at once, whatever
the number of horizons, and no two signals depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.labelling.columns import COLUMN_RULES, FEATURE_PREFIX, bar_columns, signal_columns
from ordinis_learn.labelling.sessions import (
    TIMESTAMP,
    Ints,
    PriceGrid,
    first_bars,
    integers,
    price_grid,
    ranked,
    session_table,
)

__all__ = ["LABEL_QUERIES", "label_columns", "label_signals"]

VOLATILITY: Final = FEATURE_PREFIX + "vol_20"
SIGNAL_COLUMNS: Final = ("direction", "confidence", "model_id", "strategy_id", "feature_version")

LABEL_QUERIES: Final = (COLUMN_RULES, "ordinis.labels.horizons.v2")
"""What is behind every label, for the manifest's ``query_hash``: the names of the rules.

A change of the rules needs a new name; ``tests/labelling/test_horizons.py`` has their values by hand.
"""


def label_signals(
    signals: pa.Table,
    bars: pa.Table,
    *,
    horizons: Sequence[int],
    as_of: datetime | None = None,
) -> pa.Table:
    """Label every signal at every horizon; one row per signal.

    Parameters
    ----------
    signals, bars : pa.Table
        Scans of ``ordinis.signals.generated`` and ``ordinis.market.bar.closed``, as
        :meth:`ordinis_learn.ports.EventLog.scan` returns them, or their typed columns.
    horizons : sequence of int
        Holding periods in sessions, distinct and at least 1.
    as_of : datetime, optional
        The moment of knowledge: later signals and bars are not looked at, which gives the same table as a
        log that ends there.

    Returns
    -------
    pa.Table
        As :func:`label_columns` returns it.

    Raises
    ------
    ConfigInvalid
        A horizon is not a positive session count, or is listed twice.
    DataCorrupt
        A stored payload cannot be read as the JSON that was captured.
    """
    prices = first_bars(bar_columns(_until(bars, as_of)))
    grid = price_grid(prices, sessions=session_table(prices))
    return label_columns(signal_columns(_until(signals, as_of)), grid=grid, horizons=horizons)


def label_columns(
    signals: pa.Table, *, grid: PriceGrid, horizons: Sequence[int], part: Ints | None = None
) -> pa.Table:
    """Label typed signals, given the closes of their symbols over all sessions.

    Parameters
    ----------
    signals : pa.Table
        From :func:`ordinis_learn.labelling.signal_columns`, in any order.
    grid : PriceGrid
        Known at the same moment as the signals.
    horizons : sequence of int
        Holding periods in sessions, distinct and at least 1.
    part : int array, shape (signals,), optional
        Small numbers from 0; rows are ordered by them before anything else.

    Returns
    -------
    pa.Table
        In canonical order: (session, symbol, ts_signal, signal_id, event_id), strings by their bytes. Columns:
        event_id, signal_id, symbol, signal_row (the row of ``signals``), session (date32, null before the first
        session), session_number (int32, counts from 1), ts_signal, direction (int8, +1, -1 or 0), confidence,
        model_id, strategy_id, feature_version; then per horizon h the label columns with the suffix ``_{h}d``:
        ``fwd_ret`` (y, unsigned), ``signed_ret`` (direction times y), ``risk_adj`` (signed_ret over ``vol_20`` times
        sqrt(h/252), null where the signal carried no positive vol_20), ``label_start``, ``label_end`` (date32),
        ``label_available_at`` and ``exit_close``. All of a label is null where a bar is missing at its entry or exit,
        or is not known yet. The features come last.

    Raises
    ------
    ConfigInvalid
        A horizon is not a positive session count, or is listed twice.
    """
    _check(horizons)
    number = grid.numbers(integers(signals["ts_event"]))
    order = canonical_order(signals, number=number, part=part)
    number, rows = number[order], pa.array(order)
    columns = {name: signals[name].take(rows) for name in ("event_id", "signal_id", "symbol")}
    columns["signal_row"] = rows
    columns["session"] = _dates(grid.day[number], missing=number == 0)
    columns["session_number"] = pa.array(number.astype(np.int32), mask=number == 0)
    columns["ts_signal"] = signals["ts_event"].take(rows)
    columns |= {name: signals[name].take(rows) for name in SIGNAL_COLUMNS}
    entry = _Entry.of(columns["symbol"], number=number, grid=grid)
    direction = columns["direction"].to_numpy()
    volatility = _volatility(signals, order)
    for horizon in horizons:
        label = _label(entry, horizon=horizon, direction=direction, volatility=volatility)
        columns |= {f"{name}_{horizon}d": values for name, values in label.items()}
    features = [name for name in signals.column_names if name.startswith(FEATURE_PREFIX)]
    return pa.table(columns | {name: signals[name].take(rows) for name in features})


def canonical_order(signals: pa.Table, *, number: Ints, part: Ints | None = None) -> Ints:
    """Return the rows of a signal table by (part, session number, symbol, ts_event, signal_id, event_id).

    Strings are only compared where the rest is equal, which is rare and then costs a sort of those rows.
    """
    symbols, codes = ranked(signals["symbol"])
    key, moment = number * len(symbols) + codes, integers(signals["ts_event"])
    if part is not None:
        key += part * ((int(number.max(initial=0)) + 1) * len(symbols))
    order: Ints = np.lexsort((moment, key))
    same = (key[order[1:]] == key[order[:-1]]) & (moment[order[1:]] == moment[order[:-1]])
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        rows = order[tied]
        names = ("signal_id", "event_id")
        keyed = pa.table(
            {"key": key[rows], "moment": moment[rows]}
            | {name: signals[name].take(pa.array(rows)) for name in names}
        )
        by: Any = [(name, "ascending") for name in keyed.column_names]
        order[tied] = rows[np.asarray(pc.sort_indices(keyed, sort_keys=by))]
    return order


@dataclass(frozen=True, kw_only=True, eq=False)
class _Entry:
    """Where each signal is entered: the cell of the flat grid, and what is known of it."""

    grid: PriceGrid
    row: Ints
    column: Ints
    close: npt.NDArray[np.float64]
    closed_at: Ints
    day: npt.NDArray[np.int32]

    @classmethod
    def of(cls, symbols: pa.ChunkedArray, *, number: Ints, grid: PriceGrid) -> _Entry:
        last = grid.sessions + 1
        column = np.where(number > 0, np.minimum(number + 1, last), last)
        row = grid.row_of(symbols) * (last + 1)
        return cls(
            grid=grid,
            row=row,
            column=column,
            close=grid.close.ravel().take(row + column),
            closed_at=grid.closed_at.ravel().take(row + column),
            day=grid.day.take(column),
        )


def _label(
    entry: _Entry, *, horizon: int, direction: npt.NDArray[np.int8], volatility: npt.NDArray[np.float64]
) -> dict[str, pa.Array]:
    column = np.minimum(entry.column + horizon, entry.grid.sessions + 1)
    exit_close = entry.grid.close.ravel().take(entry.row + column)
    fwd_ret = exit_close / entry.close - 1
    missing = np.isnan(fwd_ret)
    signed_ret = direction * fwd_ret
    scale = volatility * np.sqrt(horizon / 252)
    risk_adj = np.divide(signed_ret, scale, out=np.full(len(scale), np.nan), where=scale > 0)
    available = np.maximum(entry.closed_at, entry.grid.closed_at.ravel().take(entry.row + column))
    return {
        "fwd_ret": pa.array(fwd_ret, mask=missing),
        "signed_ret": pa.array(signed_ret, mask=missing),
        "risk_adj": pa.array(risk_adj, mask=np.isnan(risk_adj)),
        "label_start": _dates(entry.day, missing=missing),
        "label_end": _dates(entry.grid.day.take(column), missing=missing),
        "label_available_at": pa.array(available, mask=missing).view(TIMESTAMP),
        "exit_close": pa.array(exit_close, mask=missing),
    }


def _dates(days: npt.NDArray[np.int32], *, missing: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.array(days, mask=missing).view(pa.date32())


def _volatility(signals: pa.Table, order: Ints) -> npt.NDArray[np.float64]:
    if VOLATILITY not in signals.column_names:
        return np.full(len(order), np.nan)
    return np.asarray(signals[VOLATILITY].to_numpy(), dtype=np.float64)[order]


def _until(events: pa.Table, as_of: datetime | None) -> pa.Table:
    if as_of is None:
        return events
    return events.filter(pc.less_equal(events["ts_event"], pa.scalar(as_of, TIMESTAMP)))


def _check(horizons: Sequence[int]) -> None:
    if not horizons or min(horizons) < 1 or len(set(horizons)) != len(horizons):
        raise ConfigInvalid(
            "label signals",
            found=f"horizons {tuple(horizons)}",
            next_step="give distinct session counts of at least 1, e.g. horizons=(1, 5, 20)",
        )

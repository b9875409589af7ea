"""What came of a signal: forward returns at horizons, entered at the next session's close.

A signal made at the close of session s is entered at the close of s+1 and left at the close of s+1+h::

    y_h = P[s + 1 + h] / P[s + 1] - 1

which is the label of Qlib's ``Ref($close, -(h+1)) / Ref($close, -1) - 1``; across a split or a dividend P[s + 1 + h]
is multiplied by what a share has become since. Sessions are those of the calendar: where a bar is missing at the
entry or the exit there is no label, and its status says why; nothing is filled forward, so a halted or delisted
symbol has no label past its last bar. With the rules of :mod:`ordinis_learn.labelling.sessions`, an event after time
t cannot change a label that was available at or before t.

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
from ordinis_learn.labelling.calendar import SessionCalendar
from ordinis_learn.labelling.columns import COLUMN_RULES, FEATURE_PREFIX, bar_columns, signal_columns
from ordinis_learn.labelling.sessions import (
    TIMESTAMP,
    Floats,
    Ints,
    PriceGrid,
    first_bars,
    integers,
    price_grid,
    ranked,
    session_table,
)
from ordinis_learn.labelling.status import LabelStatus, status_column
from ordinis_learn.labelling.volatility import ex_ante_volatility, session_volatility

__all__ = ["LABEL_QUERIES", "VOLATILITY_SPAN", "label_columns", "label_signals"]

VOLATILITY_SPAN: Final = 32
"""Sessions; RiskMetrics' decay of 0.94 for daily data."""
SIGNAL_COLUMNS: Final = ("direction", "confidence", "model_id", "strategy_id", "feature_version")

LABEL_QUERIES: Final = (COLUMN_RULES, "ordinis.labels.horizons.v3")
"""What is behind every label, for the manifest's ``query_hash``: the names of the rules.

A change of the rules needs a new name; ``tests/labelling/test_horizons.py`` has their values by hand.
"""


def label_signals(
    signals: pa.Table,
    bars: pa.Table,
    *,
    horizons: Sequence[int],
    calendar: SessionCalendar,
    as_of: datetime | None = None,
    span: int = VOLATILITY_SPAN,
) -> pa.Table:
    """Label every signal at every horizon; one row per signal.

    Parameters
    ----------
    signals, bars : pa.Table
        Scans of ``ordinis.signals.generated`` and ``ordinis.market.bar.closed``, as
        :meth:`ordinis_learn.ports.EventLog.scan` returns them, or their typed columns.
    horizons : sequence of int
        Holding periods in sessions, distinct and at least 1.
    calendar : SessionCalendar
        The sessions that count.
    as_of : datetime, optional
        The moment of knowledge: later signals and bars are not looked at, which gives the same table as a
        log that ends there.
    span : int
        Of the ex-ante volatility, in sessions.

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
    prices = first_bars(bar_columns(_until(bars, as_of)), calendar=calendar)
    grid = price_grid(prices, sessions=session_table(prices, calendar=calendar))
    return label_columns(signal_columns(_until(signals, as_of)), grid=grid, horizons=horizons, span=span)


def label_columns(
    signals: pa.Table,
    *,
    grid: PriceGrid,
    horizons: Sequence[int],
    span: int = VOLATILITY_SPAN,
    part: Ints | None = None,
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
    span : int
        Of the ex-ante volatility, in sessions.
    part : int array, optional
        One small number per signal; rows are ordered by it first.

    Returns
    -------
    pa.Table
        In canonical order: (session, symbol, ts_signal, signal_id, event_id), strings by their bytes. Columns:
        event_id, signal_id, symbol, signal_row (the row of ``signals``), session (date32, the last that had ended,
        null before the first), session_number (int32, counts from 1), ts_signal, direction (int8, +1, -1 or 0),
        confidence, model_id, strategy_id, feature_version, ``volatility`` (per session, as known at the signal);
        then per horizon h the label columns with the suffix ``_{h}d``: ``fwd_ret`` (y, unsigned), ``signed_ret``
        (direction times y), ``risk_adj_ret`` (signed_ret over ``volatility`` times sqrt(h)), ``label_start``,
        ``label_end`` (date32), ``label_available_at``, ``exit_value`` (the exit's close times what a share has
        become since the grid begins) and ``label_status``. All but the status is null where a bar is missing at
        the label's entry or exit, or is not known yet. The features come last.

    Raises
    ------
    ConfigInvalid
        A horizon is not a positive session count, or is listed twice.
    """
    _check(horizons)
    moments = integers(signals["ts_event"])
    number = grid.numbers(moments, at=grid.row_of(signals["symbol"]))
    order = canonical_order(signals, number=number, part=part)
    number, rows = number[order], pa.array(order)
    columns = {name: signals[name].take(rows) for name in ("event_id", "signal_id", "symbol")}
    columns["signal_row"] = rows
    columns["session"] = _dates(grid.day[number], missing=number == 0)
    columns["session_number"] = pa.array(number.astype(np.int32), mask=number == 0)
    columns["ts_signal"] = signals["ts_event"].take(rows)
    columns |= {name: signals[name].take(rows) for name in SIGNAL_COLUMNS}
    at = grid.row_of(columns["symbol"])
    direction = columns["direction"].to_numpy()
    risk = session_volatility(grid, span=span)
    volatility = ex_ante_volatility(risk, grid=grid, at=at, number=number, moments=moments[order])
    columns["volatility"] = pa.array(volatility, mask=np.isnan(volatility))
    entry = _Entry.of(at, number=number, grid=grid)
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
    close: Floats
    day: npt.NDArray[np.int32]

    @classmethod
    def of(cls, at: Ints, *, number: Ints, grid: PriceGrid) -> _Entry:
        last = grid.sessions + 1
        column = np.where(number > 0, np.minimum(number + 1, last), last)
        row = at * (last + 1)
        close = grid.close.ravel().take(row + column)
        return cls(grid=grid, row=row, column=column, close=close, day=grid.day.take(column))


def _label(
    entry: _Entry, *, horizon: int, direction: npt.NDArray[np.int8], volatility: Floats
) -> dict[str, pa.Array]:
    grid = entry.grid
    column = np.minimum(entry.column + horizon, grid.sessions + 1)
    cell = entry.row + column
    exit_value = exit_close = grid.close.ravel().take(cell)
    entry_value = entry.close
    if grid.growth is not None:
        exit_value = exit_close * grid.growth.ravel().take(cell)
        entry_value = entry.close * grid.growth.ravel().take(entry.row + entry.column)
    fwd_ret = exit_value / entry_value - 1
    missing = np.isnan(fwd_ret)
    signed_ret = direction * fwd_ret
    reasons = [
        (~missing, LabelStatus.LABELLED),
        (grid.is_over.take(entry.column) & np.isnan(entry.close), LabelStatus.NO_ENTRY_BAR),
        (grid.is_over.take(column) & np.isnan(exit_close), LabelStatus.NO_EXIT_BAR),
    ]
    risk_adj_ret = signed_ret / (volatility * np.sqrt(horizon))
    return {
        "fwd_ret": pa.array(fwd_ret, mask=missing),
        "signed_ret": pa.array(signed_ret, mask=missing),
        "risk_adj_ret": pa.array(risk_adj_ret, mask=np.isnan(risk_adj_ret)),
        "label_start": _dates(entry.day, missing=missing),
        "label_end": _dates(grid.day.take(column), missing=missing),
        "label_available_at": pa.array(grid.closed_at.ravel().take(cell), mask=missing).view(TIMESTAMP),
        "exit_value": pa.array(exit_value, mask=missing),
        "label_status": status_column(reasons, rows=len(missing)),
    }


def _dates(days: npt.NDArray[np.int32], *, missing: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.array(days, mask=missing).view(pa.date32())


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

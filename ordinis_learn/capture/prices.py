"""Prices as they were captured."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import duckdb
import pyarrow as pa

from ordinis_learn.errors import DataMissing
from ordinis_learn.market import PriceHistory
from ordinis_learn.ports import EventLog
from ordinis_learn.records import Topic

__all__ = ["price_history"]

# A session's bar closes within a day of the session's date, wherever the venue is.
_MARGIN = timedelta(days=2)

_BARS = """
    SELECT bar.symbol AS symbol, bar.session AS session, bar.close AS close
    FROM (
        SELECT from_json(payload, '{"symbol":"VARCHAR","tf":"VARCHAR","session":"DATE","close":"DOUBLE"}') AS bar,
               ts_event, event_id
        FROM scanned
    )
    WHERE bar.tf = '1d' AND bar.session BETWEEN $start AND $end
    QUALIFY row_number() OVER (
        PARTITION BY bar.symbol, bar.session ORDER BY ts_event, event_id
    ) = 1
"""


def price_history(
    log: EventLog,
    *,
    start: date | None = None,
    end: date | None = None,
    until_position: int | None = None,
) -> PriceHistory:
    """Return the daily closes in the log.

    Where a symbol's session was reported more than once the first bar counts, as it does for labels: a
    restatement does not rewrite what was known.

    Parameters
    ----------
    log : EventLog
        Holds ``ordinis.market.bar.closed`` events.
    start, end : date, optional
        First and last session, both included; open where None.
    until_position : int, optional
        Read only what the log held at that position.

    Raises
    ------
    DataMissing
        There is no daily bar in that stretch.
    """
    first, last = start or date.min, end or date.max
    scanned = log.scan(
        Topic.BAR,
        start=None if start is None else _midnight(start) - _MARGIN,
        end=None if end is None else _midnight(end) + _MARGIN,
        until_position=until_position,
    )
    bars = _first_bars(scanned, first, last)
    if bars.num_rows == 0:
        raise DataMissing(
            f"read prices of the sessions {start or 'first'}..{end or 'last'}",
            found=f"no daily bar among {scanned.num_rows} captured {Topic.BAR} events",
            next_step="record bars of these sessions first, e.g. record_events(replay(load_sp500(), seed=7))",
        )
    return PriceHistory.from_bars(
        session=bars["session"].to_numpy(), symbol=bars["symbol"].to_pylist(), close=bars["close"].to_numpy()
    )


def _first_bars(scanned: pa.Table, start: date, end: date) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("scanned", scanned)
        return connection.sql(_BARS, params={"start": start, "end": end}).to_arrow_table()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)

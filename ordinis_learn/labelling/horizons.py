"""What came of a signal: forward returns at horizons, entered at the next session's close.

A signal made at the close of session s is entered at the close of s+1 and left at the close of s+1+h::

    y_h = P[s + 1 + h] / P[s + 1] - 1

which is the label of Qlib's ``Ref($close, -(h+1)) / Ref($close, -1) - 1``. What is known when:

- Sessions are the days of captured daily bars, over all symbols. A session closes when its *first* bar
  closes, so an entry is always later than the signal, even if bars of one session come minutes apart.
- The first bar of a (symbol, session) counts. A restatement does not rewrite what was known.
- A session whose first bar comes only after a later session has closed was not known in time: it is left out.

With these three rules a bar after time t cannot change a label that was available at or before t.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyarrow as pa

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.labelling.query import open_queries

__all__ = ["LABEL_QUERIES", "TIMEFRAME", "label_signals"]

TIMEFRAME: Final = "1d"
"""``tf`` of the bars that make sessions; bars of other frames are not looked at."""

_BARS: Final = """
WITH bar AS (
    SELECT ts_event, event_id, unnest(json_transform(payload,
        '{"symbol": "VARCHAR", "tf": "VARCHAR", "session": "DATE", "close": "DOUBLE"}'))
    FROM bars
    WHERE $as_of::TIMESTAMPTZ IS NULL OR ts_event <= $as_of::TIMESTAMPTZ
)
SELECT symbol, session, ts_event AS closed_at, close
FROM bar
WHERE lower(tf) = $timeframe AND isfinite(close) AND close > 0
QUALIFY row_number() OVER (PARTITION BY symbol, session ORDER BY ts_event, event_id) = 1
ORDER BY session, symbol
"""

_SESSIONS: Final = """
WITH opened AS (
    SELECT session, min(closed_at) AS closed_at FROM price GROUP BY session
), ahead AS (
    SELECT *, min(closed_at) OVER (
        ORDER BY session ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_closed_at
    FROM opened
)
SELECT session, closed_at, CAST(row_number() OVER (ORDER BY session) AS INTEGER) AS number
FROM ahead
WHERE next_closed_at IS NULL OR closed_at < next_closed_at
ORDER BY session
"""

_SIGNALS: Final = """
WITH signal AS (
    SELECT ts_event, event_id, unnest(json_transform(payload,
        '{"signal_id": "VARCHAR", "symbol": "VARCHAR", "direction": "VARCHAR", "confidence": "DOUBLE",
          "model_id": "VARCHAR", "strategy_id": "VARCHAR", "feature_version": "VARCHAR",
          "metadata": {"features": {"vol_20": "DOUBLE"}}}'))
    FROM signals
    WHERE $as_of::TIMESTAMPTZ IS NULL OR ts_event <= $as_of::TIMESTAMPTZ
)
SELECT event_id, signal_id, signal.symbol, sessions.session, sessions.number AS session_number,
    ts_event AS ts_signal,
    CAST(CASE direction WHEN 'LONG' THEN 1 WHEN 'SHORT' THEN -1 ELSE 0 END AS TINYINT) AS direction,
    confidence, model_id, strategy_id, feature_version, metadata.features.vol_20 AS volatility
FROM signal ASOF LEFT JOIN sessions ON signal.ts_event >= sessions.closed_at
ORDER BY sessions.session, signal.symbol, signal_id, event_id
"""

_LABELS: Final = """
WITH point AS (
    SELECT price.symbol, price.session, price.closed_at, price.close, sessions.number
    FROM price JOIN sessions USING (session)
), outcome AS (
    SELECT entry.symbol, entry.number, entry.session AS label_start, leave.session AS label_end,
        greatest(entry.closed_at, leave.closed_at) AS label_available_at,
        leave.close AS exit_close, leave.close / entry.close - 1 AS fwd_ret
    FROM point AS entry JOIN point AS leave
      ON leave.symbol = entry.symbol AND leave.number = entry.number + $horizon::INTEGER
)
SELECT fwd_ret, signal.direction * fwd_ret AS signed_ret,
    CASE WHEN volatility > 0
         THEN signal.direction * fwd_ret / (volatility * sqrt($horizon::DOUBLE / 252::DOUBLE)) END AS risk_adj,
    label_start, label_end, label_available_at, exit_close
FROM signal LEFT JOIN outcome
  ON outcome.symbol = signal.symbol AND outcome.number = signal.session_number + 1
ORDER BY signal.session, signal.symbol, signal.signal_id, signal.event_id
"""

LABEL_QUERIES: Final = (_BARS, _SESSIONS, _SIGNALS, _LABELS)
"""The SQL texts behind every label, for the manifest's ``query_hash``."""


def label_signals(
    signals: pa.Table,
    bars: pa.Table,
    *,
    horizons: Sequence[int],
    as_of: datetime | None = None,
    threads: int | None = None,
) -> pa.Table:
    """Label every signal at every horizon; one row per signal.

    Parameters
    ----------
    signals, bars : pa.Table
        Scans of ``ordinis.signals.generated`` and ``ordinis.market.bar.closed``, as
        :meth:`ordinis_learn.ports.EventLog.scan` returns them.
    horizons : sequence of int
        Holding periods in sessions, distinct and at least 1.
    as_of : datetime, optional
        The moment of knowledge: later signals and bars are not looked at, which gives the same table as a
        log that ends there.
    threads : int, optional
        Threads of DuckDB. The result does not depend on it, to the byte.

    Returns
    -------
    pa.Table
        Ordered by (session, symbol, signal_id, event_id). Columns: event_id, signal_id, symbol,
        session (date32, null before the first session), session_number (int32, counts from 1),
        ts_signal, direction (int8, +1, −1 or 0), confidence, model_id, strategy_id, feature_version; then per
        horizon h the label columns with the suffix ``_{h}d``: ``fwd_ret`` (y, unsigned), ``signed_ret``
        (direction times y), ``risk_adj`` (signed_ret over ``vol_20`` times sqrt(h/252), null where the signal
        carried no positive vol_20), ``label_start``, ``label_end`` (date32), ``label_available_at`` and
        ``exit_close``. All of a label is null where a bar is missing at its entry or exit, or is not known yet.

    Raises
    ------
    ConfigInvalid
        A horizon is not a positive session count, or is listed twice.
    """
    _check(horizons)
    with open_queries(threads=threads) as queries:
        known = {"as_of": as_of}
        price = queries.run(_BARS, tables={"bars": bars}, parameters={**known, "timeframe": TIMEFRAME})
        sessions = queries.run(_SESSIONS, tables={"price": price})
        events = {"signals": signals, "sessions": sessions}
        signal = queries.run(_SIGNALS, tables=events, parameters=known)
        labelled = signal.drop_columns(["volatility"])
        facts = {"price": price, "sessions": sessions, "signal": signal}
        for horizon in horizons:
            label = queries.run(_LABELS, tables=facts, parameters={"horizon": horizon})
            for name in label.column_names:
                labelled = labelled.append_column(f"{name}_{horizon}d", label[name])
    return labelled


def _check(horizons: Sequence[int]) -> None:
    if not horizons or min(horizons) < 1 or len(set(horizons)) != len(horizons):
        raise ConfigInvalid(
            "label signals",
            found=f"horizons {tuple(horizons)}",
            next_step="give distinct session counts of at least 1, e.g. horizons=(1, 5, 20)",
        )

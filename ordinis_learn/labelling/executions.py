"""From signal to fill: which order a signal became, what it cost, and what it returned.

An execution report carries no signal, so orders are matched by the best key that is there
(``join_quality`` says which):

- ``carried``: the order's first report has a ``signal_id``. Version 1.0 of the report has no such field; a
  newer minor version may, and capture keeps its text whole.
- ``intent``: an ``ordinis.orders.intent`` that is not later than the order's first report names both.
- ``inferred``: within one (correlation_id, symbol), orders take the allowed and still unmatched signals first
  come, first served. An order that finds none waiting is left alone.
- ``none``: no execution report belongs to the signal.

Events are matched within one symbol: decisions, intents and reports are looked for under the signal's symbol in
their ``partition_key``. A fill of another symbol would be held against the wrong prices.

The first risk decision about a signal, the first report of an order and the first report of a fill count, so
that what was known stays as it was. One thing can move: an inferred match is given up when a better key for
the same signal arrives later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.labelling.columns import (
    decision_columns,
    intent_columns,
    report_columns,
    signal_columns,
)
from ordinis_learn.labelling.query import open_queries

__all__ = ["EXECUTION_QUERIES", "Executions", "join_executions", "net_returns"]

_MATCH: Final = """
WITH signal AS (
    SELECT ts_event, event_id, correlation_id, signal_id, symbol FROM signals
    QUALIFY row_number() OVER (PARTITION BY symbol, signal_id ORDER BY ts_event, event_id) = 1
), intent AS (
    SELECT * FROM intents
    QUALIFY row_number() OVER (PARTITION BY symbol, order_id ORDER BY ts_event, event_id) = 1
), placed AS (
    SELECT order_id, ts_event, event_id, correlation_id, symbol, signal_id AS carried_id
    FROM reports
    QUALIFY row_number() OVER (PARTITION BY symbol, order_id ORDER BY ts_event, event_id, fill_id) = 1
), keyed AS (
    SELECT placed.symbol, placed.order_id, placed.ts_event, signal.signal_id, intent.side,
        CASE WHEN signal.signal_id = carried_id THEN 'carried' ELSE 'intent' END AS join_quality
    FROM placed
    LEFT JOIN intent ON intent.order_id = placed.order_id AND intent.symbol = placed.symbol
        AND intent.ts_event <= placed.ts_event
    JOIN signal ON signal.signal_id = coalesce(carried_id, intent.signal_id) AND signal.symbol = placed.symbol
), step AS (
    SELECT correlation_id, symbol, greatest(signal.ts_event, decision.ts_event) AS ts_event,
        0 AS is_order, event_id, signal_id AS id
    FROM signal JOIN decisions AS decision USING (symbol, signal_id) ANTI JOIN keyed USING (symbol, signal_id)
    WHERE decision.allowed
    UNION ALL
    SELECT correlation_id, symbol, ts_event, 1, event_id, order_id
    FROM placed ANTI JOIN keyed USING (symbol, order_id)
), counted AS (
    SELECT *, sum(is_order) OVER queue AS orders, sum(1 - is_order) OVER queue AS arrived
    FROM step
    WINDOW queue AS (PARTITION BY correlation_id, symbol ORDER BY ts_event, is_order, event_id
                     ROWS UNBOUNDED PRECEDING)
), reflected AS (
    SELECT *, greatest(0, max(orders - arrived) OVER queue) AS unserved
    FROM counted
    WINDOW queue AS (PARTITION BY correlation_id, symbol ORDER BY ts_event, is_order, event_id
                     ROWS UNBOUNDED PRECEDING)
), served AS (
    SELECT *, orders - unserved AS turn, unserved = lag(unserved, 1, 0) OVER (
        PARTITION BY correlation_id, symbol ORDER BY ts_event, is_order, event_id) AS is_served
    FROM reflected
), inferred AS (
    SELECT taker.symbol, taker.id AS order_id, taker.ts_event, taken.id AS signal_id, NULL AS side,
        'inferred' AS join_quality
    FROM served AS taker JOIN served AS taken
      ON taken.correlation_id = taker.correlation_id AND taken.symbol = taker.symbol
     AND taken.arrived = taker.turn AND taken.is_order = 0
    WHERE taker.is_order = 1 AND taker.is_served
)
SELECT symbol, order_id, ts_event, signal_id, side, join_quality FROM keyed
UNION ALL SELECT symbol, order_id, ts_event, signal_id, side, join_quality FROM inferred
ORDER BY ts_event, symbol, order_id
"""

_DECISIONS: Final = """
SELECT symbol, signal_id, ts_event, allowed FROM risk
QUALIFY row_number() OVER (PARTITION BY symbol, signal_id ORDER BY ts_event, event_id) = 1
ORDER BY symbol, signal_id
"""

_FILLS: Final = """
WITH reported AS (
    SELECT symbol, order_id, ts_event AS known_at, event_id, fill_id, filled_at, qty, price, slippage,
        CASE WHEN sum(fee) OVER one_report > 0 THEN fee
             ELSE coalesce(fees, 0) * qty / sum(qty) OVER one_report END AS fee
    FROM reports
    WHERE qty IS NOT NULL
    WINDOW one_report AS (PARTITION BY event_id ORDER BY fill_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
), first_told AS (
    SELECT * FROM reported
    QUALIFY row_number() OVER (PARTITION BY symbol, order_id, fill_id ORDER BY known_at, event_id) = 1
), ended AS (
    SELECT symbol, order_id, min(ts_event) AS ended_at FROM reports
    WHERE status IN ('filled', 'canceled', 'rejected') GROUP BY symbol, order_id
)
SELECT symbol, signal_id, order_id, side, fill_id, known_at, filled_at, qty, price, fee,
    coalesce(slippage, 0) AS slippage, ended_at
FROM first_told JOIN matches USING (symbol, order_id) LEFT JOIN ended USING (symbol, order_id)
ORDER BY symbol, signal_id, filled_at, order_id, fill_id
"""

_OUTCOMES: Final = """
WITH matched AS (
    SELECT symbol, signal_id, first(order_id ORDER BY ts_event, order_id) AS order_id,
        first(join_quality ORDER BY ts_event, order_id) AS join_quality
    FROM matches GROUP BY symbol, signal_id
), filled AS (
    SELECT symbol, signal_id, sum(qty ORDER BY filled_at, order_id, fill_id) AS qty,
        sum(qty * price ORDER BY filled_at, order_id, fill_id) AS notional,
        sum(fee ORDER BY filled_at, order_id, fill_id) AS fees,
        sum(qty * slippage ORDER BY filled_at, order_id, fill_id) AS slipped
    FROM fills GROUP BY symbol, signal_id
)
SELECT signals.signal_id, allowed, order_id,
    CASE WHEN order_id IS NOT NULL THEN coalesce(qty, 0) END AS filled_qty,
    notional / qty AS avg_fill_price, fees, slipped / qty AS slippage,
    coalesce(join_quality, 'none') AS join_quality
FROM signals
LEFT JOIN decisions USING (symbol, signal_id) LEFT JOIN matched USING (symbol, signal_id)
LEFT JOIN filled USING (symbol, signal_id)
ORDER BY signals.row
"""

_NET: Final = """
WITH known AS (
    SELECT row, horizon, any_value(labels.direction) AS direction, any_value(exit_value) AS exit_value,
        sum(qty / growth ORDER BY filled_at, order_id, fill_id) AS units,
        sum(qty * price ORDER BY filled_at, order_id, fill_id) AS notional,
        sum(fee ORDER BY filled_at, order_id, fill_id) AS fees,
        bool_and(side IS NULL OR direction = CASE side WHEN 'buy' THEN 1 ELSE -1 END) AS opens
    FROM labels JOIN fills
      ON fills.symbol = labels.symbol AND fills.signal_id = labels.signal_id
     AND fills.known_at <= labels.label_available_at
    GROUP BY row, horizon
)
SELECT row, horizon, direction * (exit_value / (notional / units) - 1) - fees / notional AS net_ret
FROM known WHERE opens
ORDER BY horizon, row
"""

EXECUTION_QUERIES: Final = (_DECISIONS, _MATCH, _FILLS, _OUTCOMES, _NET)
"""The SQL texts behind the execution columns, for the manifest's ``query_hash``."""


_OUTCOME_TYPES: Final = {
    "allowed": pa.bool_(),
    "order_id": pa.string(),
    **dict.fromkeys(("filled_qty", "avg_fill_price", "fees", "slippage"), pa.float64()),
}
_FILL_SCHEMA: Final = pa.schema(
    [(name, pa.string()) for name in ("symbol", "signal_id", "order_id", "side", "fill_id")]
    + [(name, pa.timestamp("us", tz="UTC")) for name in ("known_at", "filled_at")]
    + [(name, pa.float64()) for name in ("qty", "price", "fee", "slippage")]
    + [("ended_at", pa.timestamp("us", tz="UTC"))]
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Executions:
    """What became of signals at the broker.

    Attributes
    ----------
    outcomes : pa.Table
        Rows as in the signals: signal_id, allowed (bool, null without a risk decision), order_id (the first order), filled_qty (units, 0 for an order that never filled, null without
        an order), avg_fill_price, fees (account currency), slippage (fraction of the reference price, mean
        weighted by quantity) and join_quality.
    fills : pa.Table
        One row per fill of a matched order: symbol, signal_id, order_id, side (null where no intent told), fill_id,
        known_at (when it was reported), filled_at, qty, price, fee, slippage, and ended_at (when the order was first
        said to be filled, canceled or rejected; null while it works).
    """

    outcomes: pa.Table
    fills: pa.Table


def join_executions(
    signals: pa.Table, *, risk: pa.Table, intents: pa.Table, executions: pa.Table, threads: int | None = None
) -> Executions:
    """Match signals to risk decisions, orders and fills.

    A fill told twice counts once, so reports may repeat earlier fills. Fees are the fills' own; where a report
    has fees but its fills have none, they are shared out by quantity. Fills of several orders of one signal are
    pooled. Sums run in the order of (filled_at, order_id, fill_id), whatever the number of threads.

    Parameters
    ----------
    signals, risk, intents, executions : pa.Table
        Scans of the four topics or their typed columns, cut off at one moment of knowledge.
    threads : int, optional
        Threads of DuckDB.
    """
    signals = signal_columns(signals)
    told = {
        "risk": decision_columns(risk),
        "intents": intent_columns(intents),
        "reports": report_columns(executions),
    }
    if not told["risk"].num_rows and not told["reports"].num_rows:
        return _untouched(signals)
    keys = signals.select(["event_id", "ts_event", "correlation_id", "signal_id", "symbol"])
    keys = keys.append_column("row", pa.array(np.arange(signals.num_rows)))
    with open_queries(threads=threads) as queries:
        decisions = queries.run(_DECISIONS, tables={"risk": told["risk"]})
        asked = {"signals": keys, "decisions": decisions}
        matches = queries.run(
            _MATCH, tables={**asked, "intents": told["intents"], "reports": told["reports"]}
        )
        fills = queries.run(_FILLS, tables={"reports": told["reports"], "matches": matches})
        outcomes = queries.run(_OUTCOMES, tables={**asked, "matches": matches, "fills": fills})
    return Executions(outcomes=outcomes, fills=fills)


def _untouched(signals: pa.Table) -> Executions:
    """Return what is known where nobody decided and nobody reported."""
    rows = signals.num_rows
    nothing = {name: pa.nulls(rows, kind) for name, kind in _OUTCOME_TYPES.items()}
    nothing["join_quality"] = pa.repeat(pa.scalar("none"), rows)
    return Executions(
        outcomes=pa.table({"signal_id": signals["signal_id"], **nothing}), fills=_FILL_SCHEMA.empty_table()
    )


def net_returns(
    labels: pa.Table, *, fills: pa.Table, horizons: Sequence[int], threads: int | None = None
) -> pa.Table:
    """Return what executed signals earned, net of fees.

    ``net_ret`` is direction times (exit close over average fill price, splits and dividends in between included, minus 1), minus fees over the filled
    notional. An order against the signal's direction reduces a position (a LONG signal for less than is held
    sells): what it earned is not the signal's, so it has no ``net_ret``. Where no intent told the side, the order is
    taken to go with the signal. Only fills known when the label became available count, so it is as final as the label is.

    Parameters
    ----------
    labels : pa.Table
        From :func:`ordinis_learn.labelling.label_signals`.
    fills : pa.Table
        From :func:`ordinis_learn.labelling.fills_on_grid`.
    horizons : sequence of int
        Those of ``labels``.

    Returns
    -------
    pa.Table
        One column ``net_ret_{h}d`` per horizon, rows as in ``labels``; null without a label, without a fill,
        or where the order went against the signal.
    """
    columns = {f"net_ret_{horizon}d": pa.nulls(labels.num_rows, pa.float64()) for horizon in horizons}
    if not fills.num_rows:
        return pa.table(columns)
    filled = labels.append_column("row", pa.array(np.arange(labels.num_rows)))
    filled = filled.filter(pc.is_in(labels["signal_id"], value_set=fills["signal_id"].combine_chunks()))
    if not filled.num_rows:
        return pa.table(columns)
    with open_queries(threads=threads) as queries:
        net = queries.run(_NET, tables={"labels": _by_horizon(filled, horizons), "fills": fills})
    for horizon in horizons:
        found = net.filter(pc.equal(net["horizon"], horizon))
        values = np.full(labels.num_rows, np.nan)
        values[found["row"].to_numpy()] = found["net_ret"].to_numpy()
        columns[f"net_ret_{horizon}d"] = pa.array(values, mask=np.isnan(values))
    return pa.table(columns)


def _by_horizon(labels: pa.Table, horizons: Sequence[int]) -> pa.Table:
    """Stack the horizons of a label table below each other."""
    keys = labels.select(["row", "symbol", "signal_id", "direction"])
    return pa.concat_tables(
        [
            pa.table(
                {
                    **dict(zip(keys.column_names, keys.columns, strict=True)),
                    "horizon": pa.repeat(pa.scalar(horizon, pa.int32()), labels.num_rows),
                    **{name: labels[f"{name}_{horizon}d"] for name in ("label_available_at", "exit_value")},
                }
            )
            for horizon in horizons
        ]
    )

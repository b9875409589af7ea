"""From signal to fill: which order a signal became, what it cost, and what it returned.

An execution report carries no signal, so orders are matched by the best key that is there
(``join_quality`` says which):

- ``carried``: the order's first report has a ``signal_id``. Version 1.0 of the report has no such field; a
  newer minor version may, and capture keeps its text whole.
- ``intent``: an ``ordinis.orders.intent`` that is not later than the order's first report names both.
- ``inferred``: within one (correlation_id, symbol), orders take the allowed and still unmatched signals first
  come, first served. An order that finds none waiting is left alone.
- ``none``: no execution report belongs to the signal.

The first risk decision about a signal, the first report of an order and the first report of a fill count, so
that what was known stays as it was. One thing can move: an inferred match is given up when a better key for
the same signal arrives later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from ordinis_learn.labelling.query import open_queries

__all__ = ["EXECUTION_QUERIES", "Executions", "join_executions", "net_returns"]

_REPORTS: Final = """
WITH report AS (
    SELECT ts_event, event_id, correlation_id, partition_key AS symbol, unnest(json_transform(payload,
        '{"order_id": "VARCHAR", "signal_id": "VARCHAR", "fees": "DOUBLE", "slippage": "DOUBLE", "fills":
          [{"fill_id": "VARCHAR", "ts": "TIMESTAMPTZ", "qty": "DOUBLE", "price": "DOUBLE", "fee": "DOUBLE"}]}'))
    FROM executions
), opened AS (
    SELECT * EXCLUDE (fills), unnest(CASE WHEN len(fills) > 0 THEN fills ELSE [NULL] END) AS fill
    FROM report
)
SELECT ts_event, event_id, correlation_id, symbol, order_id, signal_id, fees, slippage,
    fill.fill_id AS fill_id, fill.ts AS filled_at, fill.qty AS qty, fill.price AS price, fill.fee AS fee
FROM opened
ORDER BY ts_event, event_id, fill_id
"""

_MATCH: Final = """
WITH made AS (
    SELECT ts_event, event_id, correlation_id, unnest(json_transform(payload,
        '{"signal_id": "VARCHAR", "symbol": "VARCHAR"}'))
    FROM signals
), signal AS (
    SELECT * FROM made
    QUALIFY row_number() OVER (PARTITION BY signal_id ORDER BY ts_event, event_id) = 1
), meant AS (
    SELECT ts_event, event_id, unnest(json_transform(payload,
        '{"order_id": "VARCHAR", "signal_id": "VARCHAR", "side": "VARCHAR"}'))
    FROM intents
), intent AS (
    SELECT * FROM meant
    QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY ts_event, event_id) = 1
), placed AS (
    SELECT order_id, ts_event, event_id, correlation_id, symbol, signal_id AS carried_id
    FROM reports
    QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY ts_event, event_id) = 1
), keyed AS (
    SELECT placed.order_id, placed.ts_event, signal.signal_id, intent.side,
        CASE WHEN signal.signal_id = carried_id THEN 'carried' ELSE 'intent' END AS join_quality
    FROM placed
    LEFT JOIN intent ON intent.order_id = placed.order_id AND intent.ts_event <= placed.ts_event
    JOIN signal ON signal.signal_id = coalesce(carried_id, intent.signal_id)
), step AS (
    SELECT correlation_id, signal.symbol, greatest(signal.ts_event, decision.ts_event) AS ts_event,
        0 AS is_order, event_id, signal_id AS id
    FROM signal JOIN decisions AS decision USING (signal_id)
    WHERE decision.allowed AND signal_id NOT IN (SELECT signal_id FROM keyed)
    UNION ALL
    SELECT correlation_id, symbol, ts_event, 1, event_id, order_id
    FROM placed WHERE order_id NOT IN (SELECT order_id FROM keyed)
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
    SELECT taker.id AS order_id, taker.ts_event, taken.id AS signal_id, NULL AS side, 'inferred' AS join_quality
    FROM served AS taker JOIN served AS taken
      ON taken.correlation_id = taker.correlation_id AND taken.symbol = taker.symbol
     AND taken.arrived = taker.turn AND taken.is_order = 0
    WHERE taker.is_order = 1 AND taker.is_served
)
SELECT order_id, ts_event, signal_id, side, join_quality FROM keyed
UNION ALL SELECT order_id, ts_event, signal_id, side, join_quality FROM inferred
ORDER BY ts_event, order_id
"""

_DECISIONS: Final = """
WITH decision AS (
    SELECT ts_event, event_id, unnest(json_transform(payload,
        '{"signal_id": "VARCHAR", "allowed": "BOOLEAN"}'))
    FROM risk
)
SELECT signal_id, ts_event, allowed FROM decision
QUALIFY row_number() OVER (PARTITION BY signal_id ORDER BY ts_event, event_id) = 1
ORDER BY signal_id
"""

_FILLS: Final = """
WITH reported AS (
    SELECT order_id, ts_event AS known_at, event_id, fill_id, filled_at, qty, price, slippage,
        CASE WHEN sum(fee) OVER one_report > 0 THEN fee
             ELSE coalesce(fees, 0) * qty / sum(qty) OVER one_report END AS fee
    FROM reports
    WHERE qty IS NOT NULL
    WINDOW one_report AS (PARTITION BY event_id)
), first_told AS (
    SELECT * FROM reported
    QUALIFY row_number() OVER (PARTITION BY order_id, fill_id ORDER BY known_at, event_id) = 1
)
SELECT signal_id, order_id, side, fill_id, known_at, filled_at, qty, price, fee,
    coalesce(slippage, 0) AS slippage
FROM first_told JOIN matches USING (order_id)
ORDER BY signal_id, filled_at, order_id, fill_id
"""

_OUTCOMES: Final = """
WITH signal AS (
    SELECT event_id, payload->>'$.signal_id' AS signal_id FROM signals
), matched AS (
    SELECT signal_id, first(order_id ORDER BY ts_event, order_id) AS order_id,
        first(join_quality ORDER BY ts_event, order_id) AS join_quality
    FROM matches GROUP BY signal_id
), filled AS (
    SELECT signal_id, sum(qty ORDER BY filled_at, order_id, fill_id) AS qty,
        sum(qty * price ORDER BY filled_at, order_id, fill_id) AS notional,
        sum(fee ORDER BY filled_at, order_id, fill_id) AS fees,
        sum(qty * slippage ORDER BY filled_at, order_id, fill_id) AS slipped
    FROM fills GROUP BY signal_id
)
SELECT event_id, signal_id, allowed, order_id,
    CASE WHEN order_id IS NOT NULL THEN coalesce(qty, 0) END AS filled_qty,
    notional / qty AS avg_fill_price, fees, slipped / qty AS slippage,
    coalesce(join_quality, 'none') AS join_quality
FROM signal
LEFT JOIN decisions USING (signal_id) LEFT JOIN matched USING (signal_id) LEFT JOIN filled USING (signal_id)
ORDER BY event_id
"""

_NET: Final = """
WITH known AS (
    SELECT event_id,
        sum(qty ORDER BY filled_at, order_id, fill_id) AS qty,
        sum(qty * price ORDER BY filled_at, order_id, fill_id) AS notional,
        sum(fee ORDER BY filled_at, order_id, fill_id) AS fees,
        bool_and(side IS NULL OR direction = CASE side WHEN 'buy' THEN 1 ELSE -1 END) AS opens
    FROM labels JOIN fills
      ON fills.signal_id = labels.signal_id AND fills.known_at <= labels.label_available_at
    GROUP BY event_id
)
SELECT CASE WHEN opens THEN labels.direction * (exit_close / (notional / qty) - 1) - fees / notional END AS net_ret
FROM labels LEFT JOIN known USING (event_id)
ORDER BY labels.row
"""

EXECUTION_QUERIES: Final = (_REPORTS, _DECISIONS, _MATCH, _FILLS, _OUTCOMES, _NET)
"""The SQL texts behind the execution columns, for the manifest's ``query_hash``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Executions:
    """What became of signals at the broker.

    Attributes
    ----------
    outcomes : pa.Table
        One row per signal event, ordered by event_id: event_id, signal_id, allowed (bool, null without a risk
        decision), order_id (the first order), filled_qty (units, 0 for an order that never filled, null without
        an order), avg_fill_price, fees (account currency), slippage (fraction of the reference price, mean
        weighted by quantity) and join_quality.
    fills : pa.Table
        One row per fill of a matched order: signal_id, order_id, side (null where no intent told), fill_id, known_at (when it was reported),
        filled_at, qty, price, fee, slippage.
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
        Scans of the four topics, cut off at one moment of knowledge.
    threads : int, optional
        Threads of DuckDB.
    """
    with open_queries(threads=threads) as queries:
        reports = queries.run(_REPORTS, tables={"executions": executions})
        decisions = queries.run(_DECISIONS, tables={"risk": risk})
        asked = {"signals": signals, "decisions": decisions}
        matches = queries.run(_MATCH, tables={**asked, "intents": intents, "reports": reports})
        fills = queries.run(_FILLS, tables={"reports": reports, "matches": matches})
        outcomes = queries.run(_OUTCOMES, tables={**asked, "matches": matches, "fills": fills})
    return Executions(outcomes=outcomes, fills=fills)


def net_returns(
    labels: pa.Table, *, fills: pa.Table, horizons: Sequence[int], threads: int | None = None
) -> pa.Table:
    """Return what executed signals earned, net of fees.

    ``net_ret`` is direction times (exit close over average fill price, minus 1), minus fees over the filled
    notional. An order against the signal's direction reduces a position (a LONG signal for less than is held
    sells): what it earned is not the signal's, so it has no ``net_ret``. Where no intent told the side, the order is
    taken to go with the signal. Only fills known when the label became available count, so it is as final as the label is.

    Parameters
    ----------
    labels : pa.Table
        From :func:`ordinis_learn.labelling.label_signals`.
    fills : pa.Table
        From :func:`join_executions`.
    horizons : sequence of int
        Those of ``labels``.

    Returns
    -------
    pa.Table
        One column ``net_ret_{h}d`` per horizon, rows as in ``labels``; null without a label, without a fill,
        or where the order went against the signal.
    """
    columns: dict[str, pa.ChunkedArray] = {}
    row = pa.array(range(labels.num_rows), pa.int64())
    with open_queries(threads=threads) as queries:
        for horizon in horizons:
            one = pa.table(
                {
                    "row": row,
                    **{name: labels[name] for name in ("event_id", "signal_id", "direction")},
                    **{name: labels[f"{name}_{horizon}d"] for name in ("label_available_at", "exit_close")},
                }
            )
            net = queries.run(_NET, tables={"labels": one, "fills": fills})
            columns[f"net_ret_{horizon}d"] = net["net_ret"]
    return pa.table(columns)

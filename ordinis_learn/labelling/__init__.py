"""What came of a signal: forward returns at horizons, and how much evidence overlapping labels hold."""

from ordinis_learn.labelling.columns import (
    FEATURE_PREFIX,
    TOPIC_COLUMNS,
    EventColumns,
    bar_columns,
    decision_columns,
    event_columns,
    intent_columns,
    report_columns,
    signal_columns,
)
from ordinis_learn.labelling.executions import (
    EXECUTION_QUERIES,
    Executions,
    join_executions,
    net_returns,
)
from ordinis_learn.labelling.horizons import LABEL_QUERIES, label_columns, label_signals
from ordinis_learn.labelling.query import Queries, open_queries
from ordinis_learn.labelling.sessions import TIMEFRAME, PriceGrid, first_bars, price_grid, session_table
from ordinis_learn.labelling.uniqueness import effective_samples, horizon_uniqueness, sample_uniqueness

__all__ = [
    "EXECUTION_QUERIES",
    "FEATURE_PREFIX",
    "LABEL_QUERIES",
    "TIMEFRAME",
    "TOPIC_COLUMNS",
    "EventColumns",
    "Executions",
    "PriceGrid",
    "Queries",
    "bar_columns",
    "decision_columns",
    "effective_samples",
    "event_columns",
    "first_bars",
    "horizon_uniqueness",
    "intent_columns",
    "join_executions",
    "label_columns",
    "label_signals",
    "net_returns",
    "open_queries",
    "price_grid",
    "report_columns",
    "sample_uniqueness",
    "session_table",
    "signal_columns",
]

"""What came of a signal: forward returns, barriers, fills, and how much evidence overlapping labels hold."""

from ordinis_learn.labelling.calendar import SessionCalendar, load_calendar
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
from ordinis_learn.labelling.fill_sessions import fills_on_grid
from ordinis_learn.labelling.horizons import LABEL_QUERIES, label_columns, label_signals
from ordinis_learn.labelling.positions import (
    POSITION_COLUMNS,
    POSITION_RULES,
    PositionEffect,
    RealisedStatus,
    realise_positions,
)
from ordinis_learn.labelling.query import Queries, open_queries
from ordinis_learn.labelling.sessions import (
    TIMEFRAME,
    PriceGrid,
    first_bars,
    price_grid,
    session_table,
    stray_bars,
)
from ordinis_learn.labelling.status import LabelStatus
from ordinis_learn.labelling.triple_barrier import BARRIER_COLUMNS, BARRIER_RULES, touch_barriers
from ordinis_learn.labelling.uniqueness import effective_samples, horizon_uniqueness, sample_uniqueness
from ordinis_learn.labelling.volatility import ex_ante_volatility, lookback_sessions, session_volatility

__all__ = [
    "BARRIER_COLUMNS",
    "BARRIER_RULES",
    "EXECUTION_QUERIES",
    "FEATURE_PREFIX",
    "LABEL_QUERIES",
    "POSITION_COLUMNS",
    "POSITION_RULES",
    "TIMEFRAME",
    "TOPIC_COLUMNS",
    "EventColumns",
    "Executions",
    "LabelStatus",
    "PositionEffect",
    "PriceGrid",
    "Queries",
    "RealisedStatus",
    "SessionCalendar",
    "bar_columns",
    "decision_columns",
    "effective_samples",
    "event_columns",
    "ex_ante_volatility",
    "fills_on_grid",
    "first_bars",
    "horizon_uniqueness",
    "intent_columns",
    "join_executions",
    "label_columns",
    "label_signals",
    "load_calendar",
    "lookback_sessions",
    "net_returns",
    "open_queries",
    "price_grid",
    "realise_positions",
    "report_columns",
    "sample_uniqueness",
    "session_table",
    "session_volatility",
    "signal_columns",
    "stray_bars",
    "touch_barriers",
]

"""What came of a signal: forward returns at horizons, and how much evidence overlapping labels hold."""

from ordinis_learn.labelling.executions import (
    EXECUTION_QUERIES,
    Executions,
    join_executions,
    net_returns,
)
from ordinis_learn.labelling.horizons import LABEL_QUERIES, TIMEFRAME, label_signals
from ordinis_learn.labelling.query import Queries, open_queries
from ordinis_learn.labelling.uniqueness import effective_samples, sample_uniqueness

__all__ = [
    "EXECUTION_QUERIES",
    "LABEL_QUERIES",
    "TIMEFRAME",
    "Executions",
    "Queries",
    "effective_samples",
    "join_executions",
    "label_signals",
    "net_returns",
    "open_queries",
    "sample_uniqueness",
]

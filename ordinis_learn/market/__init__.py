"""Prices, what is known from them at each close, and a simulated desk that trades on it."""

from ordinis_learn.market.desk import replay
from ordinis_learn.market.features import (
    FEATURE_NAMES,
    FEATURE_VERSION,
    WARM_UP_SESSIONS,
    FeatureCube,
    compute_features,
)
from ordinis_learn.market.history import INDEX_SYMBOL, PriceHistory, load_sp500
from ordinis_learn.market.limits import DeskParameters
from ordinis_learn.market.rules import RuleParameters, rule_signals
from ordinis_learn.market.simulate import simulate_history

__all__ = [
    "FEATURE_NAMES",
    "FEATURE_VERSION",
    "INDEX_SYMBOL",
    "WARM_UP_SESSIONS",
    "DeskParameters",
    "FeatureCube",
    "PriceHistory",
    "RuleParameters",
    "compute_features",
    "load_sp500",
    "replay",
    "rule_signals",
    "simulate_history",
]

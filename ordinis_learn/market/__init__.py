"""Prices, what is known from them at each close, and a simulated desk that trades on it."""

from ordinis_learn.market.features import (
    FEATURE_NAMES,
    FEATURE_VERSION,
    WARM_UP_SESSIONS,
    FeatureCube,
    compute_features,
)
from ordinis_learn.market.history import INDEX_SYMBOL, PriceHistory, load_sp500

__all__ = [
    "FEATURE_NAMES",
    "FEATURE_VERSION",
    "INDEX_SYMBOL",
    "WARM_UP_SESSIONS",
    "FeatureCube",
    "PriceHistory",
    "compute_features",
    "load_sp500",
]

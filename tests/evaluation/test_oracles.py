"""Metrics beside other packages', on the same series."""

import numpy as np
import pytest

from ordinis_learn.evaluation import max_drawdown, sharpe_ratio, sortino_ratio

RETURNS = np.random.default_rng(4).standard_t(5, 750) * 0.008 + 0.0004


def test_metrics_agree_with_quantstats():
    stats = pytest.importorskip(
        "quantstats.stats", reason="quantstats is not installed", exc_type=ImportError
    )
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(RETURNS, index=pandas.bdate_range("2010-01-04", periods=len(RETURNS)))
    assert sharpe_ratio(RETURNS) == pytest.approx(float(stats.sharpe(series)), rel=1e-9)
    assert sortino_ratio(RETURNS) == pytest.approx(float(stats.sortino(series)), rel=1e-9)
    assert max_drawdown(RETURNS) == pytest.approx(-float(stats.max_drawdown(series)), rel=1e-9)

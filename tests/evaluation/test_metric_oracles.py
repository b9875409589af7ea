"""Our metrics beside quantstats on one series; empyrical-reloaded is in test_metrics.py."""

import numpy as np
import pandas as pd
import pytest

from ordinis_learn.evaluation import calmar_ratio, compute_metrics, max_drawdown, sharpe_ratio, sortino_ratio

quantstats = pytest.importorskip("quantstats.stats", reason="quantstats is not installed")


@pytest.fixture(scope="module")
def returns():
    return 0.0004 + 0.011 * np.random.default_rng(3).standard_t(4, 1260) / np.sqrt(2.0)


@pytest.fixture(scope="module")
def series(returns):
    return pd.Series(returns, index=pd.bdate_range("2017-01-02", periods=len(returns)))


def test_ratios_and_drawdown_agree_with_quantstats(returns, series):
    assert sharpe_ratio(returns) == pytest.approx(quantstats.sharpe(series, periods=252), rel=1e-9)
    assert sortino_ratio(returns) == pytest.approx(quantstats.sortino(series, periods=252), rel=1e-9)
    assert max_drawdown(returns) == pytest.approx(-quantstats.max_drawdown(series), rel=1e-9)


def test_profit_factor_and_tail_agree_with_quantstats(returns, series):
    measured = compute_metrics(returns, turnover=np.zeros_like(returns), exposure=np.ones_like(returns))
    ours = measured.nullable()
    assert ours["profit_factor"] == pytest.approx(quantstats.profit_factor(series), rel=1e-9)
    assert ours["hit_rate"] == pytest.approx(quantstats.win_rate(series), rel=1e-9)
    assert calmar_ratio(returns) == pytest.approx(ours["cagr"] / ours["max_drawdown"], rel=1e-9)

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.evaluation import (
    annual_volatility,
    cagr,
    calmar_ratio,
    compute_metrics,
    cvar,
    hit_rate,
    max_drawdown,
    profit_factor,
    sharpe_ratio,
    sortino_ratio,
)

series = st.tuples(st.integers(0, 10_000), st.integers(30, 600)).map(
    lambda seed_size: np.random.default_rng(seed_size[0]).standard_t(4, seed_size[1]) * 0.008 + 0.0004
)


@given(series)
def test_metrics_agree_with_empyrical(returns):
    ours = {
        "sharpe_ratio": sharpe_ratio(returns),
        "sortino_ratio": sortino_ratio(returns),
        "annual_volatility": annual_volatility(returns),
        "cagr": cagr(returns),
        "max_drawdown": -max_drawdown(returns),
        "calmar_ratio": calmar_ratio(returns),
        "conditional_value_at_risk": -cvar(returns),
    }
    for name, value in ours.items():
        assert value == pytest.approx(getattr(empyrical, name)(returns), rel=1e-9), name


@given(series)
def test_metrics_keep_their_ranges(returns):
    assert 0 <= max_drawdown(returns) <= 1
    assert 0 <= hit_rate(returns) <= 1
    assert profit_factor(returns) >= 0
    assert cvar(returns) >= cvar(returns, share=0.5) >= -returns.mean() - 1e-12


@given(series, st.floats(0.1, 5.0))
def test_sharpe_and_sortino_ignore_scale_and_flip_with_sign(returns, scale):
    assert sharpe_ratio(scale * returns) == pytest.approx(sharpe_ratio(returns))
    assert sortino_ratio(scale * returns) == pytest.approx(sortino_ratio(returns))
    assert sharpe_ratio(-returns) == pytest.approx(-sharpe_ratio(returns))


@given(series)
def test_a_drawdown_never_shrinks_when_sessions_are_added(returns):
    assert max_drawdown(returns) >= max_drawdown(returns[: len(returns) // 2])


def test_a_loss_on_the_first_session_is_a_drawdown():
    assert max_drawdown(np.array([-0.2, 0.5])) == pytest.approx(0.2)
    assert max_drawdown(np.array([-1.5, 0.5])) == 1.0


UNDEFINED = {
    "never traded": (np.zeros(20), {"sharpe", "sortino", "calmar", "hit_rate", "profit_factor"}),
    "never lost": (np.tile([0.01, 0.02], 10), {"sortino", "calmar", "profit_factor"}),
    "constant": (np.full(20, 0.001), {"sharpe", "sortino", "calmar", "profit_factor"}),
    "one session": (np.array([-0.01]), {"sharpe", "volatility"}),
    "not finite": (
        np.array([0.01, np.nan, 0.02]),
        {
            "sharpe",
            "sortino",
            "cagr",
            "volatility",
            "max_drawdown",
            "calmar",
            "hit_rate",
            "profit_factor",
            "cvar_5",
        },
    ),
}


@pytest.mark.parametrize("case", UNDEFINED)
def test_what_is_undefined_is_nan_with_a_word_and_never_zero(case):
    returns, undefined = UNDEFINED[case]
    metrics = compute_metrics(returns, turnover=np.zeros(len(returns)), exposure=np.zeros(len(returns)))
    assert {name for name, value in metrics.values.items() if np.isnan(value)} == undefined
    assert set(metrics.quality) == undefined
    assert all(reason.startswith("undefined: ") for reason in metrics.quality.values())
    assert {name for name, value in metrics.nullable().items() if value is None} == undefined


def test_no_session_at_all_defines_nothing():
    nothing = np.zeros(0)
    metrics = compute_metrics(nothing, turnover=nothing, exposure=nothing)
    assert all(np.isnan(value) for value in metrics.values.values())
    assert set(metrics.quality) == set(metrics.values)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from ordinis_learn.training.fold_metrics import hit_rate, position_sharpe, rank_ic, rmse

# Few distinct values, so that ties are common.
rows = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.integers(-3, 3).map(float)),
        arrays(np.float64, n, elements=st.integers(-3, 3).map(float)),
        arrays(np.int64, n, elements=st.integers(0, 4)),
    )
)


def slow_rank_ic(forecast, outcome, session):
    found = []
    for day in np.unique(session):
        ours, theirs = forecast[session == day], outcome[session == day]
        if len(ours) >= 3 and np.ptp(ours) > 0 and np.ptp(theirs) > 0:
            found.append(spearmanr(ours, theirs).statistic)
    return np.mean(found) if found else np.nan


@settings(deadline=None)
@given(rows)
def test_rank_ic_is_the_mean_spearman_per_session(given_rows):
    forecast, outcome, session = given_rows
    ours = rank_ic(forecast, outcome=outcome, session=session)
    assert ours == pytest.approx(slow_rank_ic(forecast, outcome, session), abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_no_metric_depends_on_the_order_of_rows(given_rows, random):
    forecast, outcome, session = given_rows
    order = list(range(len(forecast)))
    random.shuffle(order)
    for metric in (
        lambda f, o, s: rank_ic(f, outcome=o, session=s),
        lambda f, o, s: position_sharpe(f, session_return=o, session=s),
        lambda f, o, _: rmse(f, outcome=o),
        lambda f, o, _: hit_rate(f, outcome=o),
    ):
        before, after = (
            metric(forecast, outcome, session),
            metric(forecast[order], outcome[order], session[order]),
        )
        assert after == pytest.approx(before, abs=1e-9, nan_ok=True)


@settings(deadline=None)
@given(rows)
def test_the_opposite_forecast_has_the_opposite_sharpe_and_ic(given_rows):
    forecast, outcome, session = given_rows
    for metric in (
        lambda f: rank_ic(f, outcome=outcome, session=session),
        lambda f: position_sharpe(f, session_return=outcome, session=session),
    ):
        assert metric(-forecast) == pytest.approx(-metric(forecast), abs=1e-9, nan_ok=True)


def test_the_sharpe_is_per_session_and_averages_within_one():
    session = np.repeat(np.arange(3), 2)
    forecast = np.tile([1.0, -1.0], 3)
    earned = np.array([0.02, 0.0, 0.02, -0.02, 0.0, -0.06])
    by_session = np.array([0.01, 0.02, 0.03])
    expected = by_session.mean() / by_session.std(ddof=1)
    assert position_sharpe(forecast, session_return=earned, session=session) == pytest.approx(expected)


def test_what_is_undefined_is_nan():
    nothing = np.empty(0)
    assert np.isnan(rmse(nothing, outcome=nothing))
    assert np.isnan(hit_rate(np.ones(2), outcome=np.zeros(2)))
    assert np.isnan(rank_ic(np.ones(3), outcome=np.arange(3.0), session=np.zeros(3)))
    assert np.isnan(position_sharpe(nothing, session_return=nothing, session=nothing))
    assert np.isnan(position_sharpe(np.ones(3), session_return=np.full(3, np.nan), session=np.arange(3)))
    assert np.isnan(position_sharpe(np.ones(1), session_return=np.ones(1), session=np.zeros(1)))

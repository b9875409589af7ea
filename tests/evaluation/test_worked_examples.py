"""The numbers that the papers print, in one place; docs/evaluation.md lists them by formula.

Ledoit & Wolf (2008) print results on hedge-fund returns that are not in the paper, so theirs cannot be worked again: an
independent bootstrap written from the definitions stands in (test_sharpe_tests.py), and here the limit in which their test and
that of Jobson, Korkie & Memmel must agree.
"""

import empyrical
import numpy as np
import pytest
from purgedcv import (
    deflated_sharpe_ratio,
    min_track_record_length,
    probabilistic_sharpe_ratio,
)
from skfolio.measures import get_drawdowns
from skfolio.measures import max_drawdown as skfolio_max_drawdown

from ordinis_learn.evaluation import (
    compare_sharpe_hac,
    compare_sharpe_jkm,
    deflated_sharpe,
    expected_maximum_sharpe,
    max_drawdown,
    minimum_track_record,
    minimum_track_record_revised,
    probabilistic_sharpe,
    probabilistic_sharpe_revised,
    return_shape,
    sessions_for_power,
    sharpe_ratio,
)
from ordinis_learn.evaluation.power import memmel_variance

HEDGE_FUND = {"periods": 24, "skewness": -2.448, "kurtosis": 10.164}
NORMAL = np.random.default_rng(11).normal(0.0006, 0.01, 1500)


def test_the_two_forms_of_the_probabilistic_ratio():
    """Two years of a hedge fund, 0.456 a month as the 2025 paper rounds it; the 2012 paper prints 0.458 and 0.913."""
    assert round(probabilistic_sharpe(0.456, **HEDGE_FUND), 3) == 0.913
    assert round(probabilistic_sharpe_revised(0.456, **HEDGE_FUND), 3) == 0.987
    assert round(probabilistic_sharpe(0.458, **HEDGE_FUND), 3) == 0.913
    assert round(probabilistic_sharpe(0.458, periods=24), 3) == 0.982


def test_the_deflated_ratio_of_the_2014_paper():
    record = {"periods": 1250, "trial_variance": 0.5 / 250, "skewness": -3.0, "kurtosis": 10.0}
    assert round(deflated_sharpe(2.5 / 250**0.5, trials=100, **record), 4) == 0.9004
    assert round(deflated_sharpe(2.5 / 250**0.5, trials=46, **record), 4) == 0.9505
    assert round(expected_maximum_sharpe(trials=100, trial_variance=0.5 / 250), 4) == 0.1132


def test_the_track_records_of_the_2012_paper():
    daily = minimum_track_record(2 / 252**0.5, benchmark=1 / 252**0.5)
    monthly = minimum_track_record(2 / 12**0.5, benchmark=1 / 12**0.5, skewness=-0.72, kurtosis=5.78)
    assert (round(daily / 252, 2), round(monthly / 12, 2)) == (2.73, 4.99)
    assert minimum_track_record_revised(0.456) == pytest.approx((1.6448536 / 0.456) ** 2, rel=1e-6)


def test_memmels_variance_and_the_sessions_that_follow_from_it():
    """Two uncorrelated ratios of zero have the variance 2; the same strategy twice has none."""
    assert memmel_variance(0.0, 0.0, correlation=0.0) == 2.0
    assert memmel_variance(0.1, 0.1, correlation=1.0) == pytest.approx(0.0, abs=1e-12)
    assert round(sessions_for_power(1.5, 1.0, correlation=0.9) / 252, 1) == 5.0


def test_both_tests_of_a_difference_agree_where_memmel_holds():
    """Independent normal returns are what Jobson & Korkie assume: there the HAC interval is theirs."""
    rng = np.random.default_rng(4)
    subject, baseline = rng.multivariate_normal([0.0005, 0.0003], [[1e-4, 6e-5], [6e-5, 1e-4]], 20_000).T
    by_hac, by_jkm = compare_sharpe_hac(subject, baseline), compare_sharpe_jkm(subject, baseline)
    assert by_hac.estimate == pytest.approx(by_jkm.estimate)
    assert by_hac.interval.low == pytest.approx(by_jkm.interval.low, abs=0.03)
    assert by_hac.p_value == pytest.approx(by_jkm.p_value, abs=0.02)


def test_purgedcv_says_the_same_of_one_record():
    """Its moments divide by n − 1 where the paper's divide by n: equal to a part in a thousand on 1,500 sessions."""
    skewness, kurtosis = return_shape(NORMAL)
    shape = {"skewness": skewness, "kurtosis": kurtosis}
    sharpe = sharpe_ratio(NORMAL) / np.sqrt(252)
    ours = probabilistic_sharpe(sharpe, periods=1500, **shape)
    assert ours == pytest.approx(probabilistic_sharpe_ratio(NORMAL, 0.0), rel=1e-3)
    ours = deflated_sharpe(sharpe, periods=1500, trials=40, trial_variance=0.02**2, **shape)
    assert ours == pytest.approx(deflated_sharpe_ratio(NORMAL, 40, 0.02**2), abs=2e-3)
    theirs = min_track_record_length(sharpe, 0.0, 0.05, skewness, kurtosis)
    assert theirs - 1 <= minimum_track_record(sharpe, **shape) <= theirs  # theirs is rounded up


def test_the_traps():
    """skfolio's drawdown does not compound unless told to, and Qlib's year has 238 sessions: neither is our convention."""
    falling = np.full(60, -0.01)
    compounded = -skfolio_max_drawdown(get_drawdowns(falling, compounded=True))
    assert abs(compounded) == pytest.approx(max_drawdown(falling), rel=1e-9)
    assert abs(skfolio_max_drawdown(get_drawdowns(falling))) == pytest.approx(0.6)
    assert max_drawdown(falling) == pytest.approx(1 - 0.99**60)
    assert sharpe_ratio(NORMAL) == pytest.approx(empyrical.sharpe_ratio(NORMAL), rel=1e-9)
    in_238 = empyrical.sharpe_ratio(NORMAL, annualization=238)
    assert sharpe_ratio(NORMAL) / in_238 == pytest.approx(np.sqrt(252 / 238))

import numpy as np
import pytest

from ordinis_learn.evaluation import Tried, compute_metrics
from ordinis_learn.evaluation.sharpe_confidence import CONVENTION, sharpe_confidence


def judged(returns, **tried):
    measured = compute_metrics(returns, turnover=np.ones_like(returns), exposure=np.ones_like(returns))
    known = {"count": 1, "variance": None, "earlier_sharpes": ()}
    return sharpe_confidence(returns, measured, tried=Tried(**(known | tried)))


def returns(*, sessions=1000, mean=0.0006, seed=1):
    return mean + 0.01 * np.random.default_rng(seed).standard_normal(sessions)


def test_both_conventions_are_named_and_both_are_there():
    found = judged(returns())
    assert "2012" in CONVENTION
    assert "2025" in CONVENTION
    assert 0.5 < found.probabilistic_2012 < 1.0
    assert 0.5 < found.probabilistic_2025 < 1.0
    assert found.quality == {}


def test_more_trials_ask_for_more_and_a_longer_record():
    once, often = judged(returns()), judged(returns(), count=50, variance=0.02**2)
    assert often.probabilistic_2012 == once.probabilistic_2012
    assert often.deflated_2012 < once.deflated_2012
    assert often.deflated_2025 < once.deflated_2025


def test_the_track_record_is_the_length_at_which_the_probability_is_reached():
    series = returns(sessions=4000)
    found = judged(series)
    enough = int(np.ceil(found.track_record_2012))
    assert enough < len(series)
    # The same estimate on exactly that many sessions is just sure enough.
    from ordinis_learn.evaluation import probabilistic_sharpe, sharpe_ratio

    sharpe = sharpe_ratio(series) / np.sqrt(252)
    shape = {"skewness": found.skewness, "kurtosis": found.kurtosis}
    assert probabilistic_sharpe(sharpe, periods=enough, **shape) >= 0.95
    assert probabilistic_sharpe(sharpe, periods=enough - 2, **shape) < 0.95


def test_trials_without_their_variance_leave_the_deflated_one_undefined_with_the_reason():
    found = judged(returns(), count=12)
    assert np.isnan(found.deflated_2012)
    assert np.isnan(found.deflated_2025)
    assert "12 trials" in found.quality["deflated_sharpe"]


def test_a_model_that_never_trades_is_undefined_everywhere():
    found = judged(np.zeros(500))
    assert np.isnan(found.probabilistic_2012)
    assert set(found.quality) == {"probabilistic_sharpe", "deflated_sharpe"}


def test_the_larger_variance_of_search_and_versions_is_taken():
    tried = Tried(count=9, variance=0.0001, earlier_sharpes=(0.1, -0.1))
    assert tried.variance_with(0.0) == pytest.approx(0.01)
    assert Tried(count=9, variance=0.5, earlier_sharpes=(0.1,)).variance_with(0.0) == 0.5
    assert Tried(count=9, variance=None, earlier_sharpes=()).variance_with(0.0) is None


def test_registering_the_winner_of_a_search_again_does_not_take_its_trials_away():
    series = returns(sessions=2520)
    sharpe = float(series.mean() / series.std(ddof=1))
    searched = judged(series, count=500, variance=0.02**2)
    again = judged(series, count=501, earlier_sharpes=(sharpe,), earlier_variances=(0.02**2,))
    assert searched.deflated_2012 < 0.5
    assert again.deflated_2012 <= searched.deflated_2012
    assert again.deflated_2025 <= searched.deflated_2025

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation import compare_drawdown, max_drawdown
from ordinis_learn.evaluation.drawdown import _drawdowns
from ordinis_learn.records import PairedDifference


def returns(seed, sessions=300):
    return np.random.default_rng(seed).normal(0.0002, 0.01, sessions)


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_rows_have_the_drawdown_of_the_metric(seed, sessions):
    rows = np.random.default_rng(seed).normal(0, 0.05, (5, sessions))
    np.testing.assert_allclose(_drawdowns(rows), [max_drawdown(row) for row in rows], atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 0.8))
def test_less_of_the_same_falls_less(seed, share):
    market = returns(seed)
    result = compare_drawdown(share * market, market, seed=seed, draws=60)
    assert result.estimate == pytest.approx(max_drawdown(share * market) - max_drawdown(market))
    assert result.verdict == "pass"
    assert compare_drawdown(market, share * market, seed=seed, draws=60).verdict == "fail"


def test_the_same_seed_gives_the_same_answer_and_it_survives_json():
    result = compare_drawdown(returns(1), returns(2), seed=4, draws=100)
    assert compare_drawdown(returns(1), returns(2), seed=4, draws=100).content_hash() == result.content_hash()
    assert PairedDifference.model_validate_json(result.model_dump_json()).estimate == result.estimate
    assert result.verdict == "inconclusive"


def test_a_series_shorter_than_a_block_is_one_block():
    assert compare_drawdown(returns(1, 20), returns(2, 20), seed=4, draws=50).block_length == 20


@pytest.mark.parametrize(
    ("subject", "baseline"),
    [(returns(1), returns(2)[:-1]), (np.zeros(0), np.zeros(0)), (returns(1) * np.nan, returns(2))],
)
def test_what_cannot_be_compared_is_an_error(subject, baseline):
    with pytest.raises(EvalFailed):
        compare_drawdown(subject, baseline, seed=1)

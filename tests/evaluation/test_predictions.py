import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation import predict_grid
from ordinis_learn.market import FeatureCube
from ordinis_learn.models import Predictions


class Answering:
    """Answers with what a function makes of the rows."""

    kind = "answering"
    horizon_sessions = 1

    def __init__(self, answer, *, feature_names=("b",)):
        self.answer = answer
        self.feature_names = feature_names

    def predict(self, features):
        direction, confidence, expected = self.answer(features[:, 0])
        return Predictions(direction=direction, confidence=confidence, expected_return=expected)

    def save(self, folder):
        raise NotImplementedError(folder)


def honest(x):
    return np.sign(x).astype(np.int8), np.full(len(x), 0.5), np.full(len(x), np.nan)


def cube(seed, *, sessions=6, symbols=4):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(sessions, symbols, 2))
    values[rng.random(values.shape) < 0.2] = np.nan
    return FeatureCube(names=("a", "b"), values=values)


@given(st.integers(0, 10_000))
def test_it_asks_where_the_models_own_features_are_known(seed):
    grid = predict_grid(Answering(honest), known := cube(seed))
    feature = known.values[:, :, 1]
    np.testing.assert_array_equal(grid.direction, np.nan_to_num(np.sign(feature)))
    assert grid.rows == np.isfinite(feature).sum()
    assert grid.errors == 0


@given(st.integers(0, 10_000), st.sampled_from([ValueError, RuntimeError, KeyError, ZeroDivisionError]))
def test_a_session_that_raises_counts_all_its_rows_and_spares_the_others(seed, failure):
    known = cube(seed)
    feature = known.values[:, :, 1]
    limit = np.nanmax(feature)

    def answer(x):
        if (x >= limit).any():
            raise failure("the largest value breaks it")
        return honest(x)

    grid = predict_grid(Answering(answer), known)
    broken = (feature >= limit).any(axis=1)
    assert grid.errors == np.isfinite(feature[broken]).sum()
    assert grid.error_rate == pytest.approx(grid.errors / grid.rows)
    assert not grid.direction[broken].any()
    np.testing.assert_array_equal(grid.direction[~broken], np.nan_to_num(np.sign(feature[~broken])))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d, c, e: (np.full_like(d, 5), c, e),
        lambda d, c, e: (d, np.full_like(c, np.nan), e),
        lambda d, c, e: (d, np.full_like(c, 1.01), e),
        lambda d, c, e: (d, np.full_like(c, -0.1), e),
        lambda d, c, e: (d, c, np.full_like(e, np.inf)),
    ],
    ids=["direction", "confidence nan", "over one", "below zero", "infinite forecast"],
)
def test_a_value_out_of_range_is_an_error_and_flat(spoil):
    def answer(x):
        honestly = honest(x)
        spoiled = spoil(*honestly)
        return tuple(np.where(x > 0, bad, good) for bad, good in zip(spoiled, honestly, strict=True))

    known = cube(3)
    grid = predict_grid(Answering(answer), known)
    positive = known.values[:, :, 1] > 0
    assert grid.errors == positive.sum()
    assert not grid.direction[positive].any()
    assert (grid.direction[known.values[:, :, 1] < 0] == -1).all()


def test_the_wrong_number_of_answers_is_a_fault_of_the_model():
    with pytest.raises(EvalFailed):
        predict_grid(Answering(lambda x: honest(x[1:])), cube(1))


def test_an_unknown_feature_is_named():
    with pytest.raises(EvalFailed) as caught:
        predict_grid(Answering(honest, feature_names=("b", "sentiment")), cube(1))
    assert "sentiment" in caught.value.found


def test_nothing_to_ask_leaves_the_rate_undefined():
    grid = predict_grid(Answering(honest), FeatureCube(names=("b",), values=np.full((3, 2, 1), np.nan)))
    assert (grid.rows, grid.errors) == (0, 0)
    assert np.isnan(grid.error_rate)

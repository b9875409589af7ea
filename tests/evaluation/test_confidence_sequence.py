import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation import confidence_sequence, observations_for_margin
from ordinis_learn.evaluation.confidence_sequence import _log_mixture

bounded = st.tuples(st.integers(0, 10_000), st.integers(1, 80)).map(
    lambda seed_size: np.random.default_rng(seed_size[0]).uniform(-1, 1, seed_size[1])
)


def test_looking_every_day_keeps_the_level_where_a_t_test_loses_it():
    """A no-better model, watched over 400 sessions by paired losses with clustered size."""
    rng = np.random.default_rng(7)
    paths, sessions, alpha = 150, 400, 0.10
    missed = fooled = 0
    for _ in range(paths):
        size = np.clip(0.2 * np.exp(0.5 * rng.standard_normal(sessions)), 0, 1)
        losses = size * rng.choice([-1.0, 1.0], sessions)
        sequence = confidence_sequence(losses, low=-1.0, high=1.0, alpha=alpha)
        missed += bool(((sequence.lower > 0) | (sequence.upper < 0)).any())
        count = np.arange(20, sessions + 1)
        mean = np.cumsum(losses)[19:] / count
        deviation = np.sqrt(np.cumsum(losses**2)[19:] / count - mean**2)
        fooled += bool((np.abs(mean) > 1.645 * deviation / np.sqrt(count)).any())
    assert missed <= alpha * paths
    assert fooled > 3 * alpha * paths


def test_it_covers_the_running_mean_when_the_mean_drifts():
    rng = np.random.default_rng(8)
    missed = 0
    for _ in range(120):
        truth = 0.4 * np.sin(np.arange(300) / 40)
        values = np.clip(truth + rng.uniform(-0.5, 0.5, 300), -1, 1)
        running = np.cumsum(truth) / np.arange(1, 301)
        sequence = confidence_sequence(values, low=-1.0, high=1.0, alpha=0.05)
        missed += bool(((running < sequence.lower) | (running > sequence.upper)).any())
    assert missed <= 6


def test_it_finds_a_real_difference():
    values = np.random.default_rng(9).normal(0.1, 0.1, 300).clip(-1, 1)
    sequence = confidence_sequence(values, low=-1.0, high=1.0)
    assert sequence.lower[-1] > 0
    assert sequence.lower[0] == -1.0


@given(bounded)
def test_intervals_are_ordered_in_bounds_and_hold_the_mean(values):
    sequence = confidence_sequence(values, low=-1.0, high=1.0)
    assert (sequence.lower >= -1).all()
    assert (sequence.upper <= 1).all()
    np.testing.assert_allclose(sequence.mean, np.cumsum(values) / np.arange(1, len(values) + 1), atol=1e-12)
    assert (sequence.lower <= sequence.mean + 1e-12).all()
    assert (sequence.mean <= sequence.upper + 1e-12).all()


@given(bounded, st.integers(1, 80))
def test_what_was_said_is_not_changed_by_what_comes(values, upto):
    whole = confidence_sequence(values, low=-1.0, high=1.0)
    part = confidence_sequence(values[:upto], low=-1.0, high=1.0)
    np.testing.assert_allclose(part.upper, whole.upper[:upto], atol=1e-9)


@given(bounded, st.floats(0.1, 50), st.floats(-20, 20))
def test_units_do_not_matter(values, scale, shift):
    plain = confidence_sequence(values, low=-1.0, high=1.0)
    moved = confidence_sequence(
        np.clip(scale * values + shift, shift - scale, shift + scale), low=shift - scale, high=shift + scale
    )
    np.testing.assert_allclose(moved.upper, scale * plain.upper + shift, atol=1e-6 * (scale + abs(shift)))


@given(bounded)
def test_more_confidence_is_wider(values):
    sure = confidence_sequence(values, low=-1.0, high=1.0, alpha=0.01)
    less = confidence_sequence(values, low=-1.0, high=1.0, alpha=0.20)
    assert (sure.upper - sure.lower >= less.upper - less.lower - 1e-9).all()


@pytest.mark.parametrize(("s", "v"), [(0.5, 1.0), (4.0, 2.0), (12.0, 20.0), (-0.5, 3.0)])
def test_the_boundary_solves_the_mixture_integral(s, v):
    """Proposition 9 in closed form against the integral that it stands for."""
    precision = 0.9

    def density(x):  # λ = 1 − x with x ~ Gamma(ρ, ρ) truncated to (0, 1)
        return stats.gamma.pdf(x, precision, scale=1 / precision) / stats.gamma.cdf(
            1, precision, scale=1 / precision
        )

    def martingale(x):
        rate = 1 - x
        return np.exp(rate * s - v * (-np.log(x) - rate)) * density(x)

    value, _ = integrate.quad(martingale, 0, 1, limit=200)
    assert float(_log_mixture(np.array(s), np.array(v), precision=precision)) == pytest.approx(
        np.log(value), rel=1e-6
    )


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ([0.0, 1.2], {}),
        ([0.0, np.nan], {}),
        ([0.0], {"low": 1.0, "high": 1.0}),
        ([0.0], {"alpha": 0.0}),
        ([0.0], {"alpha": 1.0}),
        ([0.0], {"tuned_at": 0.0}),
    ],
)
def test_what_makes_no_sense_is_refused(values, options):
    with pytest.raises(ConfigInvalid):
        confidence_sequence(np.array(values), **({"low": -1.0, "high": 1.0} | options))


def test_nothing_observed_says_nothing():
    assert confidence_sequence(np.zeros(0), low=-1.0, high=1.0).mean.shape == (0,)


def test_the_least_number_of_observations_is_exact():
    least = observations_for_margin(0.1, low=-1.0, high=1.0)
    upper = confidence_sequence(np.zeros(least), low=-1.0, high=1.0).upper
    assert upper[-1] <= 0.1 < upper[-2]
    assert observations_for_margin(1e-9, low=-1.0, high=1.0) == 100_000

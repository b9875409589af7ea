"""What a shadow can show, and that looking every day does not show what is not there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation.confidence_sequence import confidence_sequence
from ordinis_learn.shadow.power import MARGIN, power_of, sequential_bounds, wilson_interval


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.sampled_from([0.0, 0.02, 0.3, 1.0]))
def test_many_sequences_at_once_are_the_single_one_and_never_narrower(seed, length, size):
    values = np.clip(np.random.default_rng(seed).normal(0, size, (2, length)), -1, 1)
    lower, upper = sequential_bounds(values, low=-1.0, high=1.0)
    for row in range(2):
        exact = confidence_sequence(values[row], low=-1.0, high=1.0)
        assert (lower[row] <= exact.lower + 1e-12).all()
        assert (upper[row] >= exact.upper - 1e-12).all()
        assert np.allclose(upper[row] - lower[row], exact.upper - exact.lower, rtol=0.01, atol=1e-9)


def test_more_days_and_larger_gains_are_seen_more_often():
    gains = {gain: power_of(gain, days=[250, 2500], simulations=200) for gain in (0.02, 0.05, 0.10)}
    better = [[one.better for one in found] for found in gains.values()]
    assert all(early <= late for early, late in better)
    assert sorted(late for _, late in better) == [late for _, late in better]
    assert power_of(0.05, days=[250], simulations=50) == power_of(0.05, days=[250], simulations=50)


def test_twenty_days_show_nothing():
    for gain in (0.0, 0.02, 0.10):
        (found,) = power_of(gain, days=[20], simulations=200)
        assert (found.looks, found.better, found.not_inferior) == (4, 0.0, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain": 1.5},
        {"gain": 0.0, "spread": 1.5},
        {"gain": 0.0, "days": [3]},
        {"gain": 0.0, "simulations": 0},
        {"gain": 0.0, "margin": float("nan")},
    ],
)
def test_what_cannot_be_simulated_is_refused(wrong):
    with pytest.raises(ConfigInvalid):
        power_of(**wrong)


@pytest.mark.slow
def test_looking_at_every_number_promotes_a_no_better_model_at_most_at_the_stated_level():
    """Half of the level is on each side; the t-test at the same half does not keep it."""
    count, level = 4000, 0.025
    for spread in (0.05, 0.25, 0.7):
        (same,) = power_of(0.0, days=[2500], spread=spread, simulations=count, seed=11)
        assert wilson_interval(same.better, count=count)[1] <= level
        assert wilson_interval(same.naive, count=count)[0] > 4 * level
        (worse,) = power_of(-MARGIN - 1e-9, days=[2500], spread=spread, simulations=count, seed=12)
        assert wilson_interval(worse.not_inferior, count=count)[1] <= level


@pytest.mark.slow
def test_labels_that_overlap_are_why_a_number_is_taken_every_fifth_session():
    """Two coins on five-session labels of random walks, looked at every day for 500 sessions.

    Neither coin is better. The sequence over every fifth session keeps its level; the t-test does not, and over all
    days, whose labels share sessions, it promotes even more often.
    """
    rng, count, sessions, horizon = np.random.default_rng(5), 600, 500, 5
    steps = rng.normal(size=(count, sessions + horizon + 1))
    total = np.cumsum(steps, axis=1)
    sign = np.sign(total[:, horizon + 1 :] - total[:, 1:-horizon])
    # Positions that stay for weeks, as those of slow signals do: then overlapping labels are counted again and again.
    held = [np.repeat(rng.choice([-1.0, 1.0], (count, sessions // 20)), 20, axis=1) for _ in range(2)]
    daily = (held[1] - held[0]) * sign / 2.0
    apart = daily[:, ::horizon]
    _, upper = sequential_bounds(apart, low=-1.0, high=1.0)
    promoted = (upper < 0).any(axis=1).mean()
    assert wilson_interval(float(promoted), count=count)[1] <= 0.025
    naive = {name: _ever_significant(values) for name, values in {"apart": apart, "daily": daily}.items()}
    assert naive["apart"] > 0.10
    assert naive["daily"] > naive["apart"]


def _ever_significant(values):
    from scipy.stats import t

    number = np.arange(1, values.shape[1] + 1)
    total, squares = np.cumsum(values, axis=1), np.cumsum(values**2, axis=1)
    deviation = np.sqrt(np.maximum(squares - total**2 / number, 0) / np.maximum(number - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = total / (deviation * np.sqrt(number))
    late = number >= 10
    return float((statistic[:, late] < t.ppf(0.025, number[late] - 1)).any(axis=1).mean())

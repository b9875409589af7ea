"""Maximum mean discrepancy with whole units changing sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from ordinis_learn.drift import maximum_mean_discrepancy


def compare(before, now, *, before_unit=None, now_unit=None, draws=199, seed=3):
    return maximum_mean_discrepancy(
        before,
        now,
        reference_unit=np.arange(len(before)) if before_unit is None else before_unit,
        current_unit=np.arange(len(now)) if now_unit is None else now_unit,
        draws=draws,
        seed=seed,
    )


def by_hand(before, now, before_unit, now_unit):
    """Gretton et al. (2012), (3), pair by pair, pairs within a unit left out."""
    rows = np.concatenate([before, now])
    units = [*(("before", one) for one in before_unit), *(("now", one) for one in now_unit)]
    squared = ((rows[:, None, :] - rows[None, :, :]) ** 2).sum(axis=2)
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(len(rows), k=1)]))
    means = {}
    for left, right in (("before", "before"), ("now", "now"), ("before", "now")):
        pairs = [
            kernel[i, j]
            for i, one in enumerate(units)
            for j, other in enumerate(units)
            if one[0] == left and other[0] == right and one != other
        ]
        means[left, right] = np.mean(pairs)
    return means["before", "before"] + means["now", "now"] - 2 * means["before", "now"]


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_it_is_what_a_sum_over_pairs_gives_whatever_the_order_of_rows(seed):
    rng = np.random.default_rng(seed)
    before, now = rng.standard_normal((14, 3)), rng.standard_normal((9, 3)) + 0.5
    before_unit, now_unit = rng.integers(0, 7, 14), rng.integers(0, 5, 9)
    found = compare(before, now, before_unit=before_unit, now_unit=now_unit)
    if found is None:
        return
    assert found.squared == pytest.approx(by_hand(before, now, before_unit, now_unit), abs=1e-9)
    order = rng.permutation(14)
    again = compare(before[order], now, before_unit=before_unit[order], now_unit=now_unit)
    assert (again.p_value, again.area) == (found.p_value, pytest.approx(found.area))


def test_rows_that_depend_on_each_other_cry_wolf_unless_they_change_sides_together():
    """Ten answers a day about that day's news: 18 days of reference, 6 of now, and nothing changed."""
    rng = np.random.default_rng(2)
    trials, together, apart = 120, 0, 0
    for seed in range(trials):
        news = np.repeat(rng.standard_normal((24, 4)), 10, axis=0)
        rows = news + 0.5 * rng.standard_normal((240, 4))
        before_unit, now_unit = np.repeat(np.arange(18), 10), np.repeat(np.arange(6), 10)
        whole = compare(
            rows[:180], rows[180:], before_unit=before_unit, now_unit=now_unit, draws=99, seed=seed
        )
        together += whole.p_value <= 0.05
        apart += compare(rows[:180], rows[180:], draws=99, seed=seed).p_value <= 0.05
    assert together <= binom.ppf(0.99, trials, 0.05)
    assert apart / trials > 0.5


def test_a_change_of_shape_with_the_same_mean_is_found():
    rng = np.random.default_rng(4)
    found = compare(rng.standard_normal((150, 2)), 3.0 * rng.standard_normal((80, 2)))
    assert found.p_value <= 0.01


def test_too_few_units_say_nothing():
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((40, 2))
    assert compare(rows, rows[:5], now_unit=np.zeros(5, dtype=int)) is None
    assert compare(rows, rows, before_unit=np.arange(40) % 4, now_unit=np.arange(40) % 3) is None


def test_equal_texts_on_both_sides_are_no_change():
    same = np.ones((60, 3))
    found = compare(same[:40], same[40:])
    assert (found.squared, found.p_value, found.area) == (0.0, 1.0, 0.5)

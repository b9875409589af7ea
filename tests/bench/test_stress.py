from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from ordinis_learn.bench import STRESS_WINDOWS, stress_between


@pytest.mark.parametrize("window", STRESS_WINDOWS, ids=lambda w: w.name)
def test_each_period_runs_from_a_peak_to_a_trough_of_the_index(window, history):
    inside = history.between(window.start, window.end)
    assert (inside.sessions[0].item(), inside.sessions[-1].item()) == (window.start, window.end)
    assert int(np.argmax(inside.index_close)) == 0
    assert inside.index_close[-1] <= 1.01 * inside.index_close.min()
    assert inside.index_close[-1] / inside.index_close[0] < 0.92


def test_names_are_unique_and_periods_do_not_overlap():
    assert len({window.name for window in STRESS_WINDOWS}) == len(STRESS_WINDOWS)
    ordered = sorted(STRESS_WINDOWS, key=lambda w: w.start)
    assert all(a.end < b.start for a, b in pairwise(ordered))
    assert all(window.source and window.reason for window in STRESS_WINDOWS)


def test_a_period_cut_by_the_span_is_left_out():
    names = {window.name for window in stress_between(date(2008, 6, 1), date(2022, 6, 30))}
    assert names == {"downgrade_2011", "rates_2018", "covid_2020"}

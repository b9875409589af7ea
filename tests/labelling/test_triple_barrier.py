"""The triple barrier against a hand count and against a loop in plain Python."""

from __future__ import annotations

from math import isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.labelling import touch_barriers
from ordinis_learn.records import BarrierRule

RULE = BarrierRule(profit=2.0, stop=1.0, sessions=4)
UNIT = 0.02  # volatility 0.01 over four sessions: profit at +4 %, stop at -2 %


def touch(grid, *, day, direction=1, volatility=0.01, rule=RULE, symbol="X"):
    """Follow one signal of a day; the calendar of the tests begins 30 days before the first."""
    found = touch_barriers(
        grid,
        at=np.array([grid.symbols.to_pylist().index(symbol)]),
        number=np.array([day + 31]),
        direction=np.array([direction], dtype=np.int8),
        volatility=np.array([volatility]),
        rule=rule,
    )
    return {name: values[0].as_py() for name, values in found.items()}


def path(scans, closes, **columns):
    """Enter at 100 on day 1, then follow what was given from day 2 on; another symbol keeps the tape going."""
    scans.bar(1, 100.0)
    for number, close in enumerate(closes):
        told = {name: values[number] for name, values in columns.items() if values[number] is not None}
        if close is not None:
            scans.bar(2 + number, close, **told)
    for day in range(9):
        scans.bar(day, 7.0, symbol="TAPE")
    return scans


class TestByHand:
    def test_profit_at_the_close(self, scans, grid_of, close):
        found = touch(grid_of(path(scans, [103.9, 104.5, 90.0])), day=0)
        assert (found["tb_label"], found["meta_label"], found["tb_sessions"]) == (1, 1, 2)
        assert found["tb_ret"] == pytest.approx(0.045)
        assert found["tb_available_at"] == close(3)
        assert found["tb_status"] == "labelled"

    def test_a_short_signal_turns_the_barriers_round(self, scans, grid_of):
        found = touch(grid_of(path(scans, [102.5, 90.0])), day=0, direction=-1)
        assert (found["tb_label"], found["meta_label"]) == (-1, 0)
        assert found["tb_ret"] == pytest.approx(-0.025)

    def test_a_range_that_holds_the_barrier_ends_at_the_barrier(self, scans, grid_of):
        found = touch(grid_of(path(scans, [103.0], high=[104.5], low=[99.0])), day=0)
        assert (found["tb_label"], found["tb_ret"]) == (1, pytest.approx(0.04))

    def test_both_in_one_bar_is_the_stop(self, scans, grid_of):
        found = touch(grid_of(path(scans, [104.0], high=[110.0], low=[97.0])), day=0)
        assert (found["tb_label"], found["tb_ret"]) == (-1, pytest.approx(-0.02))

    def test_an_open_beyond_the_profit_came_before_the_stop(self, scans, grid_of):
        found = touch(grid_of(path(scans, [97.0], open=[106.0], high=[107.0], low=[96.0])), day=0)
        assert (found["tb_label"], found["tb_ret"]) == (1, pytest.approx(0.06))

    def test_a_gap_through_the_stop_costs_the_gap(self, scans, grid_of):
        found = touch(grid_of(path(scans, [93.0], open=[92.0], high=[95.0], low=[90.0])), day=0)
        assert (found["tb_label"], found["tb_ret"]) == (-1, pytest.approx(-0.08))

    def test_neither_is_the_vertical_barrier(self, scans, grid_of):
        found = touch(grid_of(path(scans, [101.0, 102.0, 101.0, 100.5])), day=0)
        assert (found["tb_label"], found["meta_label"], found["tb_sessions"]) == (0, 1, 4)
        assert found["tb_ret"] == pytest.approx(0.005)

    def test_a_flat_signal_is_followed_but_has_no_side(self, scans, grid_of):
        found = touch(grid_of(path(scans, [105.0])), day=0, direction=0)
        assert (found["tb_label"], found["meta_label"]) == (1, None)

    def test_a_split_is_no_loss(self, scans, grid_of):
        found = touch(grid_of(path(scans, [50.5, 52.5], split_factor=[2.0, None])), day=0)
        assert (found["tb_label"], found["tb_ret"]) == (1, pytest.approx(0.05))

    @pytest.mark.parametrize(
        ("closes", "expected"),
        [
            ([101.0, None, 104.5], 1),  # a halt touches nothing
            ([101.0, None, None, None], "no_exit_bar"),  # delisted
        ],
    )
    def test_sessions_without_a_bar(self, scans, grid_of, closes, expected):
        found = touch(grid_of(path(scans, closes)), day=0)
        assert expected in {found["tb_label"], found["tb_status"]}
        assert (found["tb_ret"] is None) == (expected == "no_exit_bar")

    def test_why_there_is_none(self, scans, grid_of):
        grid = grid_of(path(scans, [101.0]))
        assert touch(grid, day=0, volatility=nan)["tb_status"] == "no_volatility"
        assert touch(grid, day=2)["tb_status"] == "no_entry_bar"
        assert touch(grid, day=8)["tb_status"] == "pending"


prices = st.one_of(st.none(), st.floats(90.0, 110.0))
bars = st.lists(st.tuples(prices, prices, prices, prices), min_size=1, max_size=7)


@settings(max_examples=30, deadline=None)
@given(
    bars=bars,
    direction=st.sampled_from([-1, 0, 1]),
    profit=st.floats(0.2, 4),
    stop=st.floats(0.2, 4),
    sessions=st.integers(1, 6),
)
def test_agrees_with_a_loop(new_scans, grid_of, bars, direction, profit, stop, sessions):
    rule = BarrierRule(profit=profit, stop=stop, sessions=sessions)
    scans = new_scans()
    columns = dict(zip(("open", "high", "low"), zip(*[bar[1:] for bar in bars], strict=True), strict=True))
    path(scans, [bar[0] for bar in bars], **columns)
    found = touch(grid_of(scans), day=0, direction=direction, rule=rule)
    expected = by_loop(bars, side=-1 if direction < 0 else 1, rule=rule)
    if expected is None:
        assert found["tb_label"] is None
        assert found["tb_status"] in {"no_exit_bar", "pending"}
        return
    label, ret, count = expected
    assert (found["tb_label"], found["tb_sessions"]) == (label, count)
    assert found["tb_ret"] == pytest.approx(ret, abs=1e-12)
    assert found["meta_label"] == (None if direction == 0 else int(found["tb_ret"] > 0))


def by_loop(bars, *, side, rule):
    """The module's three rules, one bar after another."""
    unit = 0.01 * sqrt(rule.sessions)
    above, below = rule.profit * unit, -rule.stop * unit
    for count, (close, first, high, low) in enumerate(bars[: rule.sessions], start=1):
        if close is None:
            continue
        earned = [
            nan if price is None else side * (price / 100.0 - 1.0) for price in (close, first, high, low)
        ]
        seen = [one for one in (earned[0], earned[2], earned[3]) if not isnan(one)]
        best, worst = max(seen), min(seen)
        if earned[1] <= below:
            return -1, earned[1], count
        if earned[1] >= above:
            return 1, earned[1], count
        if worst <= below:
            return -1, below if best >= below else earned[0], count
        if best >= above:
            return 1, above if worst <= above else earned[0], count
        if count == rule.sessions:
            return 0, earned[0], count
    return None

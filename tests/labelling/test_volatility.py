"""Ex-ante volatility against its definition, and what was known of it at a signal."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.labelling import ex_ante_volatility, lookback_sessions, session_volatility

closes = st.lists(st.one_of(st.none(), st.floats(50.0, 150.0)), min_size=2, max_size=60)


@settings(max_examples=40, deadline=None)
@given(closes=closes, span=st.integers(2, 9))
def test_agrees_with_the_definition(new_scans, grid_of, closes, span):
    scans = new_scans()
    for day, close in enumerate(closes):
        if close is not None:
            scans.bar(day, close)
    found = session_volatility(grid_of(scans), span=span)[0, 31 : 31 + len(closes)]
    decay, moved, last = 1 - 2 / (span + 1), {}, None
    for day, close in enumerate(closes):
        if close is not None:
            if last is not None:
                moved[day] = math.log(close / closes[last]) ** 2 / (day - last)
            last = day
    for day in range(len(closes)):
        seen = {d: m for d, m in moved.items() if day - lookback_sessions(span) < d <= day}
        weight = sum(decay ** (day - d) for d in seen)
        total = sum(decay ** (day - d) * m for d, m in seen.items())
        if len(seen) < max(span // 2, 1) or total == 0:
            assert math.isnan(found[day])
        else:
            assert found[day] == pytest.approx(math.sqrt(total / weight), rel=1e-9)


def test_what_is_older_than_memory_has_no_part(new_scans, grid_of):
    """So a dataset may begin to read there, and says the same as one that read everything."""
    rng = np.random.default_rng(1)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, 80)))
    whole, late = new_scans(), new_scans()
    for day, price in enumerate(prices.tolist()):
        whole.bar(day, price)
        if day >= 79 - lookback_sessions(4):
            late.bar(day, price)
    one, other = (session_volatility(grid_of(scans), span=4)[0] for scans in (whole, late))
    assert one[31 + 79] == other[31 + 79]
    assert one[31 + 60] != other[31 + 60]


def test_a_bar_told_after_the_signal_has_no_part(scans, grid_of, close):
    for day, price in enumerate([100.0, 101.0, 99.0, 120.0]):
        scans.bar(day, price, at=close(3) + timedelta(hours=1) if day == 3 else None)
    grid = grid_of(scans)
    every = session_volatility(grid, span=2)
    moments = [close(3), close(3) + timedelta(hours=1)]
    found = ex_ante_volatility(
        every,
        grid=grid,
        at=np.array([0, 0]),
        number=np.array([34, 34]),
        moments=np.array([int(moment.timestamp()) * 1_000_000 for moment in moments]),
    )
    assert found.tolist() == [every[0, 33], every[0, 34]]

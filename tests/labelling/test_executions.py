"""From signals to fills: the keys, the queue, the money."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.labelling import (
    bar_columns,
    fills_on_grid,
    first_bars,
    join_executions,
    label_columns,
    net_returns,
    price_grid,
    session_table,
    signal_columns,
)
from ordinis_learn.testing import daily_calendar

MIDNIGHT = datetime(2001, 1, 1, tzinfo=UTC)
CALENDAR = daily_calendar(date(2000, 12, 1), days=100)


def joined(scans, *, threads=None):
    return join_executions(
        scans.table("signals"),
        risk=scans.table("risk"),
        intents=scans.table("intents"),
        executions=scans.table("executions"),
        threads=threads,
    )


def outcome(scans, signal_id):
    return next(row for row in joined(scans).outcomes.to_pylist() if row["signal_id"] == signal_id)


def fill(fill_id, *, at, qty=10.0, price=100.0, **more):
    return {"fill_id": fill_id, "ts": at.isoformat(), "qty": qty, "price": price, **more}


def minutes(count):
    return MIDNIGHT + timedelta(minutes=count)


@pytest.fixture
def bars(scans):
    for day in range(6):
        scans.bar(day, 100.0 + day)
    return scans


def net_of(scans, signal_id, *, horizons=(1, 2)):
    prices = first_bars(bar_columns(scans.table("bars")), calendar=CALENDAR)
    grid = price_grid(prices, sessions=session_table(prices, calendar=CALENDAR))
    labels = label_columns(signal_columns(scans.table("signals")), grid=grid, horizons=horizons)
    net = net_returns(labels, fills=fills_on_grid(joined(scans).fills, grid=grid), horizons=horizons)
    row = labels["signal_id"].to_pylist().index(signal_id)
    return [net[f"net_ret_{horizon}d"][row].as_py() for horizon in horizons]


class TestKeys:
    def test_intent_links_a_signal_to_its_order(self, scans):
        scans.signal("a", 0, at=minutes(0))
        scans.signal("b", 0, at=minutes(1))
        scans.intent("o", "b", at=minutes(2))
        scans.report("o", at=minutes(3), fills=[fill("f", at=minutes(3), fee=2.0)], slippage=0.001)
        scans.decision("b", at=minutes(1), allowed=False)
        found = outcome(scans, "b")
        assert (found["order_id"], found["join_quality"]) == ("o", "intent")
        assert (found["filled_qty"], found["avg_fill_price"], found["fees"]) == (10.0, 100.0, 2.0)
        assert found["slippage"] == pytest.approx(0.001)
        assert found["allowed"] is False
        other = outcome(scans, "a")
        assert other["join_quality"] == "none"
        assert {other[name] for name in ("allowed", "order_id", "filled_qty", "avg_fill_price", "fees")} == {
            None
        }

    def test_a_carried_signal_id_beats_an_intent(self, scans):
        scans.signal("a", 0, at=minutes(0))
        scans.signal("b", 0, at=minutes(1))
        scans.intent("o", "b", at=minutes(2))
        scans.report("o", at=minutes(3), signal_id="a")
        assert outcome(scans, "a")["join_quality"] == "carried"
        assert outcome(scans, "b")["join_quality"] == "none"

    def test_an_intent_after_the_report_is_no_evidence(self, scans):
        scans.signal("a", 0, at=minutes(0))
        scans.report("o", at=minutes(3))
        scans.intent("o", "a", at=minutes(4))
        assert outcome(scans, "a")["join_quality"] == "none"

    def test_an_order_that_never_filled_has_quantity_zero(self, scans):
        scans.signal("a", 0, at=minutes(0))
        scans.intent("o", "a", at=minutes(2))
        scans.report("o", at=minutes(3), status="rejected")
        found = outcome(scans, "a")
        assert (found["filled_qty"], found["avg_fill_price"], found["join_quality"]) == (0.0, None, "intent")

    def test_the_first_decision_counts(self, scans):
        scans.signal("a", 0, at=minutes(0))
        scans.decision("a", at=minutes(1), allowed=True)
        scans.decision("a", at=minutes(2), allowed=False)
        assert outcome(scans, "a")["allowed"] is True


steps = st.lists(
    st.tuples(st.sampled_from(["signal", "denied", "order"]), st.sampled_from(["X", "Y"])), max_size=14
)


class TestInference:
    @settings(max_examples=12, deadline=None)
    @given(steps)
    def test_orders_take_the_first_allowed_signal_that_waits(self, new_scans, steps):
        scans, waiting, expected = new_scans(), {"X": [], "Y": []}, {}
        for number, (kind, symbol) in enumerate(steps):
            if kind == "order":
                one = fill(f"f{number:02d}", at=minutes(number), qty=1.0)
                scans.report(f"o{number:02d}", at=minutes(number), symbol=symbol, fills=[one])
                if waiting[symbol]:
                    expected[waiting[symbol].pop(0)] = f"o{number:02d}"
                continue
            scans.signal(f"s{number:02d}", 0, at=minutes(number), symbol=symbol)
            scans.decision(f"s{number:02d}", at=minutes(number), allowed=kind == "signal", symbol=symbol)
            if kind == "signal":
                waiting[symbol].append(f"s{number:02d}")
        found = joined(scans).outcomes.to_pylist()
        assert {row["signal_id"]: row["order_id"] for row in found if row["order_id"]} == expected
        assert {(row["join_quality"], row["filled_qty"]) for row in found if row["order_id"]} <= {
            ("inferred", 1.0)
        }

    def test_cycles_do_not_mix(self, scans):
        scans.signal("a", 0, at=minutes(0), cycle="one")
        scans.decision("a", at=minutes(0))
        scans.report("o", at=minutes(1), cycle="two")
        assert outcome(scans, "a")["join_quality"] == "none"

    def test_a_keyed_signal_is_not_waiting(self, scans):
        for name in ("a", "b"):
            scans.signal(name, 0, at=minutes(0))
            scans.decision(name, at=minutes(0))
        scans.intent("keyed", "a", at=minutes(1))
        scans.report("loose", at=minutes(2))
        scans.report("keyed", at=minutes(3))
        assert outcome(scans, "a")["order_id"] == "keyed"
        assert outcome(scans, "b")["order_id"] == "loose"

    def test_a_decision_after_the_order_came_too_late(self, scans):
        scans.signal("a", 0, at=minutes(0))
        scans.report("o", at=minutes(1))
        scans.decision("a", at=minutes(2))
        assert outcome(scans, "a")["join_quality"] == "none"


class TestMoney:
    def test_partial_fills_told_again_count_once(self, scans):
        scans.signal("a", 0, at=minutes(0))
        scans.intent("o", "a", at=minutes(0))
        first, second = fill("f1", at=minutes(1), qty=10.0), fill("f2", at=minutes(2), qty=30.0, price=104.0)
        scans.report("o", at=minutes(1), fills=[first], fees=1.0, status="partial_fill")
        scans.report("o", at=minutes(2), fills=[first, second], fees=4.0)
        found = outcome(scans, "a")
        assert (found["filled_qty"], found["avg_fill_price"], found["fees"]) == (40.0, 103.0, 4.0)

    def test_sums_have_one_order(self, scans):
        rng = np.random.default_rng(3)
        scans.signal("a", 0, at=minutes(0))
        scans.intent("o", "a", at=minutes(0))
        quantity = 10.0 ** rng.uniform(-8, 8, 400)
        for number in rng.permutation(400).tolist():
            told = minutes(1 + int(rng.integers(10_000)))
            one = fill(f"f{number:03d}", at=minutes(number), qty=float(quantity[number]), fee=1.0)
            scans.report("o", at=told, fills=[one])
        in_order = 0.0
        for value in quantity:
            in_order += float(value)
        assert in_order != math.fsum(quantity)
        for threads in (1, 2, 4):
            assert joined(scans, threads=threads).outcomes["filled_qty"][0].as_py() == in_order

    def test_net_return_is_from_the_fill_to_the_exit_less_fees(self, bars, close):
        bars.signal("a", 0, direction="SHORT")
        bars.intent("o", "a", at=close(0))
        bars.report("o", at=close(1), fills=[fill("f", at=close(1), qty=10.0, price=98.0, fee=4.9)])
        fee = 4.9 / 980.0
        assert net_of(bars, "a") == pytest.approx([1 - 102 / 98 - fee, 1 - 103 / 98 - fee])

    def test_a_split_between_fill_and_exit_is_no_loss(self, scans, close):
        for day, price in enumerate([100.0, 100.0, 52.0, 53.0]):
            scans.bar(day, price, **({"split_factor": 2.0} if day == 2 else {}))
        scans.signal("a", 0)
        scans.intent("o", "a", at=close(0))
        scans.report("o", at=close(1), fills=[fill("f", at=close(1), price=100.0)])
        assert net_of(scans, "a") == pytest.approx([0.04, 0.06])

    def test_fills_known_after_the_label_do_not_reach_it(self, bars, close):
        bars.signal("a", 0)
        bars.intent("o", "a", at=close(0))
        bars.report("o", at=close(1), fills=[fill("f1", at=close(1), price=101.0)], status="partial_fill")
        before = net_of(bars, "a")
        bars.report("o", at=close(2) + timedelta(minutes=1), fills=[fill("f2", at=close(2), price=150.0)])
        after = net_of(bars, "a")
        assert before[0] == after[0] == pytest.approx(102 / 101 - 1)
        assert before[1] != after[1] == pytest.approx(103 / 125.5 - 1)

    def test_without_a_fill_or_a_label_there_is_no_net_return(self, bars, close):
        bars.signal("idle", 0)
        bars.signal("late", 4, cycle="d")
        bars.intent("o", "late", at=close(4))
        bars.report("o", at=close(5), fills=[fill("f", at=close(5))])
        assert net_of(bars, "idle") == [None, None]
        assert net_of(bars, "late") == [None, None]

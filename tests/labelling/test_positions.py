"""Realised profit against a hand count, and against a book that holds every unit by itself."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.labelling import fills_on_grid, join_executions, realise_positions, signal_columns

NOON = datetime(2001, 1, 2, 15, tzinfo=UTC)


def minutes(count):
    return NOON + timedelta(minutes=count)


def order(scans, name, *, at, fills, side="buy", direction="LONG", end="filled", signal=None):
    """Make a signal and its order ``o-<name>``, filled as given: (units, price, fee) each a minute after the other."""
    signal = signal or name
    if signal == name:
        scans.signal(name, 0, at=minutes(at), direction=direction)
    scans.intent(f"o-{name}", signal, at=minutes(at), side=side, symbol="X", qty=1.0)
    for number, (qty, price, fee) in enumerate(fills, start=1):
        status = end if number == len(fills) else "partial_fill"
        moment = minutes(at + number)
        one = {
            "fill_id": f"{name}/{number}",
            "ts": moment.isoformat(),
            "qty": qty,
            "price": price,
            "fee": fee,
        }
        scans.report(f"o-{name}", at=moment, fills=[one], status=status)


def realised(scans, grid_of, *, settled=True):
    if settled:
        for day in range(-1, 5):
            scans.bar(day, 100.0)
    signals = signal_columns(scans.table("signals"))
    joined = join_executions(
        signals,
        risk=scans.table("risk"),
        intents=scans.table("intents"),
        executions=scans.table("executions"),
    )
    rows = realise_positions(signals, fills=fills_on_grid(joined.fills, grid=grid_of(scans))).to_pylist()
    return dict(zip(signals["signal_id"].to_pylist(), rows, strict=True))


class TestByHand:
    def test_a_round_trip_is_booked_to_the_signal_that_opened(self, scans, grid_of, close):
        order(scans, "in", at=0, fills=[(10, 100.0, 1.0)])
        order(scans, "out", at=5, side="sell", direction="FLAT", fills=[(10, 103.0, 2.0)])
        found = realised(scans, grid_of)
        assert found["in"]["realised_pnl"] == pytest.approx(30.0 - 3.0)
        assert found["in"]["realised_ret"] == pytest.approx(27.0 / 1000.0)
        assert (found["in"]["position_effect"], found["out"]["position_effect"]) == ("open", "close")
        # A split may still be told with the session's bar; then it is certain.
        assert found["in"]["realised_available_at"] == close(1)
        assert (found["out"]["realised_status"], found["out"]["realised_pnl"]) == ("not_opened", None)

    def test_partial_fills_and_a_cancel(self, scans, grid_of):
        order(scans, "in", at=0, fills=[(4, 100.0, 0.0), (6, 110.0, 0.0)], end="partial_fill")
        order(scans, "out", at=5, side="sell", fills=[(10, 108.0, 0.0)])
        assert realised(scans, grid_of)["in"]["realised_status"] == "open"
        scans.report("o-in", at=minutes(9), status="canceled")
        found = realised(scans, grid_of, settled=False)["in"]
        assert found["realised_pnl"] == pytest.approx(4 * 8.0 - 6 * 2.0)

    def test_a_short_earns_when_the_price_falls(self, scans, grid_of):
        order(scans, "in", at=0, side="sell", direction="SHORT", fills=[(10, 100.0, 0.0)])
        order(scans, "out", at=5, side="buy", fills=[(10, 90.0, 0.0)])
        assert realised(scans, grid_of)["in"]["realised_ret"] == pytest.approx(0.1)

    def test_a_reversal_closes_and_opens(self, scans, grid_of):
        order(scans, "long", at=0, fills=[(10, 100.0, 1.0)])
        order(scans, "turn", at=5, side="sell", direction="SHORT", fills=[(15, 102.0, 3.0)])
        order(scans, "out", at=9, side="buy", direction="FLAT", fills=[(5, 101.0, 0.5)])
        found = realised(scans, grid_of)
        assert [found[name]["position_effect"] for name in ("long", "turn", "out")] == [
            "open",
            "reverse",
            "close",
        ]
        assert found["long"]["realised_pnl"] == pytest.approx(20.0 - 1.0 - 2.0)
        assert found["turn"]["realised_pnl"] == pytest.approx(5.0 - 1.0 - 0.5)

    def test_first_in_first_out(self, scans, grid_of):
        order(scans, "one", at=0, fills=[(10, 100.0, 0.0)])
        order(scans, "two", at=5, fills=[(10, 110.0, 0.0)])
        order(scans, "less", at=9, side="sell", fills=[(10, 120.0, 0.0)])
        found = realised(scans, grid_of)
        assert found["one"]["realised_pnl"] == pytest.approx(200.0)
        assert found["two"]["realised_status"] == "open"
        assert (found["two"]["position_effect"], found["less"]["position_effect"]) == ("add", "reduce")

    def test_a_split_changes_units_and_no_profit(self, scans, grid_of):
        order(scans, "in", at=0, fills=[(10, 100.0, 0.0)])
        scans.bar(2, 50.0, split_factor=2.0)
        order(scans, "out", at=24 * 60, side="sell", fills=[(20, 51.0, 0.0)])
        found = realised(scans, grid_of)["in"]
        assert (found["realised_status"], found["realised_pnl"]) == ("realised", pytest.approx(20.0))

    def test_until_the_session_is_certain_nothing_is_said(self, scans, grid_of):
        order(scans, "in", at=0, fills=[(10, 100.0, 0.0)])
        order(scans, "out", at=5, side="sell", fills=[(10, 103.0, 0.0)])
        assert realised(scans, grid_of, settled=False)["in"]["realised_status"] == "open"

    def test_what_is_filled_after_the_end_moves_no_label(self, scans, grid_of):
        order(scans, "in", at=0, fills=[(10, 100.0, 0.0)])
        order(scans, "out", at=5, side="sell", fills=[(10, 103.0, 0.0)])
        order(scans, "again", at=9, signal="in", fills=[(10, 100.0, 0.0)])
        order(scans, "gone", at=12, side="sell", fills=[(10, 50.0, 0.0)])
        assert realised(scans, grid_of)["in"]["realised_pnl"] == pytest.approx(30.0)

    def test_a_report_that_comes_late_does_not_rewrite_what_was_booked(self, scans, grid_of):
        order(scans, "one", at=1, fills=[(10, 100.0, 0.0)])
        order(scans, "out", at=5, side="sell", fills=[(10, 103.0, 0.0)])
        scans.signal("late", 0, at=minutes(0))
        scans.intent("o-late", "late", at=minutes(0), side="buy")
        first = {"fill_id": "late/1", "ts": minutes(0).isoformat(), "qty": 10.0, "price": 90.0, "fee": 0.0}
        scans.report("o-late", at=minutes(30), fills=[first])
        found = realised(scans, grid_of)
        assert found["one"]["realised_pnl"] == pytest.approx(30.0)
        assert found["late"]["realised_status"] == "open"

    def test_no_fill_no_effect(self, scans, grid_of):
        scans.signal("idle", 0)
        found = realised(scans, grid_of)["idle"]
        assert found.pop("realised_status") == "none"
        assert set(found.values()) == {None}


trades = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.lists(st.integers(1, 5), min_size=1, max_size=3),
        st.integers(90, 110),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=20, deadline=None)
@given(trades)
def test_agrees_with_a_book_of_single_units(new_scans, grid_of, trades):
    scans = new_scans()
    for number, (side, parts, price) in enumerate(trades):
        order(
            scans,
            f"s{number:02d}",
            at=10 * number,
            side=side,
            fills=[(qty, float(price), 0.25 * qty) for qty in parts],
        )
    found = realised(scans, grid_of)
    held, profit, opened, left = [], defaultdict(float), defaultdict(float), defaultdict(int)
    for number, (side, parts, price) in enumerate(trades):
        name, sign = f"s{number:02d}", 1 if side == "buy" else -1
        for _ in range(sum(parts)):
            if held and held[0][1] == -sign:
                owner, was, paid = held.pop(0)
                profit[owner] += was * (price - paid) - 0.5
                left[owner] -= 1
            else:
                held.append((name, sign, price))
                opened[name] += price
                left[name] += 1
    for name, row in found.items():
        if opened[name] and not left[name]:
            assert row["realised_pnl"] == pytest.approx(profit[name], abs=1e-9)
            assert row["realised_ret"] == pytest.approx(profit[name] / opened[name], abs=1e-12)
        else:
            assert row["realised_status"] == ("open" if opened[name] else "not_opened")

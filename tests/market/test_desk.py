import json
import math
from collections import Counter, defaultdict
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.market import (
    FEATURE_NAMES,
    DeskParameters,
    PriceHistory,
    RuleParameters,
    compute_features,
    replay,
    rule_signals,
    simulate_history,
)
from ordinis_learn.market.scribe import Scribe, close_of
from ordinis_learn.records import PAYLOADS, REQUIRED_TAGS, Envelope, Topic

HISTORY = simulate_history(sessions=420, symbols=4, seed=21)
DAYS = HISTORY.sessions.tolist()
EVENTS = list(replay(HISTORY, seed=7))


def of(topic, events=EVENTS):
    return [event for event in events if event["event_type"] == topic]


def payloads(topic, events=EVENTS):
    return [event["payload"] for event in of(topic, events)]


def changed(close, index_close=HISTORY.index_close):
    return PriceHistory(
        sessions=HISTORY.sessions, symbols=HISTORY.symbols, close=close, index_close=index_close
    )


def as_bytes(events):
    return [json.dumps(event).encode() for event in events]


def test_every_event_is_valid():
    for event in EVENTS:
        Envelope.model_validate(event)
        PAYLOADS[Topic(event["event_type"])].model_validate_json(json.dumps(event["payload"]), strict=True)
        assert event["tags"].keys() == REQUIRED_TAGS
        assert event["event_type"] in set(Topic)
    assert len({event["event_id"] for event in EVENTS}) == len(EVENTS)


def test_time_never_goes_back():
    moments = [event["ts_event"] for event in EVENTS]
    assert moments == sorted(moments)
    assert set(moments) == {close_of(day) for day in DAYS}


@given(day=st.dates(date(1990, 1, 1), date(2030, 12, 31)))
def test_the_close_is_four_in_the_afternoon_in_new_york(day):
    moment = Envelope.model_validate(EVENTS[0] | {"ts_event": close_of(day)}).ts_event.astimezone(
        ZoneInfo("America/New_York")
    )
    assert (moment.date(), moment.hour, moment.minute) == (day, 16, 0)


def test_a_seed_is_a_replay():
    assert as_bytes(replay(HISTORY, seed=7)) == as_bytes(EVENTS)


def test_another_seed_shares_no_event_but_all_opinions():
    others = list(replay(HISTORY, seed=8))
    assert not {event["event_id"] for event in others} & {event["event_id"] for event in EVENTS}
    assert [p["confidence"] for p in payloads(Topic.SIGNAL, others)] == [
        p["confidence"] for p in payloads(Topic.SIGNAL)
    ]
    assert payloads(Topic.EXECUTION, others) != payloads(Topic.EXECUTION)


@settings(max_examples=12, deadline=None)
@given(session=st.integers(250, 415), factor=st.floats(0.2, 5.0), seed=st.integers(0, 3))
def test_later_closes_change_no_earlier_event(session, factor, seed):
    close, index_close = HISTORY.close.copy(), HISTORY.index_close.copy()
    close[session + 1 :] *= factor
    index_close[session + 1 :] *= factor
    before = as_bytes(replay(HISTORY, seed=seed, end=DAYS[session]))
    after = as_bytes(replay(changed(close, index_close), seed=seed))
    assert after[: len(before)] == before
    assert factor == 1.0 or after != as_bytes(replay(HISTORY, seed=seed))


@pytest.mark.parametrize("cut", [0, 100, 260, 301, 418])
def test_two_adjoining_replays_are_one(cut):
    first = list(replay(HISTORY, seed=7, end=DAYS[cut]))
    second = list(replay(HISTORY, seed=7, start=DAYS[cut + 1]))
    assert as_bytes(first + second) == as_bytes(EVENTS)


def test_every_symbol_and_the_index_have_a_bar_each_session():
    bars = payloads(Topic.BAR)
    assert len(bars) == len(DAYS) * 5
    closes = {(bar["session"], bar["symbol"]): bar["close"] for bar in bars}
    assert closes[DAYS[17].isoformat(), "SIM02"] == HISTORY.close[17, 2]
    assert closes[DAYS[17].isoformat(), "^SPX"] == HISTORY.index_close[17]
    kinds = {(event["partition_key"] == "^SPX", event["tags"]["instrument_type"]) for event in of(Topic.BAR)}
    assert kinds == {(True, "index"), (False, "equity")}


def test_signals_are_the_rules_own_at_every_fifth_close():
    values = compute_features(HISTORY).values
    direction, confidence = rule_signals(
        values.reshape(-1, len(FEATURE_NAMES)), names=FEATURE_NAMES, parameters=RuleParameters()
    )
    names = {1: "LONG", -1: "SHORT", 0: "FLAT"}
    expected = [
        (close_of(DAYS[session]), name, names[int(direction[session * 4 + n])], confidence[session * 4 + n])
        for session in range(255, len(DAYS), 5)
        for n, name in enumerate(HISTORY.symbols)
    ]
    found = [
        (event["ts_event"], body["symbol"], body["direction"], body["confidence"])
        for event in of(Topic.SIGNAL)
        for body in [event["payload"]]
    ]
    assert found == expected
    first = payloads(Topic.SIGNAL)[0]
    assert first["metadata"]["features"] == dict(zip(FEATURE_NAMES, values[255, 0].tolist(), strict=True))
    assert {signal["horizon"] for signal in payloads(Topic.SIGNAL)} == {"5d"}


def test_each_signal_has_one_risk_decision_that_cites_the_book():
    snapshots = {event["event_id"]: event["ts_event"] for event in of(Topic.PORTFOLIO)}
    decisions = {event["payload"]["signal_id"]: event for event in of(Topic.RISK)}
    signals = {event["payload"]["signal_id"]: event for event in of(Topic.SIGNAL)}
    assert decisions.keys() == signals.keys()
    for signal_id, event in decisions.items():
        assert event["ts_event"] == signals[signal_id]["ts_event"]
        assert snapshots[event["payload"]["risk_snapshot_ref"]] == event["ts_event"]
        assert event["payload"]["allowed"] == (not event["payload"]["reasons"])


def test_only_allowed_signals_become_orders():
    allowed = {body["signal_id"] for body in payloads(Topic.RISK) if body["allowed"]}
    ordered = [body["signal_id"] for body in payloads(Topic.INTENT)]
    assert set(ordered) <= allowed
    assert len(set(ordered)) == len(ordered)


def test_orders_fill_at_the_next_close_with_costs():
    desk = DeskParameters()
    session_of = {close_of(day): position for position, day in enumerate(DAYS)}
    intents = {event["payload"]["order_id"]: event for event in of(Topic.INTENT)}
    filled = defaultdict(float)
    for event in of(Topic.EXECUTION):
        report, intent = event["payload"], intents[event["payload"]["order_id"]]
        session = session_of[event["ts_event"]]
        assert session == session_of[intent["ts_event"]] + 1
        assert event["partition_key"] == intent["payload"]["symbol"]
        for fill in report.get("fills", []):
            close = HISTORY.close[session, HISTORY.symbols.index(event["partition_key"])]
            sign = 1 if intent["payload"]["side"] == "buy" else -1
            assert sign * (fill["price"] / close - 1.0) == pytest.approx(report["slippage"])
            assert desk.slippage_bps / 2 <= report["slippage"] * 1e4 <= desk.slippage_bps * 1.5
            assert fill["fee"] == pytest.approx(fill["qty"] * fill["price"] * desk.fee_bps / 1e4)
            assert fill["ts"] == event["ts_event"]
            assert (report["fees"], report["avg_price"]) == (fill["fee"], fill["price"])
            filled[report["order_id"]] += fill["qty"]
    assert filled.keys() <= intents.keys()
    assert all(quantity == intents[order]["payload"]["qty"] for order, quantity in filled.items())


def test_some_orders_come_in_two_parts_and_some_are_rejected():
    events = list(replay(HISTORY, seed=7, desk=DeskParameters(partial_share=0.5, reject_share=0.2)))
    reports = defaultdict(list)
    for report in payloads(Topic.EXECUTION, events):
        reports[report["order_id"]].append(report["status"])
    kinds = Counter(tuple(statuses) for statuses in reports.values())
    assert kinds.keys() == {("filled",), ("partial_fill", "filled"), ("rejected",)}
    assert all(
        not report.get("fills")
        for report in payloads(Topic.EXECUTION, events)
        if report["status"] == "rejected"
    )


def check_identity(events, *, cash):
    """Rebuild the book from executions alone and compare it with each snapshot."""
    quantity = Counter()
    sides = {body["order_id"]: (body["symbol"], body["side"]) for body in payloads(Topic.INTENT, events)}
    for event in events:
        body = event["payload"]
        if event["event_type"] == Topic.EXECUTION:
            symbol, side = sides[body["order_id"]]
            for fill in body.get("fills", []):
                signed = fill["qty"] if side == "buy" else -fill["qty"]
                quantity[symbol] += signed
                cash -= signed * fill["price"] + fill["fee"]
        elif event["event_type"] == Topic.PORTFOLIO:
            held = {position["symbol"]: position for position in body["positions"]}
            values = [position["qty"] * position["price"] for position in body["positions"]]
            assert body["equity"] == math.fsum([body["cash"], *values])
            assert {symbol: position["qty"] for symbol, position in held.items()} == {
                symbol: units for symbol, units in quantity.items() if units
            }
            assert body["cash"] == pytest.approx(cash, rel=1e-9)
            yield event["ts_event"], body


def test_equity_is_cash_plus_positions_at_the_close_exactly():
    session_of = {close_of(day): position for position, day in enumerate(DAYS)}
    snapshots = list(check_identity(EVENTS, cash=1_000_000.0))
    assert len(snapshots) == len(DAYS)
    assert any(body["positions"] for _, body in snapshots)
    for moment, body in snapshots:
        closes = dict(zip(HISTORY.symbols, HISTORY.close[session_of[moment]], strict=True))
        assert all(position["price"] == closes[position["symbol"]] for position in body["positions"])
    equity = [body["equity"] for _, body in snapshots]
    assert [body["pnl"]["session"] for _, body in snapshots[1:]] == list(np.diff(equity))
    assert snapshots[-1][1]["pnl"]["total"] == equity[-1] - 1_000_000.0


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 99),
    cadence=st.integers(1, 7),
    full_weight=st.floats(0.0, 1.0),
    reject=st.floats(0.0, 0.5),
    cash=st.floats(1e3, 1e9),
)
def test_the_identity_holds_however_the_desk_trades(seed, cadence, full_weight, reject, cash):
    desk = DeskParameters(
        initial_cash=cash,
        cadence_sessions=cadence,
        full_weight=full_weight,
        reject_share=reject,
        partial_share=0.4,
    )
    assert len(list(check_identity(list(replay(HISTORY, seed=seed, desk=desk)), cash=cash))) == len(DAYS)


def reasons(**parameters):
    events = replay(HISTORY, seed=7, desk=DeskParameters(**parameters))
    return {reason for body in payloads(Topic.RISK, events) for reason in body["reasons"]}


def test_each_limit_denies_under_its_own_reason():
    assert reasons(volatility_limit=0.01) == {"RISK.VOLATILITY.SYMBOL_LIMIT"}
    assert reasons(symbol_cap=0.001, full_weight=0.05, volatility_limit=9.0) == {"RISK.EXPOSURE.SYMBOL_CAP"}
    wild = {"full_weight": 1.0, "symbol_cap": 1.0, "volatility_limit": 9.0, "drawdown_limit": 0.01}
    assert "RISK.DRAWDOWN.MAX_DRAWDOWN_BREACH" in reasons(**wild)


def test_wishes_over_the_cap_are_cut_to_it():
    events = replay(HISTORY, seed=7, desk=DeskParameters(symbol_cap=0.02))
    cuts = [body["adjustments"] for body in payloads(Topic.RISK, events) if body["adjustments"]]
    assert cuts
    assert {abs(cut["target_weight"]) for cut in cuts} == {0.02}


def test_going_flat_is_always_allowed():
    flat = {body["signal_id"] for body in payloads(Topic.SIGNAL) if body["direction"] == "FLAT"}
    events = list(replay(HISTORY, seed=7, desk=DeskParameters(volatility_limit=0.01, drawdown_limit=0.0)))
    assert flat
    assert {body["signal_id"] for body in payloads(Topic.RISK, events) if body["allowed"]} == flat


def test_a_missing_close_gives_no_bar_no_signal_and_no_fill():
    close = HISTORY.close.copy()
    decision = 300
    close[decision + 1, :] = np.nan
    events = list(replay(changed(close), seed=7))
    moment = close_of(DAYS[decision + 1])
    ordered = [event for event in of(Topic.INTENT, events) if event["ts_event"] == close_of(DAYS[decision])]
    here = [event for event in events if event["ts_event"] == moment]
    assert ordered
    assert [event["partition_key"] for event in of(Topic.BAR, here)] == ["^SPX"]
    assert {body["status"] for body in payloads(Topic.EXECUTION, here)} == {"canceled"}
    assert len(of(Topic.EXECUTION, here)) == len(ordered)
    later = [event for event in of(Topic.SIGNAL, events) if event["ts_event"] > moment]
    assert later == []
    assert len(list(check_identity(events, cash=1_000_000.0))) == len(DAYS)


def test_chances_depend_on_seed_and_key_alone():
    one = Scribe(1)
    drawn = one.chances("a")
    one.chances("b")
    assert one.chances("a") == Scribe(1).chances("a") == drawn
    assert Scribe(2).chances("a") != drawn
    assert all(0.0 <= chance < 1.0 for chance in drawn)


@pytest.mark.parametrize(
    "change", [{"initial_cash": 0.0}, {"cadence_sessions": 0}, {"symbol_cap": 2.0}, {"colour": 1}]
)
def test_impossible_desks_are_refused(change):
    with pytest.raises(ValueError, match="validation error"):
        DeskParameters(**change)

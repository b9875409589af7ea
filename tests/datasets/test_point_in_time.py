"""Every label of a dataset at once: missing until it is available, and the same for ever after.

Markets of Hypothesis' choosing, over the days around Thanksgiving 2019 (a holiday, a half day, a weekend): halts,
delistings, splits and dividends, bars told late, twice, changed, before their session or on no session at all;
orders that are filled in parts, reported late, cancelled, that reduce and reverse.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.records import BarrierRule, DatasetWindow, Envelope, Topic
from ordinis_learn.testing import InMemoryEventLog

START = datetime(2019, 11, 18, tzinfo=UTC)
DAYS = 22
WINDOW = DatasetWindow(
    start=date(2019, 11, 15),
    end=date(2019, 12, 13),
    horizons=(1, 3),
    volatility_span=4,
    barriers=BarrierRule(sessions=3),
)
TAGS = {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"}
GROUPS = {
    "label_available_at_1d": ("fwd_ret_1d", "signed_ret_1d", "risk_adj_ret_1d", "net_ret_1d", "label_end_1d"),
    "label_available_at_3d": (
        "fwd_ret_3d",
        "signed_ret_3d",
        "risk_adj_ret_3d",
        "net_ret_3d",
        "label_start_3d",
    ),
    "tb_available_at": ("tb_label", "meta_label", "tb_ret", "tb_sessions", "tb_end"),
    "realised_available_at": ("realised_pnl", "realised_ret"),
}
ALWAYS = ("symbol", "session", "direction", "volatility", "f_x")
FINAL = {"no_entry_bar", "no_exit_bar"}

symbols = st.sampled_from(["A", "B"])
hours = st.one_of(st.integers(0, DAYS * 24), st.integers(0, DAYS - 1).map(lambda day: 24 * day + 21))
"""Often the close itself, at which some bars of the session are told and some are not."""
price = st.floats(50.0, 150.0)
odd_bars = st.lists(
    st.tuples(
        symbols,
        st.integers(0, DAYS - 1),
        hours,
        price,
        st.sampled_from([None, 0.5, 2.0]),
        st.sampled_from([None, 1.5]),
    ),
    max_size=10,
)
lost_bars = st.sets(st.tuples(symbols, st.integers(0, DAYS - 1)), max_size=8)
fills = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0, 5, 30, 55, 60])), max_size=3)
orders = st.lists(
    st.tuples(
        symbols,
        hours,
        st.sampled_from(["LONG", "SHORT", "FLAT"]),
        st.sampled_from(["buy", "sell", None]),
        fills,
        st.booleans(),
    ),
    min_size=4,
    max_size=12,
)
cuts = st.one_of(hours, st.tuples(st.integers(0, 11), st.one_of(st.just(0), st.integers(0, 72))))
"""When the world is cut in two: any hour, or so many after one of the signals, where leaks show: its own session's bar
is told by then or not, its first fills are reported or not."""
markets = st.fixed_dictionaries(
    {"odd": odd_bars, "lost": lost_bars, "orders": orders, "seed": st.integers(0, 9)}
)


def event(topic, payload, *, name, at, symbol):
    return Envelope(
        event_id=name, event_type=topic, ts_event=at, ts_ingest=at, source="test", correlation_id="c",
        partition_key=symbol, payload=payload, tags=TAGS,
    )  # fmt: skip


def bar(symbol, day, close, *, name, at, **more):
    session = (START.date() + timedelta(days=day)).isoformat()
    payload = {"symbol": symbol, "tf": "1d", "ts": at.isoformat(), "session": session, "close": close}
    told = {key: value for key, value in more.items() if value is not None}
    return event(Topic.BAR, payload | told, name=name, at=at, symbol=symbol)


def market(*, odd, lost, orders, seed, tag=""):
    """Return the events of a market."""
    events = []
    for symbol, day in product("AB", range(DAYS)):
        if (symbol, day) not in lost:
            close = 100.0 + (7 * day + 13 * seed + ord(symbol)) % 11
            extremes = {"high": close + 2, "low": close - 3} if symbol == "A" else {}
            at = START + timedelta(days=day, hours=21, minutes=seed if symbol == "B" else 0)
            events.append(bar(symbol, day, close, name=f"{tag}bar-{symbol}-{day}", at=at, **extremes))
    for number, (symbol, day, hour, close, split, dividend) in enumerate(odd):
        at = START + timedelta(hours=hour, minutes=1)
        events.append(
            bar(symbol, day, close, name=f"{tag}odd-{number}", at=at, split_factor=split, dividend=dividend)
        )
    for number, placed in enumerate(orders):
        events += trade(f"{tag}{number:02d}", *placed)
    return events


def trade(name, symbol, hour, direction, side, parts, ends):
    """Return a signal and, where a side is given, an order for it with its reports."""
    at = START + timedelta(hours=hour)
    said = {"signal_id": name, "symbol": symbol, "direction": direction, "confidence": 0.5, "horizon": "3d"}
    said |= {
        "model_id": "m",
        "strategy_id": "s",
        "feature_version": "v",
        "metadata": {"features": {"x": float(hour)}},
    }
    events = [event(Topic.SIGNAL, said, name=f"sig-{name}", at=at, symbol=symbol)]
    if side is None:
        return events
    order = {"order_id": f"o-{name}", "signal_id": name, "symbol": symbol, "side": side, "qty": 9.0}
    events.append(event(Topic.INTENT, order, name=f"int-{name}", at=at, symbol=symbol))
    for number, (qty, late) in enumerate(parts):
        filled = at + timedelta(hours=1 + 9 * number)
        one = {
            "fill_id": f"{name}/{number}",
            "ts": filled.isoformat(),
            "qty": float(qty),
            "price": 100.0 + late % 7,
            "fee": 0.1,
        }
        status = "filled" if ends and number == len(parts) - 1 else "partial_fill"
        report = {"order_id": f"o-{name}", "status": status, "fills": [one], "fees": 0.1}
        told = filled + timedelta(hours=late)
        events.append(event(Topic.EXECUTION, report, name=f"rep-{name}-{number}", at=told, symbol=symbol))
    return events


def rows_of(events, *, until=None, window=WINDOW):
    log = InMemoryEventLog(clock=lambda: START)
    log.append([one for one in events if until is None or one.ts_event <= until])
    return {row["signal_id"]: row for row in assemble(log, window=window).table.to_pylist()}


def known_by(moment, rows):
    """Return what every row made by a moment says that was available by then."""
    known = {}
    for name, row in rows.items():
        if row["ts_signal"] > moment:
            continue
        known[name] = [row.get(column) for column in ALWAYS]
        for available, columns in GROUPS.items():
            if row[available] is not None and row[available] <= moment:
                known[name, available] = [row[available], *(row[column] for column in columns)]
    return known


def moment_of(cut, orders):
    if isinstance(cut, tuple):
        order, later = cut
        return START + timedelta(hours=orders[order % len(orders)][1] + later)
    return START + timedelta(hours=cut)


@settings(max_examples=25, deadline=None)
@given(market_a=markets, market_b=markets, cut=cuts)
def test_the_future_changes_nothing_that_was_known(market_a, market_b, cut):
    moment = moment_of(cut, market_a["orders"])
    another = (
        market_a["seed"] + 1 + market_b["seed"] % 9
    ) % 10  # other prices, or no leak of a price would show
    one, other = market(**market_a), market(**(market_b | {"seed": another}), tag="x")
    spliced = [e for e in one if e.ts_event <= moment] + [e for e in other if e.ts_event > moment]
    assert known_by(moment, rows_of(one)) == known_by(moment, rows_of(spliced))


@settings(max_examples=25, deadline=None)
@given(market=markets, cut=cuts)
def test_a_label_is_missing_until_it_is_available_and_then_it_stays(market, cut):
    moment = moment_of(cut, market["orders"])
    events = globals()["market"](**market)
    later, then = rows_of(events), rows_of(events, until=moment)
    assert then == rows_of(events, window=WINDOW.model_copy(update={"as_of": moment}))
    assert known_by(moment, then) == known_by(moment, later)
    for name, row in then.items():
        for available, columns in GROUPS.items():
            if row[available] is None:
                assert {row[column] for column in columns if not column.startswith("label_")} == {None}
                assert later[name][available] is None or later[name][available] > moment
            else:
                assert row["ts_signal"] < row[available] <= moment
        for status in ("label_status_1d", "label_status_3d", "tb_status"):
            if row[status] in FINAL:
                assert later[name][status] == row[status]
        # The entry is the next session's: the signal's own close can no longer be traded at.
        assert row["label_start_1d"] is None or row["label_start_1d"] > row["session"]
        if row["position_effect"] is not None:
            assert later[name]["position_effect"] == row["position_effect"]


def test_what_hypothesis_is_given_has_every_kind_of_label():
    """The properties above would hold for markets without labels; these have them."""
    parts = [(2, 0), (2, 5)]
    orders = [
        ("A", 21, "LONG", "buy", parts, True),
        ("A", 47, "SHORT", "sell", [(7, 0)], True),
        ("A", 95, "LONG", "buy", [(3, 1)], True),
        ("B", 24 * 6, "LONG", "buy", parts, False),
        ("B", 24 * 8, "FLAT", None, [], False),
    ]
    rows = rows_of(
        market(odd=[("A", 2, 2 * 24 + 15, 51.0, 2.0, None)], lost={("B", 9)}, orders=orders, seed=1)
    )
    assert {row["realised_status"] for row in rows.values()} == {"realised", "open", "not_opened", "none"}
    assert {"open", "reverse"} <= {row["position_effect"] for row in rows.values()}
    assert {row["tb_label"] for row in rows.values()} > {None}
    assert any(row["net_ret_3d"] is not None for row in rows.values())


def test_bars_off_the_calendar_are_counted_and_left_out():
    log = InMemoryEventLog(clock=lambda: START)
    log.append(market(odd=[], lost=set(), orders=[], seed=0))
    weekends_and_thanksgiving = {5, 6, 10, 12, 13, 19, 20}
    assert assemble(log, window=WINDOW).event_range.bars_off_calendar == 2 * len(weekends_and_thanksgiving)


@pytest.mark.parametrize(
    ("hour", "session", "entry"),
    [
        (9 * 24 + 23, date(2019, 11, 27), date(2019, 11, 29)),  # the evening before Thanksgiving
        (10 * 24 + 22, date(2019, 11, 27), date(2019, 11, 29)),  # Thanksgiving is no session
        (11 * 24 + 17, date(2019, 11, 27), date(2019, 11, 29)),  # before the early close, at 18:00 UTC
        (11 * 24 + 19, date(2019, 11, 29), date(2019, 12, 2)),  # after it, though bars come at 21:00
        (12 * 24 + 12, date(2019, 11, 29), date(2019, 12, 2)),  # Saturday
    ],
)
def test_sessions_are_the_exchange_s(hour, session, entry):
    [row] = rows_of(
        market(odd=[], lost=set(), orders=[("A", hour, "LONG", None, [], False)], seed=0)
    ).values()
    assert row["session"] == session
    assert row["label_start_1d"] == entry

"""Labels against a hand count, an independent oracle, and the rule that the future changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import product

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import ConfigInvalid, DataCorrupt
from ordinis_learn.labelling import label_signals
from ordinis_learn.testing import daily_calendar

MIDNIGHT = datetime(2001, 1, 1, tzinfo=UTC)
CALENDAR = daily_calendar(date(2000, 12, 1), days=430)
PRICES = [100.0, 101.0, 104.0, 102.0, 110.0, 99.0]


def label_of(table, signal_id, *, horizon):
    row = next(row for row in table.to_pylist() if row["signal_id"] == signal_id)
    return {name.removesuffix(f"_{horizon}d"): row[name] for name in row if name.endswith(f"_{horizon}d")}


def ipc_bytes(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def test_entry_is_the_close_after_the_signal_s_session(scans, close):
    for day, price in enumerate(PRICES):
        scans.bar(day, price)
    scans.signal("short", 1, direction="SHORT")
    table = label_signals(
        scans.table("signals"), scans.table("bars"), horizons=(2,), calendar=CALENDAR, span=2
    )
    label = label_of(table, "short", horizon=2)
    expected = PRICES[4] / PRICES[2] - 1
    assert label["fwd_ret"] == expected
    assert label["signed_ret"] == -expected
    # One return was known at the signal, so it alone is the volatility.
    assert label["risk_adj_ret"] == pytest.approx(-expected / (np.log(101 / 100) * 2**0.5))
    assert (label["label_start"], label["label_end"]) == (date(2001, 1, 3), date(2001, 1, 5))
    assert label["label_available_at"] == close(4)
    assert label["exit_value"] == PRICES[4]
    assert label["label_status"] == "labelled"


def test_signals_between_closes_belong_to_the_session_before(scans, close):
    for day, price in enumerate(PRICES):
        scans.bar(day, price)
    scans.signal("early", 0, at=close(0) - timedelta(microseconds=1))
    scans.signal("evening", 1, at=close(1) + timedelta(hours=20))
    table = label_signals(scans.table("signals"), scans.table("bars"), horizons=(1,), calendar=CALENDAR)
    by_id = {row["signal_id"]: row for row in table.to_pylist()}
    assert by_id["early"]["session"] == date(2000, 12, 31)
    assert by_id["early"]["fwd_ret_1d"] == PRICES[1] / PRICES[0] - 1
    assert by_id["evening"]["session"] == date(2001, 1, 2)


def test_a_session_of_a_symbol_ends_with_its_own_bar(scans, close):
    """An early close that no calendar knew: the signal after it must not be entered at it."""
    for day, price in enumerate(PRICES):
        scans.bar(day, price, at=close(day) - timedelta(hours=3) if day == 2 else None)
        scans.bar(day, price, symbol="OTHER")
    for symbol in ("X", "OTHER"):
        scans.signal(symbol, 2, symbol=symbol, at=close(2) - timedelta(hours=2))
    table = label_signals(scans.table("signals"), scans.table("bars"), horizons=(1,), calendar=CALENDAR)
    assert label_of(table, "X", horizon=1)["label_start"] == date(2001, 1, 4)
    assert label_of(table, "OTHER", horizon=1)["label_start"] == date(2001, 1, 3)


@pytest.mark.parametrize("gone", [2, 4], ids=["entry", "exit"])
def test_a_missing_bar_is_a_missing_label(scans, gone):
    for day, price in enumerate(PRICES):
        scans.bar(day, 7.0, symbol="OTHER")
        if day != gone:
            scans.bar(day, price)
    scans.signal("a", 1)
    label = label_of(
        label_signals(scans.table("signals"), scans.table("bars"), horizons=(2,), calendar=CALENDAR),
        "a",
        horizon=2,
    )
    assert label.pop("label_status") == {2: "no_entry_bar", 4: "no_exit_bar"}[gone]
    assert set(label.values()) == {None}


def test_history_that_ends_gives_no_label(scans):
    for day, price in enumerate(PRICES):
        scans.bar(day, price)
    scans.signal("a", 3)
    table = label_signals(scans.table("signals"), scans.table("bars"), horizons=(1, 2), calendar=CALENDAR)
    assert label_of(table, "a", horizon=1)["fwd_ret"] == PRICES[5] / PRICES[4] - 1
    assert label_of(table, "a", horizon=2)["fwd_ret"] is None


def test_the_first_bar_counts_and_other_frames_do_not(scans, close):
    for day, price in enumerate(PRICES):
        scans.bar(day, price)
    scans.bar(2, 999.0, at=close(2) + timedelta(minutes=1))
    scans.bar(2, 555.0, at=close(2) - timedelta(hours=3), tf="1h")
    scans.bar(1, 555.0, symbol="STRAGGLER", at=close(4))
    scans.signal("a", 1)
    label = label_of(
        label_signals(scans.table("signals"), scans.table("bars"), horizons=(1,), calendar=CALENDAR),
        "a",
        horizon=1,
    )
    assert label["fwd_ret"] == PRICES[3] / PRICES[2] - 1


def test_a_bar_that_was_told_too_late_does_not_count(scans, close):
    """It does not stretch the horizon either: the label that needs it is missing for good."""
    for day in (0, 1, 2, 4, 5):
        scans.bar(day, PRICES[day])
    scans.bar(3, PRICES[3], at=close(4) + timedelta(microseconds=1))
    scans.signal("a", 1)
    table = label_signals(scans.table("signals"), scans.table("bars"), horizons=(1, 2), calendar=CALENDAR)
    assert label_of(table, "a", horizon=1)["label_status"] == "no_exit_bar"
    assert label_of(table, "a", horizon=2)["label_end"] == date(2001, 1, 5)


def test_a_label_is_available_when_its_last_bar_is(scans, close):
    for day, price in enumerate(PRICES):
        scans.bar(day, price, at=close(3) + timedelta(hours=23) if day == 3 else None)
    scans.signal("a", 1)
    label = label_of(
        label_signals(scans.table("signals"), scans.table("bars"), horizons=(1,), calendar=CALENDAR),
        "a",
        horizon=1,
    )
    assert label["fwd_ret"] == PRICES[3] / PRICES[2] - 1
    assert label["label_available_at"] == close(3) + timedelta(hours=23)


def test_splits_and_dividends_between_entry_and_exit_are_followed(scans):
    """What was told of the entry's own session, or after the exit, has no part."""
    told = [{}, {"split_factor": 3.0}, {"split_factor": 2.0}, {"dividend": 0.5}, {"split_factor": 4.0}]
    for day, (price, more) in enumerate(zip([100.0, 40.0, 21.0, 20.0, 6.0], told, strict=True)):
        scans.bar(day, price, **more)
    scans.signal("a", 0)
    table = label_signals(scans.table("signals"), scans.table("bars"), horizons=(1, 2, 3), calendar=CALENDAR)
    found = [label_of(table, "a", horizon=horizon)["fwd_ret"] for horizon in (1, 2, 3)]
    # One share at 40 is two at 21, then two at 20 with 0.5 each reinvested at 20, then eight at 6 with it.
    assert found == pytest.approx([2 * 21 / 40 - 1, 2 * 20.5 / 40 - 1, 8 * 6 * (20.5 / 20) / 40 - 1])


def test_why_a_label_is_missing(scans, close):
    """Halted symbols, delisted ones and lost days; and nothing is called lost before the next close."""
    for day in range(8):
        scans.bar(day, 7.0, symbol="TAPE")
        if day not in {2, 5}:
            scans.bar(day, 100.0 + day, symbol="HALTED")
        if day < 4:
            scans.bar(day, 100.0 + day, symbol="DELISTED")
    for symbol in ("HALTED", "DELISTED"):
        for day in range(7):
            scans.signal(f"{symbol}{day}", day, symbol=symbol)

    def statuses(symbol, as_of=None):
        table = label_signals(
            scans.table("signals"), scans.table("bars"), horizons=(1,), calendar=CALENDAR, as_of=as_of
        )
        found = {row["signal_id"]: row["label_status_1d"] for row in table.to_pylist()}
        return [found.get(f"{symbol}{day}") for day in range(7)]

    entry, leave, there, wait = "no_entry_bar", "no_exit_bar", "labelled", "pending"
    assert statuses("HALTED") == [leave, entry, there, leave, entry, there, wait]
    assert statuses("DELISTED") == [there, there, leave, entry, entry, entry, wait]
    assert statuses("DELISTED", as_of=close(4)) == [there, there, wait, wait, wait, None, None]
    assert statuses("DELISTED", as_of=close(5)) == [there, there, leave, entry, wait, wait, None]


def test_flat_signals_keep_what_would_have_happened(scans):
    for day, price in enumerate(PRICES):
        scans.bar(day, price)
    scans.signal("flat", 0, direction="FLAT")
    label = label_of(
        label_signals(scans.table("signals"), scans.table("bars"), horizons=(1,), calendar=CALENDAR),
        "flat",
        horizon=1,
    )
    assert label["fwd_ret"] == PRICES[2] / PRICES[1] - 1
    assert label["signed_ret"] == 0.0
    assert label["risk_adj_ret"] is None


@pytest.mark.parametrize("horizons", [(), (0,), (1, 1)])
def test_horizons_must_make_sense(scans, horizons):
    with pytest.raises(ConfigInvalid) as caught:
        label_signals(scans.table("signals"), scans.table("bars"), horizons=horizons, calendar=CALENDAR)
    assert caught.value.code == "E_CFG_INVALID"


def test_a_payload_that_is_not_json_any_more_is_corrupt(scans):
    scans.bar(0, 1.0)
    bars = scans.table("bars")
    broken = bars.set_column(bars.column_names.index("payload"), "payload", pa.array(['{"symbol": "X']))
    with pytest.raises(DataCorrupt) as caught:
        label_signals(scans.table("signals"), broken, horizons=(1,), calendar=CALENDAR)
    assert caught.value.code == "E_LEARN_DATA_CORRUPT"


def random_market(new_scans, *, seed, symbols=5, days=60, signals=200, missing=0.1):
    rng = np.random.default_rng(seed)
    scans = new_scans()
    for symbol in range(symbols):
        price = 50.0 * np.exp(np.cumsum(rng.normal(0, 0.02, days)))
        for day in range(days):
            if rng.random() >= missing:
                scans.bar(day, float(price[day]), symbol=f"S{symbol}")
    for number in range(signals):
        scans.signal(
            f"s{number:04d}",
            int(rng.integers(days)),
            symbol=f"S{rng.integers(symbols)}",
            direction=["LONG", "SHORT", "FLAT"][rng.integers(3)],
        )
    return scans


def oracle(signals, bars, *, horizon):
    """The same labels from Polars, by shifting rows of a (symbol, day) grid."""
    bar = pl.DataFrame([json.loads(text) for text in bars["payload"].to_pylist()]).with_columns(
        pl.col("session").str.to_date(), closed_at=pl.from_arrow(bars["ts_event"].combine_chunks())
    )
    days = pl.DataFrame({"session": [date(2001, 1, 1) + timedelta(days=day) for day in range(60)]})
    logs = pl.col("close").log()
    seen = pl.when(pl.col("close").is_not_null()).then(pl.int_range(pl.len()))
    grid = (
        bar.select("symbol")
        .unique()
        .join(days, how="cross")
        .join(bar.select("symbol", "session", "close", "closed_at"), on=["symbol", "session"], how="left")
        .sort("symbol", "session")
        .with_columns(
            entry=pl.col("close").shift(-1).over("symbol"),
            leave=pl.col("close").shift(-1 - horizon).over("symbol"),
            available=pl.col("closed_at").shift(-1 - horizon).over("symbol"),
            moved=(logs - logs.forward_fill().shift(1)).over("symbol"),
            gap=(seen - seen.forward_fill().shift(1)).over("symbol"),
        )
        .with_columns(squared=pl.col("moved") ** 2 / pl.col("gap"))
        .with_columns(
            vol=pl.col("squared")
            .ewm_mean(span=32, min_samples=16, ignore_nulls=False)
            .sqrt()
            .forward_fill()
            .over("symbol")
        )
    )
    made = [json.loads(text) for text in signals["payload"].to_pylist()]
    signal = pl.DataFrame(
        {
            "signal_id": [one["signal_id"] for one in made],
            "symbol": [one["symbol"] for one in made],
            "sign": [{"LONG": 1, "SHORT": -1, "FLAT": 0}[one["direction"]] for one in made],
            "session": [moment.date() for moment in signals["ts_event"].to_pylist()],
        }
    )
    return (
        signal.join(grid, on=["symbol", "session"], how="left")
        .with_columns(fwd_ret=pl.col("leave") / pl.col("entry") - 1)
        .with_columns(signed_ret=pl.col("sign") * pl.col("fwd_ret"))
        .with_columns(risk_adj_ret=pl.col("signed_ret") / (pl.col("vol") * horizon**0.5))
        .with_columns(available=pl.when(pl.col("fwd_ret").is_not_null()).then("available"))
        .sort("session", "symbol", "signal_id")
    )


@pytest.mark.parametrize("seed", range(3))
def test_labels_agree_with_polars(new_scans, seed):
    scans = random_market(new_scans, seed=seed)
    signals, bars = scans.table("signals"), scans.table("bars")
    ours = label_signals(signals, bars, horizons=(1, 5, 20), calendar=CALENDAR)
    for horizon in (1, 5, 20):
        expected = oracle(signals, bars, horizon=horizon)
        assert ours["signal_id"].to_pylist() == expected["signal_id"].to_list()
        for name in ("fwd_ret", "signed_ret", "risk_adj_ret"):
            found = np.array(ours[f"{name}_{horizon}d"].to_pylist(), dtype=float)
            np.testing.assert_allclose(found, np.array(expected[name].to_list(), dtype=float), rtol=1e-11)
        assert ours[f"label_available_at_{horizon}d"].to_pylist() == expected["available"].to_list()
    assert 0 < ours["fwd_ret_20d"].null_count < ours["risk_adj_ret_20d"].null_count < len(ours)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_no_byte(new_scans, seed):
    scans = random_market(new_scans, seed=9, symbols=5, days=30, signals=400)
    signals, bars = scans.table("signals"), scans.table("bars")
    rng = np.random.default_rng(seed)
    mixed = [table.take(rng.permutation(len(table))) for table in (signals, bars)]
    found = [
        label_signals(*pair, horizons=(1, 5), calendar=CALENDAR).drop_columns("signal_row")
        for pair in ((signals, bars), mixed)
    ]
    assert ipc_bytes(found[0]) == ipc_bytes(found[1])


edits = st.lists(
    st.tuples(
        st.integers(0, 11),  # session of the bar, in days
        st.sampled_from(["A", "B"]),
        st.floats(1.0, 1000.0),
        st.integers(0, 14 * 24),  # hours after the first day at which it is told
    ),
    max_size=12,
)
gaps = st.sets(st.tuples(st.sampled_from(["A", "B"]), st.integers(0, 11)), max_size=8)


def twelve_days(new_scans, close, *, gaps, late, changed_after=None, dropped=frozenset()):
    """Two symbols over twelve days; after ``changed_after`` bars are repriced, dropped or told at odd times."""
    scans = new_scans()
    for day, symbol in product(range(12), "AB"):
        is_changed = changed_after is not None and close(day) > changed_after
        if (symbol, day) not in gaps and not (is_changed and (symbol, day) in dropped):
            price = 100.0 + 3 * day + 50 * is_changed
            scans.bar(day, price, symbol=symbol, event_id=f"bar-{symbol}-{day:02d}")
    for number, (day, symbol, price, hours) in enumerate(late):
        at = MIDNIGHT + timedelta(hours=hours)
        price_told = price + 7 if changed_after is not None and at > changed_after else price
        scans.bar(day, price_told, symbol=symbol, at=at, event_id=f"late-{number:02d}")
    for day in range(10):
        scans.signal(f"a{day}", day, symbol="A")
        scans.signal(f"b{day}", day, symbol="B", direction="SHORT")
    return scans


def labels_known_by(moment, scans):
    table = label_signals(scans.table("signals"), scans.table("bars"), horizons=(1, 3), calendar=CALENDAR)
    names = ("fwd_ret", "signed_ret", "risk_adj_ret", "label_start", "label_end", "exit_value")
    known = {}
    for row, horizon in product(table.to_pylist(), (1, 3)):
        available = row[f"label_available_at_{horizon}d"]
        if available is not None and available <= moment:
            assert row["ts_signal"] < available
            known[row["signal_id"], horizon] = [row[f"{name}_{horizon}d"] for name in names]
    return known


@settings(max_examples=30, deadline=None)
@given(gaps=gaps, before=edits, after=edits, cut_hours=st.integers(20, 12 * 24), dropped=gaps)
def test_no_look_ahead(new_scans, close, gaps, before, after, cut_hours, dropped):
    """Whatever happens to bars after t, labels that were available by t stay as they were."""
    cut = MIDNIGHT + timedelta(hours=cut_hours)
    told = [edit for edit in before if MIDNIGHT + timedelta(hours=edit[3]) <= cut]
    untold = [edit for edit in after if MIDNIGHT + timedelta(hours=edit[3]) > cut]
    one = twelve_days(new_scans, close, gaps=gaps, late=told)
    other = twelve_days(new_scans, close, gaps=gaps, late=told + untold, changed_after=cut, dropped=dropped)
    assert labels_known_by(cut, one) == labels_known_by(cut, other)


@settings(max_examples=15, deadline=None)
@given(late=edits, cut_hours=st.integers(0, 13 * 24))
def test_as_of_is_a_log_that_ends_there(new_scans, late, cut_hours):
    cut = MIDNIGHT + timedelta(hours=cut_hours)
    scans = random_market(new_scans, seed=1, symbols=2, days=12, signals=20)
    for number, (day, symbol, price, hours) in enumerate(late):
        at = MIDNIGHT + timedelta(hours=hours)
        scans.bar(day, price, symbol=f"S{'AB'.index(symbol)}", at=at, event_id=f"late-{number:02d}")
    signals, bars = scans.table("signals"), scans.table("bars")
    whole = label_signals(signals, bars, horizons=(1, 4), calendar=CALENDAR, as_of=cut)
    ended = [
        table.filter(pa.compute.less_equal(table["ts_event"], pa.scalar(cut))) for table in (signals, bars)
    ]
    assert whole.equals(label_signals(*ended, horizons=(1, 4), calendar=CALENDAR))
    for moment in whole["label_available_at_1d"].drop_null().to_pylist():
        assert moment <= cut

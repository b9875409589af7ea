"""Models that look back over sessions: asked event by event as they were trained on a dataset's rows."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.datasets.history import with_history
from ordinis_learn.labelling.calendar import load_calendar
from ordinis_learn.market.lags import lagged_names
from ordinis_learn.shadow.feed import FeatureFeed
from ordinis_learn.shadow.first_told import FirstTold
from ordinis_learn.shadow.parity import live_parity
from ordinis_learn.testing import InProcessModel, StagedModel
from ordinis_learn.testing.staged_model import STAGED_LOADER, load_staged

CALENDAR = load_calendar("XNYS", start=date(2023, 12, 1), end=date(2024, 3, 28))
CLOSES = [datetime.fromtimestamp(moment / 1e6, tz=UTC) for moment in CALENDAR.closes.tolist()]
DAYS = [date(1970, 1, 1) + timedelta(days=day) for day in CALENDAR.day.tolist()]
STAGED = {"loader": STAGED_LOADER}


def feed_of(desk):
    return FeatureFeed(desk.log, source="features", calendar="XNYS")


def lagged(desk, columns):
    rows = feed_of(desk).read(after=0, until=desk.log.position(), names=list(columns))
    return dict(zip(rows.event_id, rows.values.tolist(), strict=True))


def bar(kit, session, symbol, *, at):
    return kit.event(0, symbol, key=f"-bar-{session}") | {
        "event_type": "ordinis.market.bar.closed",
        "ts_event": at.isoformat(),
        "ts_ingest": at.isoformat(),
        "payload": {
            "symbol": symbol,
            "tf": "1d",
            "ts": at.isoformat(),
            "session": DAYS[session].isoformat(),
            "close": 100.0,
        },
    }


def test_a_lag_is_the_value_of_exactly_that_session_by_the_exchange_s_calendar(desk, kit):
    """Around Christmas: the 25th is no session, and a session without an event is missing, not skipped."""
    sessions = [n for n, day in enumerate(DAYS) if date(2023, 12, 20) <= day <= date(2023, 12, 29)]
    left_out = DAYS.index(date(2023, 12, 27))
    desk.record(
        [kit.event(n, "AAA", value=float(n), at=CLOSES[n]) for n in sessions if n != left_out]
        + [kit.event(n, "BBB", value=100.0 + n, at=CLOSES[n]) for n in sessions]
    )
    values = lagged(desk, ("ret_20@1", "ret_20@2", "ret_20"))
    at = DAYS.index(date(2023, 12, 26))
    assert values[f"feature-{at}-AAA"] == [
        at - 1.0,
        at - 2.0,
        at,
    ]  # the 22nd and the 21st: across the holiday
    assert np.isnan(values[f"feature-{left_out + 1}-AAA"][0])
    assert values[f"feature-{left_out + 1}-AAA"][1] == left_out - 1.0
    assert values[f"feature-{left_out + 1}-BBB"] == [100.0 + left_out, 99.0 + left_out, 101.0 + left_out]
    assert np.isnan(values[f"feature-{sessions[0]}-BBB"][:2]).all()


def test_an_event_sees_only_what_the_log_held_when_it_came(desk, kit):
    desk.record([kit.event(n, value=float(n), at=CLOSES[n]) for n in (5, 7)])
    before = lagged(desk, ("ret_20@1",))
    desk.record([kit.event(6, value=6.0, at=CLOSES[6]), kit.event(7, value=70.0, at=CLOSES[7], key="-again")])
    desk.record([kit.event(8, value=8.0, at=CLOSES[8])])
    after = lagged(desk, ("ret_20@1",))
    assert np.isnan(before["feature-7-AAA"][0])
    assert np.isnan(after["feature-7-AAA"][0])  # the sixth session was told after it
    assert after["feature-7-AAA-again"] == [6.0]
    assert after["feature-8-AAA"] == [7.0]  # of two events of a session the first in time speaks


def test_a_bar_that_ends_a_session_early_ends_it_for_the_history_too(desk, kit):
    """A dataset counts a session as over with the symbol's own bar; so does the history."""
    early = CLOSES[6] - timedelta(hours=3)
    desk.record([kit.event(5, value=5.0, at=CLOSES[5])])
    assert desk.recorder.record_events([bar(kit, 6, "AAA", at=early)]).accepted == 1
    desk.record([kit.event(6, value=6.0, at=early + timedelta(minutes=1))])
    desk.record([kit.event(7, value=7.0, at=CLOSES[7])])
    values = lagged(desk, ("ret_20@1",))
    assert values["feature-6-AAA"] == [5.0]
    assert values["feature-7-AAA"] == [6.0]


def test_a_name_that_an_event_says_itself_comes_before_looking_back(desk, kit):
    desk.record([kit.event(5, value=5.0, at=CLOSES[5])])
    desk.record([kit.event(6, value=6.0, at=CLOSES[6], **{"ret_20@1": 0.25})])
    assert lagged(desk, ("ret_20@1",))["feature-6-AAA"] == [0.25]


@pytest.mark.parametrize("moment", [datetime(1902, 2, 3, tzinfo=UTC), datetime(2500, 1, 1, tzinfo=UTC)])
def test_an_event_of_a_nonsensical_date_has_no_history_and_stops_nothing(desk, kit, moment):
    desk.record([kit.event(n, value=float(n), at=CLOSES[n]) for n in (5, 6)])
    desk.record([kit.event(99, value=1.0, at=moment)])
    values = lagged(desk, ("ret_20@1",))
    assert values["feature-6-AAA"] == [5.0]
    assert np.isnan(values["feature-99-AAA"][0])


def test_events_told_in_order_have_the_values_that_a_dataset_s_rows_have(desk, kit):
    rng = np.random.default_rng(5)
    told = sorted((n, symbol) for n in range(40) for symbol in kit.SYMBOLS if rng.random() < 0.8)
    for n, symbol in told:
        desk.record([kit.event(n, symbol, value=float(rng.normal()), at=CLOSES[n])])
    names = [name for name in lagged_names(["ret_20"], lags=[35, 10, 1, 0]) if name != "ret_20"]
    rows = feed_of(desk).read(after=0, until=desk.log.position(), names=["ret_20", *names])
    session = [DAYS[int(event_id.split("-")[1])] for event_id in rows.event_id]
    table = pa.table(
        {
            "symbol": list(rows.symbol),
            "session": pa.array(session, pa.date32()),
            "f_ret_20": rows.values[:, 0],
        }
    )
    wanted = with_history(table, names, calendar="XNYS")
    for place, name in enumerate(names, start=1):
        assert np.array_equal(rows.values[:, place], wanted[f"f_{name}"].to_numpy(), equal_nan=True)


def test_chunks_and_restarts_change_no_answer_and_a_batch_says_the_same(desk, kit):
    names = ("ret_20@2", "ret_20@1", "ret_20", "cue")
    StagedModel(feature_names=names).save(desk.home / "lagged")
    for n in range(12):
        desk.record([kit.event(n, symbol, at=CLOSES[n]) for symbol in kit.SYMBOLS])
    desk.record([kit.event(3, key="-late", at=CLOSES[3])])
    desk.bundles["2"] = desk.home / "lagged"
    for until in (5, 6, 30, 31):
        desk.run(until=until, chunk=4)
    kept = desk.run()
    outcome = dict(zip(kept["event_id"], kept["candidate_outcome"], strict=True))
    assert outcome["feature-1-AAA"] == "missing"
    assert outcome["feature-2-AAA"] == "scored"
    assert kept["position"].tolist() == list(range(1, 74))
    model = InProcessModel(desk.home / "lagged", load=load_staged)
    model.start()
    assert live_parity(model, kept, feed=feed_of(desk), position=desk.log.position()) == 0.0
    desk.path.unlink()
    whole = desk.run()
    for column in ("candidate_direction", "candidate_confidence", "candidate_outcome"):
        assert np.array_equal(kept[column].astype(str), whole[column].astype(str))


def test_a_lag_of_centuries_is_missing_and_stops_nothing(desk, kit):
    desk.record([kit.event(5, value=5.0, at=CLOSES[5])])
    assert np.isnan(lagged(desk, ("ret_20@99999",))["feature-5-AAA"][0])


@pytest.mark.slow
def test_trees_of_lagged_columns_say_live_in_their_own_process_what_they_say_in_a_batch(desk, kit):
    import xgboost as xgb

    from ordinis_learn.models._xgboost import XGBoostParameters, XGBoostSignalModel
    from ordinis_learn.shadow.isolated import IsolatedModel

    names = lagged_names(["ret_20", "vol_20"], lags=[5, 1, 0])
    rng = np.random.default_rng(3)
    given_rows = rng.normal(size=(400, len(names)))
    booster = xgb.train(
        {"max_depth": 3, "seed": 1, "nthread": 1},
        xgb.DMatrix(given_rows, label=0.01 * given_rows[:, 0] - 0.02 * given_rows[:, 2]),
        num_boost_round=10,
    )
    folder = desk.home / "trees"
    XGBoostSignalModel(
        booster,
        feature_names=names,
        horizon_sessions=5,
        parameters=XGBoostParameters(min_edge_bps=1.0, scale=0.01),
    ).save(folder)
    for n in range(15):
        events = [
            kit.event(n, symbol, value=float(rng.normal()), vol_20=float(rng.random()), at=CLOSES[n])
            for symbol in kit.SYMBOLS
        ]
        desk.record(events)
    desk.bundles["2"], desk.since = folder, {-60: "1"}
    desk.model = lambda asked: IsolatedModel(asked, limit_seconds=60.0, **({} if asked == folder else STAGED))
    desk.run(until=31, chunk=7)
    kept = desk.run()
    assert kept["candidate_outcome"].tolist() == ["missing"] * 30 + ["scored"] * 60
    assert set(kept["active_outcome"]) == {"scored"}
    assert len(set(kept["candidate_expected_return"][30:])) > 10
    with IsolatedModel(folder, limit_seconds=60.0) as model:
        assert live_parity(model, kept, feed=feed_of(desk), position=desk.log.position()) == 0.0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10_000)), max_size=40, unique_by=lambda one: one[1]),
    st.lists(st.tuples(st.integers(-1, 4), st.integers(-5, 10_005)), min_size=1, max_size=20),
)
def test_the_first_told_is_what_a_search_finds(events, asked):
    key = np.array([key for key, _ in events], dtype=np.int64)
    position = np.array([position for _, position in events], dtype=np.int64)
    found = FirstTold(key, position=position).rows(
        np.array([key for key, _ in asked]), position=np.array([position for _, position in asked])
    )
    for (wanted, until), row in zip(asked, found.tolist(), strict=True):
        known = [n for n, (one, at) in enumerate(events) if one == wanted and at <= until]
        assert row == (known[0] if known else -1)

"""What of a shadow counts, and what the report says of it."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import DataMissing
from ordinis_learn.evaluation.confidence_sequence import confidence_sequence
from ordinis_learn.market.limits import DeskParameters
from ordinis_learn.records import ShadowReport
from ordinis_learn.rollout.replay import NO_PARITY
from ordinis_learn.shadow.feed import FeatureFeed
from ordinis_learn.shadow.paired_loss import apart
from ordinis_learn.shadow.parity import live_parity
from ordinis_learn.shadow.report import Provenance, shadow_report

DAYS = 40


@pytest.fixture
def report(kit):
    def make(kept, *, outcomes, parity=0.0, counted_from=kit.FIRST, active=kit.ACTIVE):
        return shadow_report(
            kept,
            outcomes=outcomes,
            subject=kit.SUBJECT,
            active=active,
            counted_from=counted_from,
            desk=DeskParameters(),
            provenance=Provenance(
                position=int(kept["position"].max(initial=0)),
                source="features",
                predictions_sha256="c" * 64,
                parity_max_abs_diff=parity,
            ),
            clock=lambda: kit.NOW,
        )

    return make


def scored(desk, kit, days=DAYS, **changes):
    for day in range(days):
        desk.record(kit.day_events(day, **changes))
    return desk.run()


def by_hand(kept, outcomes, *, days):
    """The loss differences by loops: sessions 0, 5, 10, …, entry a session later, five sessions of holding."""
    found = []
    for session in range(0, days, 5):
        values = []
        for row in np.flatnonzero(kept["event_id"] == kept["event_id"]):
            day, symbol = kept["event_id"][row].removeprefix("feature-").split("-")
            if int(day) != session or session + 6 >= len(outcomes.close):
                continue
            column = outcomes.symbols.index(symbol)
            sign = np.sign(outcomes.close[session + 6, column] / outcomes.close[session + 1, column] - 1)
            losses = [(1 - kept[f"{side}_direction"][row] * sign) / 2 for side in ("candidate", "active")]
            values.append(losses[0] - losses[1])
        if values:
            found.append(np.mean(values))
    return np.array(found)


def test_the_report_counts_pairs_and_bounds_the_loss_of_every_fifth_session(desk, kit, report):
    kept, outcomes = scored(desk, kit), kit.make_outcomes(DAYS)
    made = report(kept, outcomes=outcomes)
    figures = made.figures
    assert (made.sessions, made.decisions, made.paired_decisions, made.unpaired) == (40, 240, 240, 0)
    assert (made.start.date(), made.end.date()) == (kit.FIRST, kit.FIRST + timedelta(days=39))
    assert made.matured == 6 * (DAYS - 6)
    expected = by_hand(kept, outcomes, days=DAYS)
    assert made.loss_difference == pytest.approx(expected.mean())
    sequence = confidence_sequence(expected, low=-1.0, high=1.0, alpha=0.05)
    assert (made.loss_interval.low, made.loss_interval.high) == (sequence.lower[-1], sequence.upper[-1])
    assert figures.sequence == len(expected) == 7
    assert (figures.repeated, figures.late, figures.ahead, figures.outside, figures.empty_sessions) == (
        0,
    ) * 5
    assert figures.unpaired_rate == 0.0
    assert figures.beside == {"1": 240}
    assert figures.candidate.calls == DAYS
    assert 0 < made.latency_ms_p50 <= made.latency_ms_p95 <= figures.candidate.latency_ms_p99
    # The two are each other's opposite, and so is everything that is signed.
    assert figures.candidate.mean_loss == pytest.approx(1 - figures.active.mean_loss)
    assert figures.candidate.rank_ic_sessions == DAYS - 6
    assert figures.candidate.net_exposure_mean == pytest.approx(-figures.active.net_exposure_mean)
    assert figures.candidate.turnover == pytest.approx(figures.active.turnover)
    assert ShadowReport.model_validate_json(made.model_dump_json()).content_hash() == made.content_hash()


def test_what_cannot_be_known_live_is_left_out_and_counted(desk, kit, report):
    for day in (0, 1, 2, 4, 5):  # day 3 is empty
        desk.record(kit.day_events(day))
    desk.record([kit.event(5, "AAA", key="-again", value=-0.5)])
    desk.record([kit.event(3, "BBB")])  # late: sessions 4 and 5 were told
    desk.record(
        [kit.event(6, "CCC", key="-ahead", at=kit.NOW + timedelta(days=400))]
    )  # a clock that ran ahead
    desk.record(kit.day_events(6))
    made = report(desk.run(), outcomes=kit.make_outcomes(20))
    figures = made.figures
    assert (figures.events, figures.counted) == (39, 37)
    assert (figures.repeated, figures.late, figures.ahead, figures.outside) == (1, 1, 1, 0)
    assert figures.empty_sessions == 0  # the late one is an answer of session 3, too
    assert made.decisions == 37
    kept = desk.run()
    only_timely = report(kept, outcomes=kit.make_outcomes(20))
    assert only_timely.figures.sequence == 2  # sessions 0 and 5


def test_a_holiday_belongs_to_the_session_before_and_says_nothing_new(desk, kit, report):
    import dataclasses

    desk.record(kit.day_events(0))
    desk.record(kit.day_events(1))  # no session: it is taken out of the calendar below
    desk.record(kit.day_events(2))
    outcomes = kit.make_outcomes(12)
    open_days = np.arange(12) != 1
    calendar = dataclasses.replace(
        outcomes.calendar,
        day=outcomes.calendar.day[open_days],
        opens=outcomes.calendar.opens[open_days],
        closes=outcomes.calendar.closes[open_days],
    )
    made = report(
        desk.run(), outcomes=dataclasses.replace(outcomes, calendar=calendar, close=outcomes.close[open_days])
    )
    assert (made.sessions, made.decisions, made.figures.repeated) == (2, 12, 6)


def test_a_version_that_became_active_under_way_begins_a_comparison_of_its_own(desk, kit, report):
    desk.since = {0: "3", 10: "1", 20: None}
    kept, outcomes = scored(desk, kit), kit.make_outcomes(DAYS)
    made = report(kept, outcomes=outcomes)
    assert made.figures.beside == {"": 120, "1": 60, "3": 60}
    assert (made.sessions, made.paired_decisions) == (10, 60)
    assert made.start.date() == kit.FIRST + timedelta(days=10)
    third = report(kept, outcomes=outcomes, active=kit.ACTIVE.model_copy(update={"version": "3"}))
    assert third.paired_decisions == 60
    assert third.loss_difference == 0.0  # the two say the same
    alone = report(kept, outcomes=outcomes, active=None)
    assert (alone.paired_decisions, alone.unpaired, alone.loss_interval, alone.figures.active) == (
        0,
        0,
        None,
        None,
    )
    assert alone.decisions == 120


def test_failures_are_counted_wherever_they_happened(desk, kit, report):
    desk.record(kit.day_events(0, cue="raise"))
    for day in range(1, 10):
        desk.record(kit.day_events(day))
    desk.record([kit.event(9, "AAA", key="-again", cue="nan")])
    desk.record([kit.event(10, "AAA", vol_20=None), kit.event(10, "BBB")])
    kept = desk.run()
    made = report(kept, outcomes=kit.make_outcomes(20), counted_from=kit.FIRST + timedelta(days=1))
    assert (made.errors, made.nan_predictions, made.figures.timeouts) == (
        6,
        1,
        0,
    )  # before the first session that counts, and repeated
    assert (made.figures.candidate.errors, made.figures.candidate.missing, made.figures.outside) == (0, 1, 6)
    assert made.unpaired == 0  # neither was asked about the event that told less
    whole = report(kept, outcomes=kit.make_outcomes(20))
    assert whole.figures.candidate.error_rate == pytest.approx(6 / (6 * 10 + 1))
    assert whole.unpaired == 6


def test_nothing_that_counts_is_an_error_that_says_what_there_was(desk, kit, report):
    kept = scored(desk, kit, days=1)
    with pytest.raises(DataMissing, match="6 beside 1"):
        report(kept, outcomes=kit.make_outcomes(20), counted_from=date(2025, 1, 1))
    with pytest.raises(DataMissing):
        report(kept, outcomes=kit.make_outcomes(20), active=kit.ACTIVE.model_copy(update={"version": "9"}))


def test_limits_of_the_desk_are_breached_as_often_as_they_would_have_been(desk, kit, report):
    desk.record(
        [kit.event(0, "AAA", value=5.0), kit.event(0, "BBB", value=0.1, vol_20=0.9), kit.event(0, "CCC")]
    )
    made = report(desk.run(), outcomes=kit.make_outcomes(20))
    breaches = made.figures.candidate.limit_breaches
    assert breaches["RISK.EXPOSURE.SYMBOL_CAP"] == 1  # tanh(5) of 0.10 is over 0.08
    assert breaches["RISK.VOLATILITY.SYMBOL_LIMIT"] == 1
    assert made.figures.candidate.gross_exposure_max == pytest.approx(
        0.08 + 0.1 * np.tanh(0.1) + 0.1 * np.tanh(abs(np.sin(20)))
    )


def test_parity_reads_the_log_again_and_asks_in_one_batch(desk, kit):
    kept = scored(desk, kit, days=5)
    feed, position = FeatureFeed(desk.log, source="features"), desk.log.position()
    model = desk.model(desk.bundles["2"])
    model.start()
    assert live_parity(model, kept, feed=feed, position=position) == 0.0
    moved = kept | {"candidate_confidence": kept["candidate_confidence"] + 1e-6 * (kept["position"] == 7)}
    assert live_parity(model, moved, feed=feed, position=position) == pytest.approx(1e-6)
    gone = kept | {
        "candidate_expected_return": np.where(kept["position"] == 7, np.nan, kept["candidate_direction"])
    }
    assert live_parity(model, gone, feed=feed, position=position) == NO_PARITY
    assert live_parity(model, kept, feed=feed, position=3) == NO_PARITY  # a log that lost events
    other = desk.model(desk.bundles["1"])
    other.start()
    assert live_parity(other, kept, feed=feed, position=position) > 0.1


@settings(max_examples=25, deadline=None)
@given(
    early=st.integers(8, 30),
    more=st.integers(0, 12),
    order=st.lists(st.sampled_from(range(6)), max_size=4),
    seed=st.integers(0, 5),
)
def test_a_report_of_a_later_day_begins_with_that_of_an_earlier_one(kit, early, more, order, seed):
    """Looking every day is looking at one growing sequence: late and repeated events do not rewrite it."""
    from ordinis_learn.shadow.counted import count_rows
    from ordinis_learn.shadow.report import _Side, paired_differences

    days = [*range(early), *order, *range(early, early + more)]
    kept = synthetic(kit, days, seed=seed)
    outcomes = kit.make_outcomes(early + more + 10, seed=seed)

    def sequence(rows, last):
        seen = {name: values[:rows] for name, values in kept.items()}
        import dataclasses

        known = dataclasses.replace(
            outcomes,
            close=outcomes.close[:last],
            calendar=dataclasses.replace(
                outcomes.calendar,
                day=outcomes.calendar.day[:last],
                opens=outcomes.calendar.opens[:last],
                closes=outcomes.calendar.closes[:last],
            ),
        )
        counted = count_rows(seen, outcomes=known, first_session=0, beside="1")
        sides = [
            _Side.of(seen, side=side, counted=counted, outcomes=known) for side in ("candidate", "active")
        ]
        return paired_differences(*sides, counted=counted)

    width = len(kit.SYMBOLS)
    before = sequence(early * width, early)
    after = sequence(len(days) * width, early + more + 10)
    assert len(after) >= len(before)
    assert after[: len(before)].tolist() == before.tolist()


def synthetic(kit, days, *, seed):
    rng = np.random.default_rng(seed)
    number = np.repeat(np.array(days), len(kit.SYMBOLS))
    count = len(number)
    moments = np.array([int(kit.close_of(int(day)).timestamp() * 1e6) for day in number])
    texts = {"symbol": list(kit.SYMBOLS) * len(days), "active_version": ["1"] * count}
    kept = {
        "position": np.arange(1, count + 1),
        "ts_event": moments,
        "scored_at": moments + 1,
        "volatility": np.full(count, 0.2),
    }
    for side in ("candidate", "active"):
        texts[f"{side}_outcome"] = ["scored"] * count
        kept[f"{side}_direction"] = rng.choice([-1.0, 0.0, 1.0], count)
        kept[f"{side}_call"] = kept["position"].astype(float)
        for name in ("confidence", "expected_return", "latency_us"):
            kept[f"{side}_{name}"] = rng.uniform(size=count)
    return kept | {name: np.array(values, dtype=object) for name, values in texts.items()}


@given(st.sets(st.integers(0, 200)), st.integers(1, 10))
def test_sessions_are_taken_apart_and_none_that_fits_is_missed(sessions, stride):
    all_of_them = np.array(sorted(sessions), dtype=np.int64)
    taken = apart(all_of_them, stride=stride)
    assert set(taken.tolist()) <= sessions
    assert (np.diff(taken) >= stride).all()
    for session in sessions - set(taken.tolist()):
        assert any(0 < session - one < stride for one in taken.tolist())


def test_a_report_signed_before_there_were_figures_hashes_as_it_did():
    old = {
        "schema_version": "1.0.0",
        "subject": {"name": "m", "version": "2", "artifact_sha256": "a" * 64},
        "active": None,
        "start": "2022-01-03T00:00:00Z",
        "end": "2022-06-30T00:00:00Z",
        "calendar_days": 178,
        "sessions": 124,
        "decisions": 500,
        "paired_decisions": 0,
        "unpaired": 0,
        "errors": 0,
        "nan_predictions": 0,
        "matured": 480,
        "parity_max_abs_diff": 0.0,
        "latency_ms_p50": 0.5,
        "latency_ms_p95": 1.5,
        "loss_difference": None,
        "loss_interval": None,
        "predictions_sha256": "b" * 64,
        "created_at": "2022-07-01T00:00:00Z",
    }
    report = ShadowReport.model_validate(old)
    assert report.to_json() == old
    assert (
        report.content_hash() == "23f25bf0867bfe5385c879cfc2ca69e63cce5d28f4577dfecc09205f52c942a9"
    )  # computed before it had any


def test_what_was_scored_over_the_past_is_told_apart_from_what_was_scored_as_it_came(desk, kit, report):
    outcomes = kit.make_outcomes(20)
    for day in range(20):
        desk.record(kit.day_events(day))
    desk.now = kit.close_of(12)  # sessions 0 to 5 have their outcomes by then, 6 to 19 do not
    kept = desk.run()
    figures = report(kept, outcomes=outcomes).figures
    ahead = figures.ahead  # days 13 to 19 lie after the clock that saw them
    assert (figures.counted, ahead) == (13 * 6, 7 * 6)
    assert figures.prospective == 6 * 6  # sessions 7 to 12: the sixth's outcome was known at that very close


def test_a_report_of_before_that_was_counted_keeps_its_hash(desk, kit, report):
    made = report(scored(desk, kit, days=10), outcomes=kit.make_outcomes(20))
    told = made.to_json()
    del told["figures"]["prospective"]
    old = ShadowReport.model_validate(told)
    assert old.figures.prospective is None
    assert old.to_json() == told

"""CUSUM and Page-Hinkley, their run lengths, and the watch that carries them from day to day."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import lfilter
from scipy.stats import binom

from ordinis_learn.drift import (
    LOSS_DETECTORS,
    Cusum,
    LossWatch,
    PageHinkley,
    Scores,
    advance,
    begin_watch,
    calibrate_run_length,
    load_watch,
    loss_findings,
    paired_loss,
    save_watch,
)
from ordinis_learn.drift.loss_scale import LossScale, scaled
from ordinis_learn.drift.run_length import standardised
from ordinis_learn.errors import ConfigInvalid, DataCorrupt, DataMissing

RATE = 1 / 1260
START = date(2001, 1, 1)
LOSSES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-50.0, 50.0))


def days(count, *, first="2001-01-02"):
    return np.datetime64(first, "D") + np.arange(count)


def watch(record=None):
    quiet = np.random.default_rng(0).standard_normal(125) - 0.1 if record is None else record
    return begin_watch(quiet, record_until=START, rate=RATE, draws=200, seed=3)


QUIET = watch()


def path_of(detector, values, *, record_sessions=50):
    state = detector.start(series=1, record_sessions=record_sessions)
    found = []
    for value in values:
        state = detector.step(state, np.array([value]))
        found.append(detector.statistic(state)[0])
    return np.array(found)


@pytest.mark.parametrize(("allowance", "threshold"), [(0.5, 3.0), (0.5, 4.0), (0.25, 6.0)])
def test_the_run_length_of_independent_normal_values_is_siegmund_s(allowance, threshold):
    """Siegmund, D. (1985), Sequential Analysis, (2.44): the threshold is moved out by 1.166."""
    cusum, series = Cusum(allowance=allowance), 2000
    rng = np.random.default_rng(1)
    state, length = cusum.start(series=series, record_sessions=1), np.zeros(series)
    running = np.ones(series, dtype=bool)
    while running.any():
        state = cusum.step(state, rng.standard_normal(series))
        length += running
        running &= cusum.statistic(state) < threshold
    twice = 2 * allowance
    expected = (np.exp(twice * (threshold + 1.166)) - twice * (threshold + 1.166) - 1) / (2 * allowance**2)
    assert length.mean() == pytest.approx(expected, rel=4 / np.sqrt(series) + 0.02)


@settings(deadline=None)
@given(LOSSES)
def test_with_a_fixed_mean_both_are_the_same(values):
    """A record that outweighs everything: the running mean stays."""
    cusum = path_of(Cusum(allowance=0.3), values)
    hinkley = path_of(PageHinkley(allowance=0.3), values, record_sessions=10**15)
    np.testing.assert_allclose(hinkley, cusum, atol=1e-6)


@settings(deadline=None)
@given(LOSSES, LOSSES)
def test_improvement_never_raises_a_statistic(values, better):
    size = min(len(values), len(better))
    cusum = Cusum(allowance=0.25)
    low = values[:size] - np.abs(better[:size])
    assert (path_of(cusum, low) <= path_of(cusum, values[:size]) + 1e-9).all()
    for detector in LOSS_DETECTORS:
        assert path_of(detector, -np.sort(values + 60.0)).max() == 0.0  # ever better, from the first day on


@settings(deadline=None)
@given(LOSSES)
def test_of_all_orders_the_one_that_worsens_ends_highest(values):
    cusum = Cusum(allowance=0.25)
    assert path_of(cusum, np.sort(values))[-1] >= path_of(cusum, values)[-1] - 1e-9


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, 30, elements=st.floats(-9.0, 9.0), unique=True),
    LOSSES,
    st.floats(0.01, 100.0),
    st.floats(-100.0, 100.0),
)
def test_the_unit_of_the_loss_does_not_matter(record, values, scale, shift):
    first = standardised(values, record=record)
    moved = standardised(values * scale + shift, record=record * scale + shift)
    if record.std() > 1e-3:
        np.testing.assert_allclose(first, moved, rtol=1e-6, atol=1e-6)


@settings(deadline=None)
@given(LOSSES, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=5))
def test_stopping_anywhere_repeating_and_reading_again_equals_one_pass(values, stops):
    whole = advance(QUIET, days=days(len(values)), losses=values)
    piecewise = QUIET
    for stop, again in [*sorted(stops), (len(values), 0)]:
        start = max(piecewise.counted - again, 0)  # sessions that were counted are shown again
        piecewise = advance(piecewise, days=days(len(values))[start:stop], losses=values[start:stop])
        piecewise = LossWatch.model_validate_json(piecewise.model_dump_json())
    assert piecewise == whole
    assert piecewise.counted == len(values)


def autoregression(rng, *, phi, sessions):
    return lfilter([1.0], [1.0, -phi], rng.standard_normal(sessions + 300))[300:]


def alarms_in_quiet_series(series, *, record, draws=400):
    """Count for each detector the series that alarm, each against thresholds from its own beginning."""
    alarms = [0] * len(LOSS_DETECTORS)
    for seed, one in enumerate(series):
        before = one[:record] - one[:record].mean()
        units, scale = scaled(before, scale=LossScale.before(before))
        after, _ = scaled(one[record:] - one[:record].mean(), scale=scale)
        quiet = calibrate_run_length(LOSS_DETECTORS, units, sessions=len(after), draws=draws, seed=seed)
        values = standardised(after, record=units)
        for place, detector in enumerate(LOSS_DETECTORS):
            reached = path_of(detector, values, record_sessions=record).max()
            alarms[place] += reached >= quiet[place].threshold(RATE)
    return alarms


def jumping(rng, *, sessions):
    """A standard deviation that jumps between quarters, and so where the record ends."""
    quarters = np.exp(0.5 * rng.standard_normal(sessions // 63))
    return np.repeat(quarters, 63) * rng.standard_normal(len(quarters) * 63)


def clustering(rng, *, sessions):
    """GARCH(1,1) with Student's t of six degrees."""
    series, variance = np.empty(sessions + 500), 1.0
    for place in range(len(series)):
        series[place] = np.sqrt(variance) * rng.standard_t(6) / np.sqrt(1.5)
        variance = 0.02 + 0.1 * series[place] ** 2 + 0.88 * variance
    return series[500:]


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda rng, n: rng.standard_normal(n), id="independent"),
        pytest.param(lambda rng, n: autoregression(rng, phi=0.9, sessions=n), id="remembering"),
        pytest.param(lambda rng, n: jumping(rng, sessions=n), id="jumping"),
        pytest.param(lambda rng, n: clustering(rng, sessions=n), id="clustering"),
    ],
)
def test_false_alarms_come_at_the_stated_rate_whatever_the_memory_and_the_volatility(make):
    """Half a year of record; the table in docs/drift.md has four times as many series."""
    rng, trials, followed = np.random.default_rng(104), 100, 504
    series = (make(rng, 126 + followed) for _ in range(trials))
    fewest, most = binom.ppf([0.005, 0.995], trials, 1 - (1 - RATE) ** followed)
    assert all(fewest <= alarms <= most for alarms in alarms_in_quiet_series(series, record=126))


def test_a_decline_is_found_and_an_improvement_is_none():
    rng = np.random.default_rng(4)
    noise = rng.standard_normal(120)
    for change, severities in ((1.5, {"critical"}), (-1.5, {"none"})):
        followed = advance(QUIET, days=days(120), losses=noise - 0.1 + change)
        findings = loss_findings(followed, since=START, alpha=0.05)
        assert {finding.severity for finding in findings} == severities
        assert all((f.q_value <= 0.05) == (f.severity != "none") for f in findings)


def test_a_decline_too_slow_for_any_month_beside_the_last_is_found():
    """The baseline never moves: a tenth of a standard deviation a quarter, over ten years."""
    rng = np.random.default_rng(5)
    sessions = 2520
    slow = rng.standard_normal(sessions) + np.arange(sessions) / sessions * 4.0
    followed = advance(QUIET, days=days(sessions), losses=slow)
    assert loss_findings(followed, since=START, alpha=0.05)[0].severity == "critical"


def test_an_alarm_between_two_checks_is_not_lost_when_the_model_recovers():
    losses = np.concatenate([np.full(40, 3.0), np.full(400, -1.0)])
    followed = advance(QUIET, days=days(len(losses)), losses=losses)
    cusum = loss_findings(followed, since=START, alpha=0.05)[0]
    assert cusum.severity == "critical"
    assert cusum.value >= cusum.threshold
    later = loss_findings(followed, since=date(2002, 2, 1), alpha=0.05)[0]
    assert (later.value, later.severity) == (0.0, "none")


def test_a_constant_record_takes_any_loss_for_a_change():
    quiet = advance(watch(np.full(60, -0.5)), days=days(2), losses=np.array([-0.5, -0.5]))
    assert all(finding.severity == "none" for finding in loss_findings(quiet, since=START, alpha=0.05))
    followed = advance(quiet, days=days(3), losses=np.array([-0.5, -0.5, -0.4]))
    assert all(finding.severity != "none" for finding in loss_findings(followed, since=START, alpha=0.05))


def test_sessions_without_outcomes_are_passed_over():
    with_holes = np.array([np.nan, 0.5, np.nan, 0.7, np.nan])
    followed = advance(QUIET, days=days(5), losses=with_holes)
    assert (followed.counted, followed.last_session) == (2, date(2001, 1, 5))
    assert advance(followed, days=days(0), losses=np.zeros(0)) == followed


def test_sessions_out_of_order_are_refused():
    with pytest.raises(ConfigInvalid, match="do not follow"):
        advance(QUIET, days=days(3)[::-1], losses=np.zeros(3))


def test_a_short_record_is_refused():
    with pytest.raises(DataMissing, match="39 sessions"):
        watch(np.zeros(39))


def test_a_kept_watch_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "loss" / "one.json"
    assert load_watch(path) is None
    half = advance(QUIET, days=days(10), losses=np.linspace(0.1, 3.3, 10))
    save_watch(half, path)
    assert load_watch(path) == half


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"format": "ordinis.loss_watch/9"}'])
def test_what_is_no_watch_is_refused_by_name(content, tmp_path):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(DataCorrupt, match="broken") as caught:
        load_watch(path)
    assert "remove" in caught.value.next_step


def test_what_moves_both_models_cancels():
    rng = np.random.default_rng(8)
    market = rng.standard_normal(100)
    session = np.repeat(np.arange(20), 5)
    one = Scores(prediction=np.ones(100), outcome=market)
    other = Scores(prediction=np.ones(100), outcome=market + 0.01)
    loss = paired_loss(one, session=session, sessions=20, baseline=other)
    np.testing.assert_allclose(loss, 0.01)
    assert paired_loss(Scores(prediction=np.ones(2)), session=np.zeros(2, int), sessions=1) is None


def test_an_alarm_is_critical_where_it_is_ten_times_as_rare_as_stated_and_not_before():
    """Whatever the model earned: a shift of a quarter of a standard deviation is more than any model can afford."""
    rng = np.random.default_rng(12)
    for earned in (0.0, 0.06, -0.05):  # per session, in standard deviations: Sharpe 0, 1 and below
        record = rng.standard_normal(125) - earned
        quiet = watch(record)
        seen = set()
        for last in range(5, 120, 5):
            losses = np.random.default_rng(13).standard_normal(last) - earned + 0.8
            followed = advance(quiet, days=days(last), losses=losses)
            for finding in loss_findings(followed, since=START, alpha=0.05):
                seen.add(finding.severity)
                if finding.severity == "critical":
                    assert finding.p_value <= RATE / 10
                elif finding.severity == "warning":
                    assert RATE / 10 < finding.p_value <= RATE * 1.1
        assert seen == {"none", "warning", "critical"}


def test_a_loss_of_less_than_half_of_what_was_earned_is_info():
    rng = np.random.default_rng(14)
    rich = watch(0.2 * rng.standard_normal(125) - 1.0)
    followed = advance(rich, days=days(300), losses=0.2 * rng.standard_normal(300) - 0.8)
    assert loss_findings(followed, since=START, alpha=0.05)[0].severity == "info"


@settings(deadline=None)
@given(LOSSES, st.integers(0, 60), st.floats(0.01, 100.0))
def test_the_scale_is_known_before_each_value_and_has_the_unit_of_the_loss(values, cut, unit):
    record = np.random.default_rng(1).standard_normal(60)
    scale = LossScale.before(record)
    whole, after = scaled(values, scale=scale)
    first, between = scaled(values[:cut], scale=scale)
    rest, end = scaled(values[cut:], scale=between)
    assert np.array_equal(whole, np.append(first, rest))  # what comes later changes no unit
    assert after == end
    again, _ = scaled(values * unit, scale=LossScale.before(record * unit))
    # The first difference is taken to the record's last value, here to its first one in either unit.
    np.testing.assert_allclose(again, whole, rtol=1e-6, atol=1e-9)

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from ordinis_learn.drift import (
    Judgement,
    Scores,
    alerts_for,
    build_reference,
    measure_performance,
    performance_metrics,
)
from ordinis_learn.errors import DataMissing
from ordinis_learn.records import DriftReport

SESSIONS, RECENT = 500, 120


@pytest.fixture
def quiet(rows):
    rng = np.random.default_rng(1)
    columns = {name: rng.standard_normal((SESSIONS, 4)) for name in ("ret_1", "vol_20")}
    return rows(columns, symbols=4)


@pytest.fixture
def recent(rows):
    def make(**changes):
        rng = np.random.default_rng(2)
        columns = {name: rng.standard_normal((RECENT, 4)) for name in ("ret_1", "vol_20")}
        return rows(columns | changes, start="2003-01-02", symbols=4)

    return make


def severities(report):
    return {(finding.feature, finding.metric): finding.severity for finding in report.findings}


FEATURES = ("ret_1", "vol_20")


def test_nothing_changed(check, quiet, recent):
    report = check(quiet, recent(), features=FEATURES)
    assert not report.breached
    assert alerts_for(report) == ()
    assert set(severities(report).values()) == {"none"}
    assert (report.start, report.end) == (
        datetime(2003, 1, 2, tzinfo=UTC),
        datetime(2003, 5, 1, tzinfo=UTC),
    )
    assert DriftReport.model_validate_json(report.model_dump_json()) == report


def test_a_planted_shift_breaches_and_names_its_feature(check, quiet, recent):
    moved = np.random.default_rng(3).standard_normal((RECENT, 4)) + 1.0
    report = check(quiet, recent(vol_20=moved), features=FEATURES)
    found = severities(report)
    assert report.breached
    assert found["vol_20", "psi"] == found["vol_20", "ks"] == found["vol_20", "wasserstein"] == "critical"
    assert found["ret_1", "psi"] == "none"
    for alert in alerts_for(report):
        assert alert.features in {("vol_20",), ("joint",)}
        assert alert.action == "block_promotions"
        assert alert.value > alert.threshold
    assert {alert.metric for alert in alerts_for(report)} == {
        "psi",
        "jensen_shannon",
        "ks",
        "wasserstein",
        "domain_auc",
    }
    assert len({alert.alert_id for alert in alerts_for(report)}) == 5


def test_significant_but_small_is_only_info(check, quiet, recent):
    moved = np.random.default_rng(4).standard_normal((RECENT, 4)) + 0.3
    report = check(quiet, recent(vol_20=moved), features=FEATURES)
    assert severities(report)["vol_20", "ks"] == "info"
    assert not report.breached


def test_material_but_not_significant_is_nothing(check, rows):
    walk = np.cumsum(np.random.default_rng(5).standard_normal(SESSIONS + RECENT))
    reference, current = rows({"x": walk[:SESSIONS]}), rows({"x": walk[SESSIONS:]}, start="2003-01-02")
    finding = check(reference, current, features=("x",)).findings[0]
    assert finding.metric == "psi"
    assert finding.value > 0.2
    assert finding.severity == "none"


def test_a_vanished_feature_is_missing_in_all_rows(check, quiet, recent):
    report = check(quiet, recent().drop_columns(["f_vol_20"]), features=FEATURES)
    finding = next(f for f in report.findings if f.feature == "vol_20")
    assert (finding.metric, finding.value, finding.severity) == ("missing_rate", 1.0, "critical")
    assert [f.metric for f in report.findings if f.feature == "vol_20"] == ["missing_rate"]


def test_an_infinite_value_counts_as_missing(check, quiet, recent):
    report = check(quiet, recent(vol_20=np.full((RECENT, 4), np.inf)), features=FEATURES)
    assert severities(report)["vol_20", "missing_rate"] == "critical"


def test_a_stuck_feature_is_named_constant(check, quiet, recent):
    report = check(quiet, recent(ret_1=np.zeros((RECENT, 4))), features=FEATURES)
    assert severities(report)["ret_1", "constant"] == "critical"


def test_a_feature_that_was_always_constant_is_quiet_until_it_moves(check, rows):
    reference = rows({"flag": np.ones(SESSIONS)})
    still = check(reference, rows({"flag": np.ones(RECENT)}, start="2003-01-02"), features=("flag",))
    moved = check(reference, rows({"flag": np.zeros(RECENT)}, start="2003-01-02"), features=("flag",))
    assert not still.breached
    assert severities(moved)["flag", "psi"] == "critical"


def declines(before, now, *, days=(SESSIONS, RECENT), horizon=1):
    sessions = [np.repeat(np.arange(count), 8) for count in days]
    measured = measure_performance(
        performance_metrics(horizon_sessions=horizon),
        reference=before,
        reference_session=sessions[0],
        current=now,
        current_session=sessions[1],
        judgement=Judgement(draws=499, seed=3, alpha=0.05, psi_floor=0.2),
    )
    return {each.metric: each for each in measured}


def skilled(seed, *, days, skill, honest=True):
    """Forecasts with a given correlation to what came, said with the confidence that they deserve."""
    rng = np.random.default_rng(seed)
    came = 0.01 * rng.standard_normal(days * 8)
    said = skill * came / 0.01 + rng.standard_normal(days * 8)
    confidence = 0.5 + np.arctan(skill / np.sqrt(1.0 - min(skill, 0.99) ** 2)) / np.pi
    return Scores(
        prediction=said,
        confidence=np.full(days * 8, confidence if honest else 0.9),
        outcome=np.sign(said) * came,
        forward_return=came,
    )


def test_earning_more_is_not_drift_and_earning_less_is(check, quiet, recent):
    before = skilled(1, days=SESSIONS, skill=0.3)
    better, same, worse = (
        declines(before, skilled(2, days=RECENT, skill=skill)) for skill in (0.6, 0.3, -0.3)
    )
    earned = ("mean_decline", "sharpe_decline", "rank_ic_decline")
    assert all(better[metric].values[0] == 0.0 for metric in earned)
    assert all(same[metric].p_values[0] > 0.05 for metric in earned)
    assert all(worse[metric].p_values[0] <= 0.01 for metric in earned)
    assert all(worse[metric].effects[0] > 1.0 for metric in earned)
    report = check(quiet, recent(), features=FEATURES, performance=list(worse.values()))
    assert severities(report)["outcome", "rank_ic_decline"] == "critical"


def test_confidence_that_is_no_longer_deserved_is_found():
    before = skilled(4, days=SESSIONS, skill=0.3)
    honest, boasting = (
        declines(before, skilled(5, days=RECENT, skill=0.3, honest=honest)) for honest in (True, False)
    )
    assert honest["calibration_error"].p_values[0] > 0.05
    assert boasting["calibration_error"].p_values[0] <= 0.01
    assert boasting["calibration_error"].effects[0] > 2.0


def test_outcomes_that_are_not_known_yet_are_no_finding():
    before = skilled(6, days=SESSIONS, skill=0.3)
    rows = RECENT * 8
    unknown = np.full(rows, np.nan)
    now = Scores(prediction=np.ones(rows), confidence=np.ones(rows), outcome=unknown, forward_return=unknown)
    assert declines(before, now) == {}
    assert declines(before, Scores(prediction=np.ones(rows))) == {}


def test_what_a_model_says_is_compared_where_the_reference_knows_it(check, quiet, recent):
    rng = np.random.default_rng(7)
    said, says = rng.standard_normal(SESSIONS * 4), 2.0 + rng.standard_normal(RECENT * 4)
    found = severities(check(quiet, recent(), features=FEATURES, said=said, prediction=says))
    assert found["prediction", "psi"] == "critical"
    silent = severities(check(quiet, recent(), features=FEATURES, prediction=says))
    assert ("prediction", "psi") not in silent


def test_a_correlation_that_changed_its_sign_is_seen_although_no_feature_moved(check, rows):
    def pair(seed, sessions, sign):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((sessions, 4))
        return {"x": x, "y": sign * 0.8 * x + 0.6 * rng.standard_normal((sessions, 4))}

    reference = rows(pair(1, SESSIONS, 1.0), symbols=4)
    same, turned = (
        severities(
            check(reference, rows(pair(2, 60, sign), start="2003-01-02", symbols=4), features=("x", "y"))
        )
        for sign in (1.0, -1.0)
    )
    assert same["joint", "domain_auc"] == "none"
    assert turned["joint", "domain_auc"] == "critical"
    moved = {metric for (_, metric), severity in turned.items() if severity != "none"}
    assert moved == {"domain_auc", "psi_given_rest"}
    assert all(severity == "none" for severity in same.values())


def test_a_sector_that_never_was_is_a_new_value(check, rows):
    rng = np.random.default_rng(3)
    reference = rows({"sector": rng.integers(0, 5, (SESSIONS, 4)).astype(float)}, symbols=4)
    drawn = rng.integers(0, 5, (RECENT, 4)).astype(float)
    known = check(reference, rows({"sector": drawn}, start="2003-01-02", symbols=4), features=("sector",))
    drawn[:, 0] = 2.5
    new = check(reference, rows({"sector": drawn}, start="2003-01-02", symbols=4), features=("sector",))
    assert severities(known)["sector", "new_values"] == "none"
    assert severities(new)["sector", "new_values"] == "critical"


def test_an_empty_window_is_an_error_with_what_to_type(check, quiet, recent):
    with pytest.raises(DataMissing, match="current window has no rows") as caught:
        check(quiet, recent().slice(0, 0), features=FEATURES)
    assert caught.value.next_step


def test_a_reference_without_the_feature_is_an_error(check, quiet, recent, manifest_of):
    manifest = manifest_of(quiet, FEATURES)
    with pytest.raises(DataMissing, match="'vol_20'"):
        check(quiet.drop_columns(["f_vol_20"]), recent(), features=("ret_1",), manifest=manifest)


def test_rows_without_sessions_are_an_error(check, quiet, recent):
    with pytest.raises(DataMissing, match="'session'"):
        check(quiet, recent().drop_columns(["session"]), features=FEATURES)


def test_a_short_reference_cannot_know_its_own_noise(check, quiet, recent):
    with pytest.raises(DataMissing, match="reference sessions"):
        check(quiet.slice(0, 4 * 20), recent(), features=FEATURES)


def test_the_order_of_rows_does_not_matter(check, quiet, recent):
    moved = recent(vol_20=np.random.default_rng(3).standard_normal((RECENT, 4)) + 1.0)
    shuffled = quiet.take(pa.array(np.random.default_rng(9).permutation(quiet.num_rows)))
    first, second = (check(table, moved, features=FEATURES) for table in (quiet, shuffled))
    assert [f.severity for f in first.findings] == [f.severity for f in second.findings]
    np.testing.assert_allclose(
        [f.value for f in first.findings], [f.value for f in second.findings], rtol=1e-9, atol=1e-12
    )


def test_pictures_are_drawn_even_where_a_feature_vanished(check, quiet, recent, manifest_of):
    from ordinis_learn.drift import plot_drift

    current = recent().drop_columns(["f_vol_20"])
    report = check(quiet, current, features=FEATURES)
    reference = build_reference(quiet, manifest=manifest_of(quiet, FEATURES))
    said = np.random.default_rng(0).standard_normal(current.num_rows)
    pictures = plot_drift(report, reference=reference, current=current, prediction=said)
    assert sorted(pictures) == ["densities.png", "psi.png"]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())


def test_the_history_of_checks_is_one_picture_whatever_the_order(check, quiet, recent):
    from ordinis_learn.drift import plot_history

    reports = [
        check(quiet, recent(), features=FEATURES),
        check(quiet, recent().slice(0, 80), features=FEATURES),
    ]
    assert plot_history([]) == {}
    picture = plot_history(reports)["history.png"]
    assert picture.startswith(b"\x89PNG")
    assert plot_history([*reversed(reports), *reports])["history.png"] == picture

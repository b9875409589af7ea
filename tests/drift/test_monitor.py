from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from ordinis_learn.drift import Scores, alerts_for
from ordinis_learn.errors import ConfigInvalid, DataMissing
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
        assert alert.features == ("vol_20",)
        assert alert.action == "block_promotions"
        assert alert.value > alert.threshold
    assert len({alert.alert_id for alert in alerts_for(report)}) == 3


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


def test_earning_more_is_not_drift_and_earning_less_is(check, quiet, recent):
    rng = np.random.default_rng(6)
    said, says = rng.standard_normal(SESSIONS * 4), rng.standard_normal(RECENT * 4)
    earned = 0.01 + 0.02 * rng.standard_normal(SESSIONS * 4)

    def run(mean):
        earns = mean + 0.02 * np.random.default_rng(7).standard_normal(RECENT * 4)
        return severities(
            check(
                quiet,
                recent(),
                features=FEATURES,
                reference_scores=Scores(prediction=said, outcome=earned),
                current_scores=Scores(prediction=says, outcome=earns),
            )
        )

    assert run(0.03)["outcome", "mean_decline"] == "none"
    assert run(0.004)["outcome", "mean_decline"] == "warning"
    assert run(-0.01)["outcome", "mean_decline"] == "critical"
    assert run(0.03)["prediction", "psi"] == "none"


def test_outcomes_that_are_not_known_yet_are_no_finding(check, quiet, recent):
    scores = [Scores(prediction=np.zeros(n), outcome=np.full(n, np.nan)) for n in (SESSIONS * 4, RECENT * 4)]
    report = check(quiet, recent(), features=FEATURES, reference_scores=scores[0], current_scores=scores[1])
    assert ("outcome", "mean_decline") not in severities(report)


def test_scores_of_one_window_only_are_refused(check, quiet, recent):
    with pytest.raises(ConfigInvalid, match="one window only"):
        check(quiet, recent(), features=FEATURES, current_scores=Scores(prediction=np.zeros(RECENT * 4)))


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


def test_pictures_are_drawn_even_where_a_feature_vanished(check, quiet, recent):
    from ordinis_learn.drift import plot_drift

    current = recent().drop_columns(["f_vol_20"])
    report = check(quiet, current, features=FEATURES)
    pictures = plot_drift(report, reference=quiet, current=current)
    assert sorted(pictures) == ["densities.png", "psi.png"]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())

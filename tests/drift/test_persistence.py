"""k of n days, and a drift so slow that no month differs from the one before."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.drift import persistent_breaches
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import DriftFinding, DriftReport

DAY = datetime(2024, 1, 1, tzinfo=UTC)
SEVERITIES = st.lists(st.sampled_from(["none", "info", "warning", "critical"]), max_size=12)


def finding(severity, *, feature="vol_20"):
    return DriftFinding(
        feature=feature, metric="psi", value=0.3, threshold=0.2, p_value=0.01, q_value=0.02, severity=severity
    )


def report(day, *severities, written=0, version="1"):
    findings = tuple(finding(severity, feature=f"f{k}") for k, severity in enumerate(severities))
    return DriftReport(
        model="m",
        version=version,
        dataset_ref="core@1",
        start=DAY,
        end=DAY + timedelta(days=day),
        reference_rows=10,
        current_rows=10,
        alpha=0.05,
        findings=findings,
        breached=any(severity in {"warning", "critical"} for severity in severities),
        created_at=DAY + timedelta(days=day, minutes=written),
    )


def test_two_of_three_days():
    checks = [report(1, "warning", "none"), report(2, "none", "warning"), report(3, "critical", "warning")]
    assert [f.feature for f in persistent_breaches(checks, k=2, n=3)] == ["f0", "f1"]
    assert [f.feature for f in persistent_breaches(checks, k=2, n=2)] == ["f1"]
    assert persistent_breaches(checks, k=3, n=3) == ()


def test_a_breach_that_is_over_does_not_persist():
    assert persistent_breaches([report(1, "critical"), report(2, "info")], k=1, n=2) == ()


def test_a_repeated_check_of_one_day_counts_once_and_the_newest_holds():
    again = [report(1, "warning"), report(1, "warning", written=5)]
    assert persistent_breaches(again, k=2, n=3) == ()
    corrected = [report(1, "warning"), report(1, "none", written=5), report(2, "warning")]
    assert persistent_breaches(corrected, k=2, n=2) == ()


@settings(deadline=None)
@given(SEVERITIES, st.integers(1, 4), st.integers(0, 3), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_more_days_are_asked_for_in_vain(severities, k, more, random):
    checks = [report(day, severity) for day, severity in enumerate(severities)]
    found = persistent_breaches(checks, k=k, n=k + more)
    shuffled = list(checks)
    random.shuffle(shuffled)
    assert persistent_breaches(shuffled, k=k, n=k + more) == found
    assert set(persistent_breaches(checks, k=k + 1, n=k + more + 1)) <= set(
        persistent_breaches(checks, k=k, n=k + more + 1)
    )
    assert bool(found) == (
        sum(severity in {"warning", "critical"} for severity in severities[-(k + more) :]) >= k
        and severities[-1] in {"warning", "critical"}
    )


def test_no_sense_is_refused():
    for k, n in ((0, 1), (3, 2)):
        with pytest.raises(ConfigInvalid, match="days"):
            persistent_breaches([], k=k, n=n)
    with pytest.raises(ConfigInvalid, match="m v1, m v2"):
        persistent_breaches([report(1, "none"), report(2, "none", version="2")], k=1, n=1)
    assert persistent_breaches([], k=1, n=1) == ()


def test_a_slow_drift_is_found_because_the_reference_stays(check, rows):
    """Each month lies a tenth of a standard deviation above the last: no step is material, the sum of them is."""
    rng = np.random.default_rng(12)
    reference = rows({"x": rng.standard_normal((600, 4))}, symbols=4)
    months = [
        rows(
            {"x": rng.standard_normal((21, 4)) + 0.1 * month},
            start=f"{2003 + month // 12}-{month % 12 + 1:02d}-01",
            symbols=4,
        )
        for month in range(12)
    ]
    reports = [check(reference, month, features=("x",)) for month in months]
    psi = {f.metric: f for f in persistent_breaches(reports, k=2, n=3)}
    assert psi["psi"].severity in {"warning", "critical"}
    first = {f.metric: f.severity for f in reports[1].findings}
    assert first["psi"] in {"none", "info"}
